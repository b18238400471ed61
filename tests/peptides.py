"""Molecules for tests of molecular force fields: small peptides and water, with their bonds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from md_sensitivity.types import Structure

ALANINE_DIPEPTIDE = """\
ATOM      1 HH31 ACE A   1       2.000   1.000  -0.000  1.00  0.00           H
ATOM      2  CH3 ACE A   1       2.000   2.090   0.000  1.00  0.00           C
ATOM      3 HH32 ACE A   1       1.486   2.454   0.890  1.00  0.00           H
ATOM      4 HH33 ACE A   1       1.486   2.454  -0.890  1.00  0.00           H
ATOM      5  C   ACE A   1       3.427   2.641  -0.000  1.00  0.00           C
ATOM      6  O   ACE A   1       4.391   1.877  -0.000  1.00  0.00           O
ATOM      7  N   ALA A   2       3.555   3.970  -0.000  1.00  0.00           N
ATOM      8  H   ALA A   2       2.733   4.556  -0.000  1.00  0.00           H
ATOM      9  CA  ALA A   2       4.853   4.614  -0.000  1.00  0.00           C
ATOM     10  HA  ALA A   2       5.408   4.316   0.890  1.00  0.00           H
ATOM     11  CB  ALA A   2       5.661   4.221  -1.232  1.00  0.00           C
ATOM     12  HB1 ALA A   2       5.123   4.521  -2.131  1.00  0.00           H
ATOM     13  HB2 ALA A   2       6.630   4.719  -1.206  1.00  0.00           H
ATOM     14  HB3 ALA A   2       5.809   3.141  -1.241  1.00  0.00           H
ATOM     15  C   ALA A   2       4.713   6.129   0.000  1.00  0.00           C
ATOM     16  O   ALA A   2       3.601   6.653   0.000  1.00  0.00           O
ATOM     17  N   NME A   3       5.846   6.835   0.000  1.00  0.00           N
ATOM     18  H   NME A   3       6.737   6.359  -0.000  1.00  0.00           H
ATOM     19  CH3 NME A   3       5.846   8.284   0.000  1.00  0.00           C
ATOM     20 HH31 NME A   3       4.819   8.648   0.000  1.00  0.00           H
ATOM     21 HH32 NME A   3       6.360   8.648   0.890  1.00  0.00           H
ATOM     22 HH33 NME A   3       6.360   8.648  -0.890  1.00  0.00           H
TER
END
"""
"""ACE-ALA-NME, extended."""
STANDARD = "ALA ARG ASN ASP CYS GLN GLU GLY HIE ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL".split()


def structure_of(atoms: Sequence[tuple[str, int, str, int]], bonds: Any, seed: int = 0) -> Structure:
    """A structure of (name, atomic number, residue, residue number), at random places that are not too near to each other."""
    from ase.data import atomic_masses

    n = len(atoms)
    side = int(np.ceil(n ** (1 / 3)))
    grid = np.array(np.unravel_index(np.arange(n), (side,) * 3)).T * 1.6
    numbers = np.array([atom[1] for atom in atoms])
    return Structure(
        positions=grid + np.random.default_rng(seed).uniform(-0.3, 0.3, (n, 3)),
        types=tuple(atom[0] for atom in atoms),
        numbers=numbers,
        cell=np.zeros((3, 3)),
        pbc=np.zeros(3, dtype=bool),
        masses=atomic_masses[numbers],
        bonds=np.array(bonds, dtype=np.int64).reshape(-1, 2),
        fixed=np.zeros((n, 3), dtype=bool),
        atom_names=tuple(atom[0] for atom in atoms),
        residue_names=tuple(atom[2] for atom in atoms),
        residue_numbers=tuple(atom[3] for atom in atoms),
        chain_names=("A",) * n,
    )


def chain_of(force_field: Any, residues: Sequence[str]) -> Structure:
    """A chain of templates of an `openmm.app.ForceField`, each bonded to the next at its external bonds."""
    atoms: list[tuple[str, int, str, int]] = []
    bonds: list[tuple[int, int]] = []
    end = -1
    for number, name in enumerate(residues):
        template = force_field._templates[name]
        start = len(atoms)
        atoms += [(atom.name, atom.element.atomic_number, name, number + 1) for atom in template.atoms]
        bonds += [(start + i, start + j) for i, j in template.bonds]
        outer = sorted((template.atoms[i].name, start + i) for i in template.externalBonds if template.atoms[i].name in "CN")
        if end >= 0:
            bonds.append((end, next(i for symbol, i in outer if symbol == "N")))
        end = next((i for symbol, i in outer if symbol == "C"), -1)
    return structure_of(atoms, bonds)


def waters(count: int) -> Structure:
    """Separate molecules of water."""
    atoms = [atom for k in range(count) for atom in (("O", 8, "HOH", k + 1), ("H1", 1, "HOH", k + 1), ("H2", 1, "HOH", k + 1))]
    return structure_of(atoms, [(3 * k, 3 * k + j) for k in range(count) for j in (1, 2)])


def charmm_chain(force_field: Any, names: Sequence[str]) -> Structure:
    """A chain of CHARMM's residues, whose ends are those of its patches NTER and CTER."""
    structure = chain_of(force_field, names)
    atoms = list(zip(structure.atom_names, structure.numbers.tolist(), structure.residue_names, structure.residue_numbers, strict=True))
    bonds = structure.bonds.tolist()
    first, last = structure.residue_numbers[0], structure.residue_numbers[-1]
    nitrogen = next(i for i, atom in enumerate(atoms) if atom[0] == "N" and atom[3] == first)
    carbon = next(i for i, atom in enumerate(atoms) if atom[0] == "C" and atom[3] == last)
    end = len(atoms)
    atoms.append(("OT2", 8, names[-1], last))
    bonds.append([carbon, end])
    bonds += [[nitrogen, end + 1 + k] for k in range(2)]
    atoms += [("HT2", 1, names[0], first), ("HT3", 1, names[0], first)]
    order = sorted(range(len(atoms)), key=lambda i: atoms[i][3])
    place = {old: new for new, old in enumerate(order)}
    return structure_of([atoms[i] for i in order], [[place[i], place[j]] for i, j in bonds])
