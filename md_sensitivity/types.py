"""The nouns of the method that more than one package speaks of: frozen data without behavior of their own.

Legend of array comments throughout the project: `n` atom, `p` parameter, `c` Cartesian, `k` observable component, `e` edge.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import ase
    import mdtraj

Array = np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Structure:
    """What a structure file says: atoms in space, without any interaction.

    Attributes:
        name: stem of the file, or a title.
        positions: shape=(n, 3) [Å], not wrapped into the cell.
        types: atom types, n strings; the names that force fields refer to.
        numbers: atomic numbers, shape=(n,); 0 where the particle is no element.
        cell: rows are lattice vectors, shape=(3, 3) [Å]; zero rows where there is none.
        pbc: which lattice vectors are periodic, shape=(3,).
        masses: shape=(n,) [amu].
        bonds: pairs of 0-based atom indices, shape=(m, 2); empty where the file has none.
        fixed: coordinates that constraints freeze, shape=(n, 3).
        atom_names, residue_names, residue_numbers, chain_names: n entries each, or empty where the file has none.
        path: where it was read from; "" where it was made in memory.
        sha256: hash of the file's bytes; "" where it was made in memory.
        reader: which library read it.
        notes: remarks of the reader that a person should see.
    """

    positions: Array
    types: tuple[str, ...]
    numbers: Array
    cell: Array
    pbc: Array
    masses: Array
    bonds: Array = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))
    fixed: Array
    name: str = "structure"
    atom_names: tuple[str, ...] = ()
    residue_names: tuple[str, ...] = ()
    residue_numbers: tuple[int, ...] = ()
    chain_names: tuple[str, ...] = ()
    path: str = ""
    sha256: str = ""
    reader: str = ""
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of atoms."""
        return len(self.positions)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Chemical symbols, `X` where the particle is no element."""
        from ase.data import chemical_symbols

        return tuple(chemical_symbols[number] for number in self.numbers)

    @property
    def formula(self) -> str:
        """Chemical formula, alphabetical after Hill; atom types where there are no elements."""
        names = self.symbols if np.all(self.numbers > 0) else self.types
        kinds = sorted(set(names))
        if "C" in kinds:
            kinds.sort(key=lambda kind: (kind != "C", kind != "H", kind))
        counts = [(kind, names.count(kind)) for kind in kinds]
        return "".join(kind + (str(count) if count > 1 else "") for kind, count in counts)

    @classmethod
    def from_ase(cls, atoms: ase.Atoms, *, name: str = "structure") -> Structure:
        """A validated structure from ASE atoms (see `md_sensitivity.structures.ase`)."""
        from md_sensitivity.structures.ase import structure_from_atoms
        from md_sensitivity.structures.validate import validated

        return validated(structure_from_atoms(atoms, name=name))

    @classmethod
    def from_mdtraj(cls, trajectory: mdtraj.Trajectory, *, frame: int = -1, name: str = "structure") -> Structure:
        """A validated structure from one frame of an MDTraj trajectory (see `md_sensitivity.structures.mdtraj`)."""
        from md_sensitivity.structures.mdtraj import structure_from_trajectory
        from md_sensitivity.structures.validate import validated

        return validated(structure_from_trajectory(trajectory, frame=frame, name=name))
