"""LAMMPS atom types: numbers without chemistry, unless masses tell the element."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

TOLERANCE = 0.02
"""A mass means an element when it is this close to the element's [amu, relative to the mass beyond 10 amu: 0.002 of it]."""


def elements_of_masses(masses: Sequence[float]) -> list[int]:
    """Atomic number for the mass [amu] of each type; 0 where it is no element's.

    A mass of exactly 1 is hydrogen only beside heavier elements: alone it is the unit of mass of a reduced system.
    """
    from ase.data import atomic_masses

    table = np.asarray(atomic_masses)[1:]
    numbers = []
    for mass in masses:
        best = int(np.argmin(np.abs(table - mass)))
        close = abs(table[best] - mass) <= max(TOLERANCE, 0.1 * TOLERANCE * mass)
        numbers.append(best + 1 if close else 0)
    alone = not any(number > 2 for number in numbers)
    return [0 if number == 1 and alone and mass == 1.0 else number for number, mass in zip(numbers, masses, strict=True)]


def typed_by_id(ids: np.ndarray, numbers: np.ndarray, masses: np.ndarray, *, has_masses: bool) -> tuple[np.ndarray, np.ndarray]:
    """Atomic numbers and masses [amu] of atoms that ASE read from a LAMMPS file, both shape=(n,).

    Without masses ASE calls type 1 hydrogen, type 2 helium and so on; such numbers become 0 with mass 1. With masses it takes the
    nearest element however far; the masses decide anew.

    Args:
        ids: LAMMPS type of each atom, shape=(n,).
        numbers: what ASE believes, shape=(n,).
        masses: shape=(n,) [amu].
        has_masses: whether the file gave masses.
    """
    ids, numbers = np.asarray(ids), np.asarray(numbers)
    if has_masses:
        kinds, first = np.unique(ids, return_index=True)
        elements = dict(zip(kinds.tolist(), elements_of_masses([float(masses[i]) for i in first]), strict=True))
        return np.array([elements[kind] for kind in ids.tolist()], dtype=np.int64), masses
    if np.array_equal(ids, numbers):
        return np.zeros(len(ids), dtype=np.int64), np.ones(len(ids))
    return numbers, masses


def element_notes(types: Sequence[str], numbers: np.ndarray, masses: np.ndarray) -> list[str]:
    """One line that says which element each type was taken for."""
    from ase.data import chemical_symbols

    first = {kind: index for index, kind in reversed(list(enumerate(types)))}
    parts = []
    for kind, index in sorted(first.items(), key=lambda item: (len(item[0]), item[0])):
        number = int(numbers[index])
        parts.append(f"{kind} = {chemical_symbols[number] if number else 'no element'} (mass {masses[index]:g})")
    return ["LAMMPS types: " + ", ".join(parts)]
