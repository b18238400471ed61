"""Crystals of the materials whose potentials are measured, with the potential files of the worked cases."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.systems import RATTLE, Crystal

INPUTS = Path(__file__).resolve().parents[2] / "inputs"
_FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
_BCC = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])
_DIAMOND = np.concatenate([_FCC, _FCC + 0.25])


@dataclass(frozen=True, kw_only=True)
class Material:
    """A rattled crystal of about 4000 atoms and a potential that LAMMPS has, too.

    Attributes:
        force_field: of ours, under inputs/.
        pair: LAMMPS's commands; `{}` stands for the folder of the potential file.
        reach: range of the potential [Å].
        limit: ours / LAMMPS at most.
    """

    name: str
    symbol: str
    basis: np.ndarray
    constant: float
    cells: int
    force_field: Path
    pair: tuple[str, ...]
    reach: float
    limit: float

    def crystal(self) -> Crystal:
        """The same each time."""
        corners = np.array(list(np.ndindex(self.cells, self.cells, self.cells)))
        sites = (corners[:, None, :] + self.basis[None]).reshape(-1, 3) * self.constant
        none = np.zeros(0)
        return Crystal(
            positions=sites + RATTLE * np.random.default_rng(7).standard_normal(sites.shape),
            edge=self.cells * self.constant,
            kinds=np.zeros(len(sites), dtype=int),
            species=(self.symbol,),
            pairs=(),
            sigma=none,
            epsilon=none,
        )

    def commands(self) -> tuple[str, ...]:
        """LAMMPS's commands, with the folder filled in."""
        return tuple(line.format(self.force_field.parent) for line in self.pair)


MATERIALS = (
    Material(
        name="stillinger_weber", symbol="Si", basis=_DIAMOND, constant=5.431, cells=8, limit=3.0, reach=3.77118,
        force_field=INPUTS / "silicon_interstitial" / "Si.sw", pair=("pair_style sw", "pair_coeff * * {}/Si.sw Si"),
    ),
    Material(
        name="tersoff", symbol="Si", basis=_DIAMOND, constant=5.432, cells=8, limit=3.0, reach=3.0,
        force_field=INPUTS / "silicon_vacancy" / "Si.tersoff", pair=("pair_style tersoff", "pair_coeff * * {}/Si.tersoff Si"),
    ),
    Material(
        name="eam", symbol="Cu", basis=_FCC, constant=3.615, cells=10, limit=3.0, reach=4.95,
        force_field=INPUTS / "copper_vacancy" / "Cu_u3.eam", pair=("pair_style eam", "pair_coeff * * {}/Cu_u3.eam"),
    ),
    Material(
        name="snap", symbol="Ta", basis=_BCC, constant=3.316, cells=13, limit=5.0, reach=4.67637,
        force_field=INPUTS / "tantalum_vacancy" / "Ta06A.snapcoeff",
        pair=("pair_style snap", "pair_coeff * * {0}/Ta06A.snapcoeff {0}/Ta06A.snapparam Ta"),
    ),
)  # fmt: skip
