"""A structure as OpenMM's topology, and why a residue of it fits no template."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import printable, shown
from md_sensitivity.structures.residues import residue_labels
from md_sensitivity.types import Structure

_NO_TEMPLATE = re.compile(r"No template found for residue (\d+)")
_MANY_TEMPLATES = re.compile(r"Multiple non-identical matching templates found for residue (-?\d+) .*?: ([^\n]*?)\.?$")
_LISTED = 8


def topology_of(structure: Structure) -> Any:
    """Atoms, residues, chains and bonds as an `openmm.app.Topology`, in the same order.

    Raises:
        InputError: a particle is no element.
    """
    from openmm import app

    n = structure.size
    if np.any(structure.numbers == 0):
        atom = int(np.argmax(structure.numbers == 0))
        raise InputError(f"{where(structure)}: atom {atom} is no element; templates of residues want elements")
    names = structure.atom_names or structure.types
    residue_names = structure.residue_names or ("MOL",) * n
    residue_numbers = structure.residue_numbers or _molecules(structure)
    chain_names = structure.chain_names or ("",) * n
    labels = residue_labels(chain_names, residue_names, residue_numbers)
    elements = {number: app.Element.getByAtomicNumber(number) for number in set(structure.numbers.tolist())}
    topology = app.Topology()
    chain = residue = None
    atoms = []
    for i in range(n):
        if chain is None or chain_names[i] != chain_names[i - 1]:
            chain = topology.addChain(chain_names[i])
        if residue is None or labels[i] != labels[i - 1]:
            residue = topology.addResidue(residue_names[i], chain, id=str(residue_numbers[i]))
        atoms.append(topology.addAtom(names[i], elements[int(structure.numbers[i])], residue))
    bonds = np.unique(np.sort(structure.bonds, axis=1), axis=0) if len(structure.bonds) else structure.bonds
    for first, second in bonds.tolist():
        topology.addBond(atoms[first], atoms[second])
    return topology


def _molecules(structure: Structure) -> tuple[int, ...]:
    """A number for each atom, from 1, that is that of its molecule, where atoms of a molecule follow each other; else 1 for all."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = structure.size
    first, second = structure.bonds.reshape(-1, 2).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(n, n))
    count, labels = connected_components(graph, directed=False)
    together = np.sum(labels[1:] != labels[:-1]) == count - 1
    return tuple((labels + 1).tolist()) if together else (1,) * n


def where(structure: Structure) -> str:
    """Its file, or its name."""
    return shown(structure.path) if structure.path else printable(structure.name)


def failure(error: Exception, structure: Structure, topology: Any, force_field: Any, source: str) -> InputError:
    """What to tell a person of an error of OpenMM's.

    Args:
        force_field: of OpenMM, with its templates and patches by name.
        source: name of the force field.
    """
    text = str(error)
    if found := _NO_TEMPLATE.search(text):
        residue = _culprit(list(topology.residues()), int(found[1]), force_field, topology)
        templates = force_field._templates
        if templates and residue.name not in templates:
            reason = _nameless(residue, force_field)
            return InputError(f"{where(structure)}: {_label(residue)}: {source} has no template of that name, nor one that fits: {reason}")
        return InputError(f"{where(structure)}: {_label(residue)} fits no template of {source}: {_difference(residue, templates)}")
    if found := _MANY_TEMPLATES.search(text):
        # OpenMM joins residues where a template may be that of a whole molecule, and does not say which.
        number = int(found[1])
        residue = "a molecule of several residues, as a whole," if number < 0 else _label(list(topology.residues())[number])
        return InputError(
            f"{where(structure)}: {residue} fits several templates of {source} ({printable(found[2])}), which give it different "
            "numbers; leave only one of them in the force field"
        )
    if text.startswith("NonbondedForce: No parameters defined"):
        return InputError(f"{source}: {printable(text)}; add a line <Atom> for this type")
    return InputError(f"{where(structure)}: OpenMM cannot apply {source}: {printable(text)[:300]}")


def _label(residue: Any) -> str:
    chain = f" of chain {printable(residue.chain.id)}" if residue.chain.id.strip() else ""
    return f"residue {printable(residue.name)} {printable(residue.id)}{chain}"


def _culprit(residues: list[Any], place: int, force_field: Any, topology: Any) -> Any:
    """The residue to speak of: the one that fits no template, or the one beside it, where only that has a name that nobody knows.

    A residue of unknown name has no bonds in many files, so that the one before it lacks one, and is the first that fits no template.
    """
    residue = residues[place]
    if residue.name in force_field._templates:
        unmatched = set(force_field.getUnmatchedResidues(topology))
        for beside in residues[max(place - 1, 0) : place + 2]:
            if beside.chain is residue.chain and beside.name not in force_field._templates and beside in unmatched:
                return beside
    return residue


def _nameless(residue: Any, force_field: Any) -> str:
    """What may help with a residue of unknown name that fits no template."""
    reason = _difference(residue, force_field._templates, named=False)
    if len(list(residue.external_bonds())) == 1 and force_field._patches:
        reason += (
            "; where it caps a chain, its atoms belong to the residue beside it, which a patch then completes: give them the name "
            "and number of that residue"
        )
    return reason


def _difference(residue: Any, templates: Any, *, named: bool = True) -> str:
    """How a residue differs from the template that comes nearest, and what may help.

    Args:
        named: whether there is a template of its name.
    """
    if not templates:
        return "it has none at all; add a file with residue templates"
    own = Counter(atom.element.symbol for atom in residue.atoms())
    inside = len(list(residue.internal_bonds()))
    outside = len(list(residue.external_bonds()))
    known = {atom.element.symbol for template in templates.values() for atom in template.atoms if atom.element is not None}
    if unknown := sorted(set(own) - known):
        return f"no template has the element {', '.join(unknown)}; add a file with a template of this residue"

    def distance(template: Any) -> tuple[int, int, int, bool]:
        other = Counter(atom.element.symbol for atom in template.atoms if atom.element is not None)
        atoms = sum(abs(own[symbol] - other[symbol]) for symbol in {*own, *other})
        return atoms, abs(inside - len(template.bonds)), abs(outside - len(template.externalBonds)), template.name != residue.name

    best = min(templates.values(), key=distance)
    atoms, bonds, ends, _ = distance(best)
    if atoms:
        return _atom_difference(residue, own, best, named)
    known_as = "" if named else f"; if it is {best.name}, call it so"
    if bonds:
        reason = "" if inside else "; PDB files of residues that are not standard need CONECT records"
        counts = f"which has {len(best.bonds)} bonds, and it has {inside}"
        return f"its atoms are those of {best.name}, {counts}; complete its bonds{reason}{known_as}"
    if ends:
        return (
            f"its atoms and bonds are those of {best.name}, which is bonded to {len(best.externalBonds)} atoms of other residues, and "
            f"it is to {outside}; are the ends of its chain capped, and all bonds between residues there?"
        )
    return f"its atoms are those of {best.name}, bonded in another way; check its bonds"


def _atom_difference(residue: Any, own: Counter[str], best: Any, named: bool) -> str:
    other = Counter(atom.element.symbol for atom in best.atoms if atom.element is not None)
    missing, extra = other - own, own - other
    parts = [f"{word} {', '.join(f'{count} {symbol}' for symbol, count in sorted(part.items()))}" for word, part in
             (("it lacks", missing), ("it has in excess", extra)) if part]
    here, there = {atom.name for atom in residue.atoms()}, {atom.name for atom in best.atoms}
    names = sorted(there - here)
    hint = f" ({best.name} has also {', '.join(names[:_LISTED])}{' …' if len(names) > _LISTED else ''})" if missing and names else ""
    if not named:
        advice = "add a file with a template of it, or call it by the name that it has there"
    else:
        advice = "add the hydrogens" if set(missing) == {"H"} and not extra else "complete its atoms, or add a file with a template of it"
    return f"nearest is {best.name}, and {'; '.join(parts)}{hint}; {advice}"
