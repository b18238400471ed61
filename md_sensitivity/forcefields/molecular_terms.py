"""Terms that readers of molecular force fields share: forms, labels and how rows are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from md_sensitivity.forcefields.line_rows import LineRows
from md_sensitivity.forcefields.topology import Pairs, Tuples
from md_sensitivity.potentials.base import Form, PairForm
from md_sensitivity.potentials.cmap import CMAP
from md_sensitivity.potentials.coulomb import COULOMB_DIRECT
from md_sensitivity.potentials.fourier_torsion import FOURIER_TORSION
from md_sensitivity.potentials.harmonic_angle import HARMONIC_ANGLE
from md_sensitivity.potentials.harmonic_bond import HARMONIC_BOND, UREY_BRADLEY
from md_sensitivity.potentials.morse_bond import MORSE_BOND
from md_sensitivity.potentials.torsions import HARMONIC_TORSION, PERIODIC_TORSION, RYCKAERT_BELLEMANS
from md_sensitivity.units import UnitSystem

BONDED: dict[str, Form] = {
    "HarmonicBond": HARMONIC_BOND,
    "MorseBond": MORSE_BOND,
    "HarmonicAngle": HARMONIC_ANGLE,
    "UreyBradley": UREY_BRADLEY,
    "PeriodicTorsion": PERIODIC_TORSION,
    "PeriodicImproper": PERIODIC_TORSION,
    "RBTorsion": RYCKAERT_BELLEMANS,
    "FourierTorsion": FOURIER_TORSION,
    "HarmonicImproper": HARMONIC_TORSION,
    "CMAP": CMAP,
}
"""Label → form."""
LENNARD_JONES, LENNARD_JONES_14, COULOMB = "LennardJones", "LennardJones14", "Coulomb"


@dataclass
class Interactions:
    """Bonded interactions as they are read: label → atoms, and row, of each."""

    lists: dict[str, tuple[list[Sequence[int]], list[int]]] = field(default_factory=dict)

    def add(self, label: str, atoms: Sequence[int], row: int) -> None:
        """One more interaction."""
        found = self.lists.setdefault(label, ([], []))
        found[0].append(atoms)
        found[1].append(row)

    @property
    def tuples(self) -> dict[str, Tuples]:
        """All of them as arrays."""
        return {label: tuples_of(atoms, rows, len(atoms[0])) for label, (atoms, rows) in self.lists.items()}


def bonded_rows(
    label: str,
    units: UnitSystem,
    source: str,
    *,
    factor: float,
    map_size: int | None = None,
    form: Form | None = None,
    mirrored: bool = True,
) -> LineRows:
    """Rows in the making of a bonded term.

    Args:
        factor: of k in harmonic terms.
        map_size: points of maps along each angle.
        form: where it is not that of `BONDED`.
        mirrored: as of `LineRows`.
    """
    form = form or BONDED[label]
    known = {"factor": factor} | ({} if map_size is None else {"size": float(map_size)})
    return LineRows(
        form=form,
        label=label,
        units=units,
        source=source,
        options={option.name: known[option.name] for option in form.options if option.name in known},
        numbered=form is PERIODIC_TORSION,
        mirrored=mirrored,
    )


def coulomb_rows(units: UnitSystem, source: str) -> LineRows:
    """Rows in the making of Coulomb's law between all atoms."""
    return LineRows(form=COULOMB_DIRECT, label=COULOMB, units=units, source=source)


def lennard_jones_rows(form: PairForm, mixing: str, units: UnitSystem, source: str, *, listed_only: bool = False) -> LineRows:
    """Rows in the making of Lennard-Jones between all atoms, or, with `listed_only`, between those three bonds apart."""
    label = LENNARD_JONES_14 if listed_only else LENNARD_JONES
    return LineRows(form=form, label=label, units=units, source=source, settings={"mixing": mixing, "listed_only": listed_only})


def tuples_of(atoms: Sequence[Sequence[int]] | np.ndarray, rows: Sequence[int] | np.ndarray, order: int) -> Tuples:
    """Interactions as arrays."""
    return Tuples(np.asarray(atoms, dtype=np.int64).reshape(-1, order), np.asarray(rows, dtype=np.int64))


def pairs_of(atoms: np.ndarray, rows: np.ndarray) -> Pairs:
    """Pairs that are no neighbors as arrays, the lower atom first, in order."""
    atoms = np.sort(np.asarray(atoms, dtype=np.int64).reshape(-1, 2), axis=1)
    order = np.lexsort((atoms[:, 1], atoms[:, 0]))
    return Pairs(atoms[order], np.asarray(rows, dtype=np.int64)[order])
