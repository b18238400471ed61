"""The minima of the references of potentials that come in files of LAMMPS: one defect or crystal of low symmetry for each family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from cases import DIAMOND, FCC, Relaxed, crystal, repeated
from cases_files import BCC, SHEAR, TANTALUM, TUNGSTEN_BERYLLIUM, funcfl, setfl, snap, table
from lammps_engine import System
from lammps_tables import TableModel, pair_columns, triplet_columns

Columns = tuple[tuple[str, ...], ...]


def perfect(fractions: np.ndarray, counts: tuple[int, int, int], a: float, kind: str) -> System:
    return crystal(repeated(fractions, counts), a * np.diag(counts), kind, 0.0, 0)


def without(system: System, *gone: int, size: float = 0.05, seed: int = 0) -> System:
    """A crystal without some of its atoms, rattled."""
    kept = [index for index in range(len(system.types)) if index not in gone]
    positions = system.positions[kept]
    positions = positions + np.random.default_rng(seed).uniform(-size, size, positions.shape)
    return replace(system, positions=positions, types=tuple(system.types[index] for index in kept))


def with_extra(system: System, fraction: tuple[float, float, float], kind: str, seed: int) -> System:
    """A rattled crystal with one atom more."""
    full = without(system, size=0.05, seed=seed)
    place = np.array(fraction) @ system.cell
    return replace(full, positions=np.vstack([full.positions, place]), types=(*full.types, kind))


def sheared(types: str, a: float) -> System:
    """Sixteen sites of diamond or zinc blende in a cell without symmetry."""
    return crystal(repeated(DIAMOND, (2, 1, 1)), a * np.diag([2.0, 1.0, 1.0]) @ SHEAR, types, 0.0, 0)


CARBIDE = "Si Si Si Si C C C C"


def alone(model: TableModel, leave: str = "") -> Columns:
    """Every number of a file of one element but some."""
    return tuple((name,) for name in model.names() if name.split(".")[-1] not in leave.split())


def tersoff_columns(model: TableModel) -> Columns:
    """See `pair_columns`; lambda3 and entries of zero are left out where they are zero."""
    bonds = {types: row for types, row in model.parameters.items() if len(set(types.split("-")[1:])) == 1}
    angles = {types: row for types, row in model.parameters.items() if types not in bonds}
    own = tuple(
        (f"tersoff.{types}.{name}",)
        for types, row in bonds.items()
        for name in ("gamma", "lambda3", "c", "d", "costheta0", "n", "beta", "lambda2", "B")
        if row[name] != 0.0
    )
    turned = tuple((f"tersoff.{types}.{name}",) for types in angles for name in ("gamma", "c", "d", "costheta0", "R", "D"))
    return own + pair_columns(model, ("A", "lambda1", "R", "D")) + turned


def vashishta_columns(model: TableModel) -> Columns:
    """Numbers of the pair from both its entries, those of angles from their own; zeros are left out."""
    pairs = pair_columns(model, ("H", "eta", "Zi", "Zj", "lambda1", "D", "lambda4", "W", "rc"), {"Zi": "Zj", "Zj": "Zi"})
    angles = tuple(
        (f"vashishta.{types}.{name}",) for types in ("Si-C-C", "C-Si-Si") for name in ("B", "gamma", "r0", "C", "costheta0")
    )
    return tuple(names for names in pairs if model.value(names[0]) != 0.0) + angles


def edip_columns(model: TableModel) -> Columns:
    """An angle between unlike neighbors reads either of its two entries, as the atom order says."""
    bonds = tuple((name,) for name in model.names() if len(set(name.split(".")[1].split("-")[1:])) == 1)
    mixed = replace(model, parameters={types: row for types, row in model.parameters.items() if len(set(types.split("-")[1:])) == 2})
    return bonds + triplet_columns(mixed, ("lambda", "eta", "mu", "Q0", "u1", "u2", "u3", "u4"), symmetric=True)


def relaxed_tables() -> list[Relaxed]:
    silicon, carbide = table("tersoff", "Si", "Si"), table("tersoff", "SiC", "Si C")
    mod, vashishta = table("tersoff_mod", "Si", "Si"), table("vashishta", "SiC", "Si C")
    edip, edip_carbide = table("edip", "Si", "Si"), table("edip", "SiC", "Si C")
    crystal_64 = perfect(DIAMOND, (2, 2, 2), 5.432, "Si")
    zinc_blende = sheared(CARBIDE, 4.36)
    antisite = replace(zinc_blende, types=("C", *zinc_blende.types[1:]))
    return [
        Relaxed(
            name="tersoff_silicon_vacancy", system=without(crystal_64, 0), model=silicon, perfect=crystal_64, hessian_step=7e-4,
            decimals=4, about="vacancy in 64-site silicon, Si.tersoff",
        ),
        Relaxed(
            name="tersoff_silicon_interstitial", system=with_extra(sheared("Si", 5.43), (0.3, 0.45, 0.55), "Si", 3), model=silicon,
            hessian_step=5e-4, relative=1e-4, decimals=4, about="17 atoms in 16-site sheared silicon, Si.tersoff; bonds in the taper",
        ),
        Relaxed(
            name="tersoff_silicon_carbide", system=without(antisite, 9, seed=1), model=carbide, columns=tersoff_columns(carbide),
            hessian_step=1e-4, relative=2e-5, decimals=4, about="antisite and vacancy in 16-site sheared silicon carbide, SiC.tersoff",
        ),
        Relaxed(
            name="tersoff_mod_silicon", system=without(sheared("Si", 5.43), 3), model=mod, columns=alone(mod, "beta beta_ters"),
            hessian_step=5e-4, relative=2e-4, decimals=4, about="vacancy in 16-site sheared silicon, Si.tersoff.mod",
        ),
        Relaxed(
            name="vashishta_silicon_carbide", system=without(zinc_blende, 9), model=vashishta, columns=vashishta_columns(vashishta),
            hessian_step=3e-4, relative=1e-4, decimals=4, about="vacancy in 16-site sheared silicon carbide, SiC.vashishta; cell below the cutoff",
        ),
        Relaxed(
            name="edip_silicon", system=with_extra(sheared("Si", 5.43), (0.25, 0.5, 0.5), "Si", 1), model=edip, columns=alone(edip),
            hessian_step=1e-4, relative=1e-4, decimals=4, about="17 atoms in 16-site sheared silicon, Si.edip (edip/multi)",
        ),
        Relaxed(
            name="edip_silicon_carbide", system=without(zinc_blende, 2), model=edip_carbide, columns=edip_columns(edip_carbide),
            hessian_step=4e-5, relative=3e-5, decimals=4, about="vacancy in 16-site sheared silicon carbide, SiC.edip (edip/multi)",
        ),
    ]  # fmt: skip


def relaxed_files() -> list[Relaxed]:
    return relaxed_tables()
