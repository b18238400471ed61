"""The minima of the references of potentials that come in files of LAMMPS: one defect or crystal of low symmetry for each family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from cases import DIAMOND, FCC, Relaxed, crystal, repeated
from cases_files import BCC, SHEAR, TANTALUM, TUNGSTEN_BERYLLIUM, funcfl, setfl, snap, table
from lammps_eam import EamModel
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
            hessian_step=3e-4, relative=1e-4, decimals=4, about="vacancy in 16-site sheared silicon carbide, SiC.vashishta",
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


def relaxed_embedded() -> list[Relaxed]:
    """Steps are small: second derivatives of LAMMPS's splines jump at every knot."""
    copper = perfect(FCC, (2, 2, 2), 3.615, "Cu")
    aluminum = perfect(FCC, (2, 2, 2), 4.05, "Al")
    alloy = crystal(repeated(FCC, (2, 1, 1)), 3.58 * np.diag([2.0, 1.0, 1.0]) @ SHEAR, "Cu Ni Ni Cu Cu", 0.0, 0)
    mixed = setfl("CuNi.eam.alloy")
    return [
        Relaxed(
            name="eam_funcfl_copper_vacancy", system=without(copper, 0), model=funcfl("Cu"), perfect=copper, decimals=4,
            hessian_step=2e-6, relative=1e-4, about="vacancy in 32-site copper, Cu_u3.eam",
        ),
        Relaxed(
            name="eam_alloy_copper_nickel", system=without(alloy, 0), model=mixed, columns=scales(mixed) + KNOTS, decimals=4,
            hessian_step=2e-6, relative=1e-5, about="vacancy in 8-site sheared copper-nickel, CuNi.eam.alloy; cell below the cutoff",
        ),
        Relaxed(
            name="eam_alloy_copper_vacancy", system=without(copper, 0), model=setfl("Cu_mishin1.eam.alloy"), perfect=copper, decimals=4,
            hessian_step=2e-6, relative=5e-4, about="vacancy in 32-site copper, Cu_mishin1.eam.alloy",
        ),
        Relaxed(
            name="eam_fs_aluminum_vacancy", system=without(aluminum, 0), model=setfl("Al_mm.eam.fs"), perfect=aluminum, decimals=4,
            hessian_step=2e-6, relative=2e-5, about="vacancy in 32-site aluminum, Al_mm.eam.fs",
        ),
    ]  # fmt: skip


def scales(model: EamModel) -> Columns:
    return tuple((name,) for name in model.names())


KNOTS: Columns = (
    ("eam.Cu.embedding.knot165",), ("eam.Ni.embedding.knot157",), ("eam.Cu.density.knot185",), ("eam.Ni.density.knot183",),
    ("eam.Cu-Cu.pair.knot183",), ("eam.Ni-Cu.pair.knot193",), ("eam.Ni-Ni.pair.knot182",),
)  # fmt: skip
"""Knots next to the densities and distances of the minimum of eam_alloy_copper_nickel."""


def relaxed_snaps() -> list[Relaxed]:
    """A handful of coefficients: the first, the last and some between, and what the density of neighbors is made with."""
    tantalum = perfect(BCC, (2, 2, 2), 3.316, "Ta")
    alloy = crystal(repeated(BCC, (2, 1, 1)), 3.25 * np.diag([2.0, 1.0, 1.0]) @ SHEAR, "W W Be W", 0.04, 1)
    copper = crystal(repeated(FCC, (2, 1, 1)), 3.6 * np.diag([2.0, 1.0, 1.0]) @ SHEAR, "Cu", 0.0, 0)
    return [
        Relaxed(
            name="snap_zbl_tantalum_vacancy", system=without(tantalum, 0), model=TANTALUM, perfect=tantalum, decimals=4,
            columns=(*betas("Ta", 0, 1, 2, 7, 19, 30), ("zbl.Ta.Z",)), hessian_step=5e-4,
            about="vacancy in 16-site tantalum, Ta06A with ZBL; cell below the cutoff",
        ),
        Relaxed(
            name="snap_zbl_tungsten_beryllium", system=alloy, model=TUNGSTEN_BERYLLIUM, decimals=4, relative=1e-5,
            columns=(*betas("W", 0, 1, 5, 20, 55), *betas("Be", 1, 3, 40), ("snap.W.radius",), ("snap.Be.weight",), ("zbl.Be.Z",)),
            hessian_step=3e-5, about="4 atoms in a sheared cell, WBe with ZBL",
        ),
        Relaxed(
            name="snap_quadratic_copper", system=without(copper, 0), model=snap("Cu_Zuo_JPCA2020.quadratic"), decimals=4, relative=1e-4,
            columns=betas("Cu", 0, 1, 4, 17, 30, 31, 32, 77, 250, 495), hessian_step=2e-4,
            about="vacancy in 8-site sheared copper, quadratic SNAP",
        ),
    ]  # fmt: skip


def betas(kind: str, *numbers: int) -> Columns:
    return tuple((f"snap.{kind}.beta{number}",) for number in numbers)


def relaxed_files() -> list[Relaxed]:
    return [*relaxed_tables(), *relaxed_embedded(), *relaxed_snaps()]
