"""The systems of the references of potentials that come in files of LAMMPS: tables of triplets, tabulated EAM and SNAP."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from cases import DIAMOND, PRIMITIVE, Static, crystal, noble, repeated
from lammps_eam import EamModel, read_funcfl, read_setfl
from lammps_engine import Array, Overlay, System
from lammps_pairs import PairModel
from lammps_snap import SnapModel, read_snap
from lammps_tables import TableModel, read_table

POTENTIALS = Path(__file__).resolve().parent / "potentials"
SUFFIXES = {"tersoff": "tersoff", "tersoff_mod": "tersoff.mod", "vashishta": "vashishta", "edip": "edip"}


def named(file: str) -> str:
    """A file of LAMMPS as the TOML of a case names it."""
    return f"../../potentials/{file}"


def table(style: str, stem: str, species: str) -> TableModel:
    file = f"{stem}.{SUFFIXES[style]}"
    return read_table(style, POTENTIALS / file, named(file), tuple(species.split()))


def funcfl(*kinds: str) -> EamModel:
    """Foiles, Baskes and Daw 1986, doi:10.1103/PhysRevB.33.7983."""
    files = [f"{kind}_u3.eam" for kind in kinds]
    parts = [read_funcfl(POTENTIALS / file, named(file), kind) for file, kind in zip(files, kinds, strict=True)]
    return EamModel(kind="funcfl", parts=tuple(parts))


def setfl(file: str) -> EamModel:
    fs = file.endswith(".fs")
    return EamModel(kind="fs" if fs else "setfl", parts=(read_setfl(POTENTIALS / file, named(file), fs),))


def snap(stem: str) -> SnapModel:
    return read_snap(POTENTIALS / f"{stem}.snapcoeff", named(f"{stem}.snapcoeff"))


def with_nuclei(model: SnapModel, charges: dict[str, float]) -> Overlay:
    """The repulsion of nuclei that goes with the SNAP of tantalum, tungsten and beryllium."""
    parameters = {kind: {"Z": charge} for kind, charge in charges.items()}
    return Overlay(parts=(model, PairModel(style="zbl", parameters=parameters, options={"inner": 4.0, "outer": 4.8})))


TANTALUM = with_nuclei(snap("Ta06A"), {"Ta": 73.0})
TUNGSTEN_BERYLLIUM = with_nuclei(snap("WBe_Wood_PRB2019"), {"W": 74.0, "Be": 4.0})

SHEAR = np.array([[1.02, 0, 0], [0.21, 0.97, 0], [-0.12, 0.17, 0.99]])
BCC = np.array([[0, 0, 0], [0.5, 0.5, 0.5]])


def covalent(types: str, a: float, size: float = 0.2) -> dict[str, System]:
    """Diamond and zinc blende, rattled so far that neighbors lie in tapers; `two_atoms` is far below any cutoff."""
    primitive = a / 2**0.5 * PRIMITIVE @ np.array([[1, 0, 0], [0.04, 1.03, 0], [-0.03, 0.05, 0.98]])
    upright = a * np.array([[1.02, 0, 0], [0.15, 0.97, 0], [0, 0, 1.0]])
    return {
        "wide": crystal(repeated(DIAMOND, (2, 1, 1)), a * np.diag([2.02, 0.99, 1.03]), types, size, 31),
        "triclinic": crystal(DIAMOND, a * SHEAR, types, size, 32),
        "two_atoms": crystal(DIAMOND[[0, 4]] @ np.linalg.inv(PRIMITIVE / 2**0.5), primitive, types, 0.12, 33),
        "slab": crystal(DIAMOND, upright, types, size, 34, pbc=(True, True, False)),
        "cluster": crystal(DIAMOND, a * np.eye(3), types, size, 35, pbc=(False,) * 3),
    }


def tables() -> list[Static]:
    silicon = covalent("Si", 5.43)
    carbide = covalent("Si Si Si Si C C C C", 4.45)
    carbide["two_atoms"] = replace(carbide["two_atoms"], types=("Si", "C"))
    choices = [
        ("tersoff_silicon", table("tersoff", "Si", "Si"), silicon, "wide two_atoms slab cluster"),
        ("tersoff_silicon_carbide", table("tersoff", "SiC", "Si C"), carbide, "wide triclinic two_atoms cluster"),
        ("tersoff_boron_nitride_carbon", table("tersoff", "BNC", "B N C"), covalent("B N C N B C", 3.6), "triclinic slab"),
        ("tersoff_silicon_germanium", table("tersoff", "SiCGe", "Si(D) Ge"), _silicon_germanium(), "triclinic two_atoms"),
        ("tersoff_mod_silicon", table("tersoff_mod", "Si", "Si"), silicon, "wide triclinic two_atoms cluster"),
        ("vashishta_silicon_carbide", table("vashishta", "SiC", "Si C"), carbide, "wide triclinic two_atoms slab"),
        ("vashishta_indium_phosphide", table("vashishta", "InP", "In P"), covalent("In In In In P P P P", 5.9), "triclinic cluster"),
        ("edip_silicon", table("edip", "Si", "Si"), silicon, "wide triclinic two_atoms slab"),
        ("edip_silicon_carbide", table("edip", "SiC", "Si C"), carbide, "wide triclinic two_atoms cluster"),
    ]
    return [
        Static(name=f"{name}_{where}", system=systems[where], model=model)
        for name, model, systems, places in choices
        for where in places.split()
    ]


def _silicon_germanium() -> dict[str, System]:
    """Atom types that are no symbols of elements, as the file has them."""
    systems = covalent("Si(D) Ge Ge Si(D) Ge", 5.5, 0.35)
    return {where: replace(system, symbols=tuple(kind[:2] for kind in system.types)) for where, system in systems.items()}


def embedded() -> list[Static]:
    copper, alloy = noble("Cu", a=3.6), noble("Cu Ni Ni", a=3.6)
    aluminum, iron = noble("Al", a=4.05), noble("Al Fe Fe Al Fe", a=3.9)
    squeezed = copper["triclinic"]
    squeezed = replace(squeezed, positions=0.72 * squeezed.positions, cell=0.72 * squeezed.cell)
    choices = [
        ("eam_funcfl_copper", funcfl("Cu"), copper, "orthogonal triclinic two_atoms slab cluster"),
        ("eam_funcfl_copper_nickel", funcfl("Cu", "Ni"), alloy, "triclinic cluster"),
        ("eam_alloy_copper", setfl("Cu_mishin1.eam.alloy"), copper, "triclinic two_atoms cluster"),
        ("eam_alloy_copper_nickel", setfl("CuNi.eam.alloy"), alloy, "orthogonal triclinic two_atoms slab"),
        ("eam_fs_aluminum", setfl("Al_mm.eam.fs"), aluminum, "triclinic cluster"),
        ("eam_fs_aluminum_iron", setfl("AlFe_mm.eam.fs"), iron, "triclinic two_atoms slab"),
        ("eam_funcfl_copper_beyond_table", funcfl("Cu"), {"triclinic": squeezed}, "triclinic"),
    ]
    return [
        Static(name=f"{name}_{where}", system=systems[where], model=model)
        for name, model, systems, places in choices
        for where in places.split()
    ]


def cubic(types: str, a: float, size: float = 0.2) -> dict[str, System]:
    """Body-centered crystals; `one_atom` is far below any cutoff."""
    primitive: Array = a * np.array([[1.0, 0, 0], [0.02, 0.98, 0], [0.47, 0.51, 0.5]])
    return {
        "wide": crystal(repeated(BCC, (2, 2, 1)), a * np.diag([2.02, 1.97, 1.03]), types, size, 41),
        "triclinic": crystal(repeated(BCC, (2, 1, 1)), a * np.diag([2.0, 1.0, 1.0]) @ SHEAR, types, size, 42),
        "one_atom": crystal(BCC[:1], primitive, types, 0.0, 43),
        "slab": crystal(repeated(BCC, (1, 1, 2)), a * np.diag([1.03, 0.98, 2.0]), types, size, 44, pbc=(True, True, False)),
        "cluster": crystal(repeated(BCC, (2, 1, 2)), a * np.diag([2.0, 1.0, 2.0]), types, size, 45, pbc=(False,) * 3),
    }


def snaps() -> list[Static]:
    tantalum, tungsten = cubic("Ta", 3.3), cubic("W Be Be W W", 3.1)
    choices = [
        ("snap_tantalum", TANTALUM.parts[0], tantalum, "triclinic one_atom"),
        ("snap_zbl_tantalum", TANTALUM, tantalum, "wide triclinic slab cluster"),
        ("snap_zbl_tungsten_beryllium", TUNGSTEN_BERYLLIUM, tungsten, "triclinic cluster"),
        ("snap_tungsten_beryllium", TUNGSTEN_BERYLLIUM.parts[0], tungsten, "wide"),
        ("snap_quadratic_copper", snap("Cu_Zuo_JPCA2020.quadratic"), noble("Cu", a=3.6), "triclinic two_atoms cluster"),
    ]
    return [
        Static(name=f"{name}_{where}", system=systems[where], model=model)
        for name, model, systems, places in choices
        for where in places.split()
    ]


def static_files() -> list[Static]:
    return [*tables(), *embedded(), *snaps()]
