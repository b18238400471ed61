"""MDTraj: its trajectories as a `Structure`, a structure as its topology, and its knowledge of bonds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.structures.boundary import guarded
from md_sensitivity.structures.source import temporary_file
from md_sensitivity.types import Structure

if TYPE_CHECKING:
    import mdtraj

ANGSTROM_PER_NANOMETER = 10.0
SINGLE_PRECISION = "coordinates have single precision (about seven digits), as MDTraj keeps them"


def structure_from_trajectory(trajectory: mdtraj.Trajectory, *, frame: int = -1, name: str = "structure") -> Structure:
    """One frame of an MDTraj trajectory as a structure, not yet validated.

    Types are chemical symbols; masses are those of ASE, so that both readers agree. A cell of 1 Å × 1 Å × 1 Å is the placeholder of
    the PDB format and means none.

    Args:
        trajectory: with a topology.
        frame: index; negative ones count from the end.
        name: name of the structure.

    Raises:
        UsageError: there is no such frame.
        InputError: the trajectory has no topology.
    """
    from ase.data import atomic_masses, chemical_symbols

    from md_sensitivity.structures.ase import DUMMY_CELL, is_dummy_cell

    topology = trajectory.topology
    if topology is None:
        raise InputError(f"{name}: the trajectory has no topology; load it with top=...")
    if not -trajectory.n_frames <= frame < trajectory.n_frames:
        raise UsageError(f"{name}: there is no frame {frame}; the trajectory has {trajectory.n_frames}")
    atoms = list(topology.atoms)
    numbers = np.array([0 if atom.element is None else atom.element.number for atom in atoms], dtype=np.int64)
    cell, notes = np.zeros((3, 3)), [SINGLE_PRECISION]
    if trajectory.unitcell_vectors is not None:
        cell = np.asarray(trajectory.unitcell_vectors[frame], dtype=np.float64) * ANGSTROM_PER_NANOMETER
    if is_dummy_cell(cell):
        cell, notes = np.zeros((3, 3)), [*notes, DUMMY_CELL]
    return Structure(
        positions=np.asarray(trajectory.xyz[frame], dtype=np.float64) * ANGSTROM_PER_NANOMETER,
        types=tuple(chemical_symbols[number] for number in numbers),
        numbers=numbers,
        cell=cell,
        pbc=np.full(3, bool(cell.any())),
        masses=np.array(atomic_masses)[numbers],
        bonds=bonds_of(topology),
        fixed=np.zeros((len(atoms), 3), dtype=bool),
        name=name,
        atom_names=tuple(atom.name for atom in atoms),
        residue_names=tuple(atom.residue.name for atom in atoms),
        residue_numbers=tuple(int(atom.residue.resSeq) for atom in atoms),
        chain_names=tuple(atom.residue.chain.chain_id or "" for atom in atoms),
        reader="mdtraj",
        notes=tuple(notes),
    )


def bonds_of(topology: mdtraj.Topology) -> np.ndarray:
    """Bonds as pairs of atom indices, shape=(m, 2)."""
    return np.array([(bond.atom1.index, bond.atom2.index) for bond in topology.bonds], dtype=np.int64).reshape(-1, 2)


def load(where: str, content: str, suffix: str, notes: list[str], text: str = "") -> mdtraj.Trajectory:
    """What MDTraj makes of a text in the format of `suffix`; `text` is the file, where errors shall name its lines."""
    return guarded(where, "MDTraj", notes, lambda: _load(content, suffix), text=text)


def _load(content: str, suffix: str) -> mdtraj.Trajectory:
    import mdtraj

    with temporary_file(content, suffix) as path:
        return mdtraj.load_pdb(path, no_boxchk=True) if suffix == ".pdb" else mdtraj.load(path)


def topology_of(structure: Structure) -> mdtraj.Topology:
    """The structure's atoms, residues, chains and bonds as an MDTraj topology, in the same order."""
    import mdtraj
    from mdtraj.core.element import Element, virtual

    from md_sensitivity.structures.residues import residue_labels

    n = structure.size
    names = structure.atom_names or structure.types
    residue_names = structure.residue_names or ("MOL",) * n
    residue_numbers = structure.residue_numbers or (1,) * n
    chain_names = structure.chain_names or ("",) * n
    labels = residue_labels(chain_names, residue_names, residue_numbers)
    topology = mdtraj.Topology()
    elements = {number: Element.getByAtomicNumber(number) if number else virtual for number in set(structure.numbers.tolist())}
    chain = residue = None
    atoms = []
    for i in range(n):
        if chain is None or chain_names[i] != chain_names[i - 1]:
            chain = topology.add_chain(chain_names[i] or None)
        if residue is None or labels[i] != labels[i - 1]:
            residue = topology.add_residue(residue_names[i], chain, resSeq=residue_numbers[i])
        atoms.append(topology.add_atom(names[i], elements[int(structure.numbers[i])], residue, serial=i + 1))
    for first, second in structure.bonds.tolist():
        topology.add_bond(atoms[first], atoms[second])
    return topology
