"""Files of molecular force fields, with settings that they do not hold: the table `[molecules]` of a native force field."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation
from md_sensitivity.forcefields.amber import read_prmtop
from md_sensitivity.forcefields.charmm import TOPOLOGY_SUFFIXES, parse_charmm, read_charmm
from md_sensitivity.forcefields.data import ForceField, Origin
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.forcefields.gromacs import read_gromacs
from md_sensitivity.forcefields.nonbonded import SOLVENTS, Nonbonded, applied
from md_sensitivity.forcefields.numbers import number_of, require_known
from md_sensitivity.forcefields.openmm_files import located, name_in_openmm
from md_sensitivity.forcefields.openmm_xml import read_openmm_xml
from md_sensitivity.registry import Registry, did_you_mean


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What is said beside the files.

    Attributes:
        settings: those of `Nonbonded` that are given.
        define: macros of a GROMACS topology.
        where: file and table, for messages.
    """

    settings: Mapping[str, Any]
    define: tuple[str, ...] = ()
    where: str = "molecules"

    def over(self, defaults: Nonbonded) -> Nonbonded:
        """Settings with those that are given in place of defaults.

        Raises:
            InputError: where the switch would begin behind the cutoff.
        """
        both = replace(defaults, **self.settings)
        if both.switch_from is not None and not both.switch_from < both.cutoff:
            raise InputError(f"{self.where}: switch_from = {both.switch_from:g} Å must be less than cutoff = {both.cutoff:g} Å")
        return both


NOTHING = Choices(settings={})


@dataclass(frozen=True, kw_only=True)
class MolecularFormat:
    """A kind of molecular force-field file.

    Attributes:
        suffixes: ends of names, in lower case, the first of several files.
        read: (files, choices) → force field, with the choices applied.
        several: whether it takes more than one file.
        macros: whether `define` means anything to it.
        locate: (folder, name) → the file.
    """

    name: str
    description: str
    suffixes: tuple[str, ...]
    read: Callable[[Sequence[Path], Choices], ForceField]
    several: bool = False
    macros: bool = False
    locate: Callable[[Path, str], Path] = lambda folder, name: folder / name


def _read_amber(paths: Sequence[Path], choices: Choices) -> ForceField:
    return applied(read_prmtop(read_text(paths[0]).text, paths[0]), choices.over(Nonbonded()))


def _read_topology(paths: Sequence[Path], choices: Choices) -> ForceField:
    """A file called `.top`, which AMBER's topologies may be, too."""
    text = read_text(paths[0]).text
    if text.lstrip().startswith(("%VERSION", "%FLAG")):
        _require_no_macros(choices, "an AMBER topology")
        return _read_amber(paths, choices)
    return applied(read_gromacs(text, paths[0], choices.define), choices.over(Nonbonded()))


def _read_charmm(paths: Sequence[Path], choices: Choices) -> ForceField:
    path = paths[0]
    return read_charmm(path, paths[1:], choices.over) if len(paths) > 1 else parse_charmm(read_text(path).text, path, choices.over)


def _read_openmm(paths: Sequence[Path], choices: Choices) -> ForceField:
    return read_openmm_xml(paths, choices.over)


MOLECULAR_FORMATS: Registry[MolecularFormat] = Registry(
    "molecular force-field format",
    (
        MolecularFormat(
            name="amber-prmtop",
            description="AMBER topology with its parameters (prmtop), also of CHAMBER",
            suffixes=(".prmtop", ".parm7"),
            read=_read_amber,
        ),
        MolecularFormat(
            name="gromacs-top",
            description="GROMACS topology, with the files that it includes",
            suffixes=(".top", ".itp"),
            read=_read_topology,
            macros=True,
        ),
        MolecularFormat(
            name="charmm",
            description="PSF of CHARMM, X-PLOR or NAMD, with the parameter files (.prm, .par, .inp, .str; .rtf for masses) beside it",
            suffixes=(".psf",),
            read=_read_charmm,
            several=True,
        ),
        MolecularFormat(
            name="openmm-xml",
            description="force field of OpenMM, also by the name of one of its own; or a serialized OpenMM System",
            suffixes=(".xml",),
            read=_read_openmm,
            several=True,
            locate=located,
        ),
    ),
)

_KEYS = (
    "files", "define", "cutoff", "switch_from", "tolerance", "order", "dispersion_correction", "implicit_solvent", "solute_dielectric",
    "solvent_dielectric", "coulomb_constant",
)  # fmt: skip


def molecular_force_field(table: Mapping[str, Any], source: str, folder: Path | None) -> ForceField:
    """The force field that a table `[molecules]` speaks of.

    Args:
        table: `files`, and settings; lengths in Å.
        source: the file, for messages.
        folder: where relative names of files begin.

    Raises:
        InputError: with file, place and reason.
    """
    where = f"{source}: molecules"
    require_known(table, _KEYS, where)
    names = table.get("files")
    if isinstance(names, str):
        names = [names]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise InputError(f"{where}: files must be names of files such as [\"amber14-all.xml\"]")
    kind = format_of(names[0])
    if kind is None:
        known = ", ".join(suffix for each in MOLECULAR_FORMATS.values() for suffix in each.suffixes)
        raise InputError(f"{where}: files: {quotation(names[0])} is no molecular force field; its name must end with one of {known}")
    _require_one_kind(names, kind, where)
    if len(names) > 1 and not kind.several:
        raise InputError(f"{where}: files: a force field of kind {kind.name} is one file, not {len(names)}")
    paths = [kind.locate(folder or Path(), name) for name in names]
    _require_once(paths, names, where)
    choices = _choices(table, where)
    if not kind.macros:
        _require_no_macros(choices, f"a force field of kind {kind.name}")
    return read_files(kind, paths, choices, table)


def _require_one_kind(names: Sequence[str], kind: MolecularFormat, where: str) -> None:
    for name in names[1:]:
        other = format_of(name)
        if other is not None and other is not kind and not (kind.name == "charmm" and name.lower().endswith(TOPOLOGY_SUFFIXES)):
            raise InputError(
                f"{where}: files: {quotation(names[0])} is of kind {kind.name}, and {quotation(name)} of kind {other.name}; kinds cannot "
                "be mixed, give one of them"
            )


def _require_once(paths: Sequence[Path], names: Sequence[str], where: str) -> None:
    seen: set[str] = set()
    for path, name in zip(paths, names, strict=True):
        real = os.path.realpath(path)
        if real in seen:
            raise InputError(f"{where}: files: {quotation(name)} is listed twice; name it once")
        seen.add(real)


def _require_no_macros(choices: Choices, what: str) -> None:
    if choices.define:
        raise InputError(f"{choices.where}: define is for GROMACS topologies, and {what} has no macros; remove it")


def read_files(
    kind: MolecularFormat, paths: Sequence[Path], choices: Choices = NOTHING, table: Mapping[str, Any] | None = None
) -> ForceField:
    """The force field that files of one kind hold, which knows them.

    Args:
        table: where the choices come from, `[molecules]`.

    Raises:
        InputError: with file, place and reason.
    """
    found = kind.read(paths, choices)
    return replace(found, origin=Origin(settings={**(table or {}), "files": [os.path.abspath(path) for path in paths]}, plain=found))


def read_again(origin: Origin) -> ForceField:
    """What the files of a molecular force field hold now."""
    return molecular_force_field(origin.settings, origin.plain.name, None)


def name_from(folder: Path, path: str) -> str:
    """What a file is called by a document in a folder: the end of its path where it is one of OpenMM's own."""
    own, kind = name_in_openmm(Path(path)), format_of(path)
    if own and kind is not None and kind.locate(folder, own) == Path(path):
        return own
    place, file = os.path.realpath(folder), Path(path)
    return Path(os.path.relpath(Path(os.path.realpath(file.parent)) / file.name, place)).as_posix()


def format_of(name: str) -> MolecularFormat | None:
    """The kind of molecular force field that the end of a name tells."""
    return next((kind for kind in MOLECULAR_FORMATS.values() if name.lower().endswith(kind.suffixes)), None)


def _choices(table: Mapping[str, Any], where: str) -> Choices:
    settings: dict[str, Any] = {}
    for key in ("cutoff", "tolerance", "solute_dielectric", "solvent_dielectric", "coulomb_constant"):
        if key in table:
            settings[key] = number_of(table[key], f"{where}: {key}", above=0.0)
    if "order" in table:
        settings["order"] = int(number_of(table["order"], f"{where}: order", at_least=4.0))
    if "switch_from" in table:
        # `false` for a cutoff without switch
        off = table["switch_from"] is False
        settings["switch_from"] = None if off else number_of(table["switch_from"], f"{where}: switch_from", at_least=0.0)
    elif "cutoff" in table:
        settings["switch_from"] = settings["cutoff"] * 8.0 / 9.0
    if "dispersion_correction" in table:
        if not isinstance(table["dispersion_correction"], bool):
            raise InputError(f"{where}: dispersion_correction must be true or false")
        settings["dispersion_correction"] = table["dispersion_correction"]
    if "implicit_solvent" in table:
        solvent = table["implicit_solvent"]
        if solvent not in SOLVENTS:
            guess = did_you_mean(str(solvent), SOLVENTS)
            raise InputError(f"{where}: implicit_solvent = {quotation(str(solvent))}{guess}; one of {', '.join(SOLVENTS)}")
        settings["implicit_solvent"] = solvent
    define = table.get("define", [])
    if not isinstance(define, list) or not all(isinstance(word, str) and word for word in define):
        raise InputError(f"{where}: define must be a list of macros such as [\"FLEXIBLE\"]")
    if not settings.get("tolerance", 0.0) < 0.01 or not settings.get("order", 0) <= 14:
        raise InputError(f"{where}: tolerance must be less than 0.01, and order at most 14")
    return Choices(settings=settings, define=tuple(define), where=where)
