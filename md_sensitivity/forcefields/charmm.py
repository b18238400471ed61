"""CHARMM: a PSF with parameter files → ForceField. The PSF says who interacts, the parameter files say how strongly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import printable, quotation, shown
from md_sensitivity.forcefields.atom_names import AtomNames
from md_sensitivity.forcefields.charmm_bonded import bonded_terms
from md_sensitivity.forcefields.charmm_nonbonded import charge_types, coulomb, lennard_jones, species_names
from md_sensitivity.forcefields.charmm_parameters import CharmmParameters, parse_parameters
from md_sensitivity.forcefields.charmm_psf import Psf, parse_psf
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.forcefields.fixed_topology import elements_of_masses
from md_sensitivity.forcefields.line_rows import force_field_of_rows
from md_sensitivity.forcefields.molecular_terms import COULOMB
from md_sensitivity.forcefields.nonbonded import Nonbonded, applied
from md_sensitivity.forcefields.topology import Assignment
from md_sensitivity.types import Structure
from md_sensitivity.units import CHARMM

TOPOLOGY_SUFFIXES = (".rtf", ".top")
PARAMETER_SUFFIXES = (".prm", ".par", ".inp")
STREAM_SUFFIXES = (".str",)
_ALL = (*TOPOLOGY_SUFFIXES, *PARAMETER_SUFFIXES, *STREAM_SUFFIXES)
"""In the order in which CHARMM reads such files."""
_MOST_FILES = 40
Choose = Callable[[Nonbonded], Nonbonded]


def as_the_files_say(settings: Nonbonded) -> Nonbonded:
    """The same settings."""
    return settings


def read_charmm(psf_path: str | Path, parameter_paths: Sequence[str | Path], choose: Choose = as_the_files_say) -> ForceField:
    """A CHARMM force field for the molecules of a PSF.

    Args:
        psf_path: of CHARMM, X-PLOR or NAMD.
        parameter_paths: parameter files, stream files, and topology files for masses; those later in the list overrule those before.
        choose: settings of the files → settings that are used, such as cutoffs for periodic structures.

    Returns:
        The force field; parameters in kcal/mol, Å, degrees and e.

    Raises:
        InputError: with file, line and reason.
    """
    path = Path(psf_path)
    return _force_field(read_text(path).text, path, [Path(each) for each in parameter_paths], choose, strict=False)


def parse_charmm(text: str, path: Path, choose: Choose = as_the_files_say) -> ForceField:
    """The same with the parameter files that lie beside the PSF: those of its own name, or else all."""
    return _force_field(text, path, parameter_files_beside(path), choose, strict=True)


def parameter_files_beside(path: Path) -> list[Path]:
    """Parameter files in the folder of a PSF, in the order in which CHARMM would read them.

    Raises:
        InputError: where there are none.
    """
    try:
        there = sorted(each for each in path.parent.iterdir() if each.suffix.lower() in _ALL and each.is_file())
    except OSError as error:
        raise InputError(f"{shown(path)}: its folder cannot be listed: {error.strerror}") from error
    own = [each for each in there if each.stem == path.stem]
    found = own if any(each.suffix.lower() in PARAMETER_SUFFIXES + STREAM_SUFFIXES for each in own) else there
    if not any(each.suffix.lower() in PARAMETER_SUFFIXES + STREAM_SUFFIXES for each in found):
        raise InputError(
            f"{shown(path)}: a PSF says who interacts, not how strongly; no parameter file (.prm, .par, .inp or .str) lies beside it: copy "
            f"it there, such as {shown(path.with_suffix('.prm'))}"
        )
    if len(found) > _MOST_FILES:
        raise InputError(f"{shown(path)}: {len(found)} parameter files lie beside it; leave those that belong to it, {_MOST_FILES} at most")
    return sorted(found, key=lambda each: next(k for k, group in enumerate(_GROUPS) if each.suffix.lower() in group))


_GROUPS = (TOPOLOGY_SUFFIXES, PARAMETER_SUFFIXES, STREAM_SUFFIXES)


def _force_field(text: str, path: Path, parameter_paths: list[Path], choose: Choose, *, strict: bool) -> ForceField:
    psf = parse_psf(text, shown(path))
    for each in parameter_paths:
        if each.suffix.lower() not in _ALL:
            raise InputError(f"{shown(each)}: unknown kind of parameter file; its name must end with one of {', '.join(_ALL)}")
    parameters = parse_parameters([(shown(each), read_text(each).text) for each in parameter_paths])
    if strict and parameters.replaced and len(parameter_paths) > 1:
        raise InputError(
            f"{shown(path)}: the parameter files beside it contradict each other: {parameters.replaced[0]}; leave those that belong to it, "
            f"or join them in {shown(path.with_suffix('.prm'))}"
        )
    types = _types(psf, parameters)
    bonded = bonded_terms(psf, types, parameters)
    pairs, charges = lennard_jones(psf, types, parameters), coulomb(psf, parameters)
    rows = [*bonded.rows.values(), *pairs.rows, *charges.rows]
    field = force_field_of_rows(rows, CHARMM, name=printable(path.stem), source=shown(path))
    names, _ = charge_types(psf)
    labels = species_names(names, types)
    species = tuple(dict.fromkeys(labels))
    lookup = {label: kind for kind, label in enumerate(species)}
    first = [labels.index(label) for label in species]
    assignment = Assignment(
        kinds=np.array([lookup[label] for label in labels], dtype=np.int32),
        species=species,
        names={**{each.label: tuple(types[i] for i in first) for each in pairs.rows}, COULOMB: tuple(names[i] for i in first)},
        tuples=bonded.interactions.tuples,
        pairs={**pairs.pairs, **charges.pairs},
        notes=_notes(psf, parameters),
        masses=psf.masses,
    )
    typed = replace(field, typing=CharmmTyping(psf=psf, assignment=assignment, elements=elements_of_masses(psf.masses)))
    return applied(typed, choose(_settings(parameters, psf.where)))


def _types(psf: Psf, parameters: CharmmParameters) -> tuple[str, ...]:
    """Names of the types of atoms; CHARMM's own flavor of a PSF has numbers, which files of masses explain."""
    if all(not word.isdecimal() for word in psf.types):
        return psf.types
    named: list[str] = []
    for i, word in enumerate(psf.types):
        if word.isdecimal():
            number = int(word[:15])
            if number not in parameters.numbers:
                raise InputError(
                    f"{psf.where}: the type of {psf.atom(i)} is the number {word}, which no MASS line of the parameter files names; add "
                    "the topology file (.rtf), or write the PSF in X-PLOR format"
                )
            word = parameters.numbers[number]
        named.append(word)
    return tuple(named)


def _settings(parameters: CharmmParameters, where: str) -> Nonbonded:
    """How interactions end in periodic structures, as the parameter files say."""
    # CHARMM has no correction for what lies beyond the cutoff unless asked for by a command of its scripts.
    cutoff = parameters.settings.get("ctofnb", 12.0)
    start = parameters.settings.get("ctonnb", cutoff - 2.0)
    if not 0 < start <= cutoff:
        raise InputError(f"{where}: ctonnb {start:g} and ctofnb {cutoff:g} of the parameter files must be positive and in this order")
    return Nonbonded(cutoff=cutoff, switch_from=start if start < cutoff else None, dispersion_correction=False)


def _notes(psf: Psf, parameters: CharmmParameters) -> tuple[str, ...]:
    notes = []
    if parameters.replaced:
        more = f" and {len(parameters.replaced) - 1} more" if len(parameters.replaced) > 1 else ""
        notes.append(f"entries of later parameter files overrule earlier ones: {parameters.replaced[0]}{more}")
    if psf.held:
        notes.append("atoms that the PSF marks as fixed are free; use --fix to hold them")
    if any(name in ("TIP3", "HOH", "WAT", "TIP", "SPC", "SPCE") for name in psf.residues):
        notes.append("water is flexible: constraints of its bonds and angle are released")
    return tuple(notes)


@dataclass(frozen=True, kw_only=True, eq=False)
class CharmmTyping:
    """Structure → Assignment: the atoms of the PSF, in its order.

    Attributes:
        elements: atomic number of each atom, shape=(n,); 0 where it is not known.
    """

    psf: Psf
    assignment: Assignment
    elements: np.ndarray

    def __call__(self, structure: Structure) -> Assignment:
        """What the PSF says, where the structure has the same atoms.

        Raises:
            InputError: it has others.
        """
        return _assigned(self, structure)

    def require_same_atoms(self, structure: Structure) -> None:
        """Refuses a structure of other atoms."""
        where = structure.path or structure.name
        if structure.size != self.psf.size:
            raise InputError(
                f"{shown(where)}: has {structure.size} atoms, and {self.psf.where} has {self.psf.size}; both must list the same atoms in "
                "the same order"
            )
        self.names.require_same_order(structure)
        numbers = np.asarray(structure.numbers)
        wrong = np.flatnonzero((numbers > 0) & (self.elements > 0) & (numbers != self.elements))
        if len(wrong):
            i = int(wrong[0])
            raise InputError(
                f"{shown(where)}: atom {i} is {structure.symbols[i]}, and {self.psf.where} has {self.psf.atom(i)} of mass "
                f"{self.psf.masses[i]:g} there{_named(structure, i)}; both must list the same atoms in the same order"
            )

    @property
    def names(self) -> AtomNames:
        """What the PSF calls its atoms."""
        psf = self.psf
        return AtomNames(source=psf.where, atoms=psf.atoms, residues=psf.residues, residue_numbers=psf.residue_ids)


@lru_cache(maxsize=8)
def _assigned(typing: CharmmTyping, structure: Structure) -> Assignment:
    typing.require_same_atoms(structure)
    return replace(typing.assignment, notes=(*typing.assignment.notes, *typing.names.notes(structure)))


def _named(structure: Structure, i: int) -> str:
    return f", not {quotation(structure.atom_names[i])}" if structure.atom_names else ""
