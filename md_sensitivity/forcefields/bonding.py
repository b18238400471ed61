"""Bonds of a structure → bonded interactions and pairs that are no neighbors, by the types of atoms, for force fields that name types."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.data import ForceField, Term
from md_sensitivity.forcefields.table import TypeTuple, join_types
from md_sensitivity.forcefields.topology import ANY, Pairs, Tuples
from md_sensitivity.potentials.base import BondedForm
from md_sensitivity.types import Structure


def bonded_tuples(force_field: ForceField, structure: Structure, names: Sequence[str]) -> dict[str, Tuples]:
    """Interactions of each bonded potential: all bonds, angles or torsions of the structure whose types it names, in either order.

    A line with fewer wildcards wins. What a potential does not name has no interaction of that kind.
    """
    found: dict[str, Tuples] = {}
    paths: dict[int, np.ndarray] = {}
    for term in force_field.terms:
        if not isinstance(term.form, BondedForm):
            continue
        order = term.form.order
        if order > 4:
            raise InputError(f"potential {term.label!r}: {term.form.name} needs a topology that lists its atoms, which a TOML file lacks")
        if not len(structure.bonds):
            raise InputError(
                f"potential {term.label!r} speaks of bonds, and {structure.path or structure.name} has none; give a format that lists "
                "bonds (mol2, PDB with CONECT, LAMMPS data …)"
            )
        if order not in paths:
            paths[order] = chains(structure.size, structure.bonds, order)
        atoms, rows = _matched(term, paths[order], names)
        found[term.label] = Tuples(atoms=atoms, rows=rows)
    return found


def _matched(term: Term, paths: np.ndarray, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    lines: dict[TypeTuple, list[int]] = {}
    for row, types in enumerate(next(iter(term.rows.values()))):
        lines.setdefault(min(types, types[::-1]), []).append(row)
    known: dict[TypeTuple, list[int]] = {}
    atoms: list[np.ndarray] = []
    rows: list[int] = []
    for path in paths:
        types = tuple(names[atom] for atom in path)
        key = min(types, types[::-1])
        if key not in known:
            known[key] = _best(lines, key)
        atoms += [path] * len(known[key])
        rows += known[key]
    return np.array(atoms, dtype=np.int64).reshape(-1, paths.shape[1]), np.array(rows, dtype=np.int64)


def _best(lines: dict[TypeTuple, list[int]], types: TypeTuple) -> list[int]:
    """Rows of the line that fits with the fewest wildcards."""
    fitting = []
    for line, rows in lines.items():
        for way in (line, line[::-1]):
            if all(a in (ANY, b) for a, b in zip(way, types, strict=True)):
                fitting.append((way.count(ANY), line, rows))
                break
    if not fitting:
        return []
    least = min(wild for wild, _, _ in fitting)
    best = [(line, rows) for wild, line, rows in fitting if wild == least]
    if len(best) > 1:
        words = " and ".join(join_types(line) for line, _ in best)
        raise InputError(f"both {words} fit {join_types(types)}; name these types in a line of their own")
    return best[0][1]


def neighbors_of(size: int, bonds: np.ndarray) -> list[list[int]]:
    """Atoms bonded to each atom, in order."""
    found: list[set[int]] = [set() for _ in range(size)]
    for i, j in np.asarray(bonds).tolist():
        if i != j:
            found[i].add(j)
            found[j].add(i)
    return [sorted(each) for each in found]


def chains(size: int, bonds: np.ndarray, order: int) -> np.ndarray:
    """Paths of so many different bonded atoms, each once, shape=(m, order)."""
    near = neighbors_of(size, bonds)
    paths: list[tuple[int, ...]] = [(i,) for i in range(size)]
    for _ in range(order - 1):
        paths = [(*path, j) for path in paths for j in near[path[-1]] if j not in path]
    return np.array([path for path in paths if path[0] < path[-1]], dtype=np.int64).reshape(-1, order)


def excluded_pairs(force_field: ForceField, structure: Structure) -> dict[str, Pairs]:
    """Pairs that are no neighbors of each pair potential that leaves out atoms few bonds apart; those three bonds apart have a scale."""
    found: dict[str, Pairs] = {}
    for term in force_field.terms:
        if term.exclude:
            found[term.label] = pairs_within(structure.size, structure.bonds, term.exclude, scaled=term.exclude == 3)
    return found


def pairs_within(size: int, bonds: np.ndarray, reach: int, *, scaled: bool) -> Pairs:
    """Pairs of atoms at most so many bonds apart; with `scaled` those just three bonds apart have the first scale."""
    near = neighbors_of(size, bonds)
    apart: dict[tuple[int, int], int] = {}
    for start in range(size):
        seen, edge = {start}, [start]
        for distance in range(1, reach + 1):
            edge = sorted({j for i in edge for j in near[i]} - seen)
            seen |= set(edge)
            apart.update({(start, j): distance for j in edge if j > start})
    atoms = np.array(list(apart), dtype=np.int64).reshape(-1, 2)
    distances = np.array(list(apart.values()), dtype=np.int64)
    return Pairs(atoms=atoms, rows=np.where((distances == 3) & scaled, 0, -1))
