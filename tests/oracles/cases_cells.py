"""The crystals whose cells relax: cubic ones with closed forms, low symmetry, tension and pressure, a slab and a plane. Cells are lower
triangular, so that LAMMPS's axes are those of the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from cases import (
    ARGON,
    ARGON_KRYPTON,
    DIAMOND,
    FCC,
    MORSE_PAIRS,
    PRIMITIVE,
    SW_GALLIUM_NITRIDE,
    SW_SILICON,
    crystal,
    repeated,
)
from cases_files import BCC, TANTALUM, funcfl, setfl, table
from cases_files_relaxed import alone, betas, perfect, scales, tersoff_columns, vashishta_columns, without
from lammps_engine import Model, Overlay, System
from lammps_pairs import PairModel

Columns = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A crystal whose cell relaxes.

    Attributes:
        system: where the search starts, and what is written.
        relax: full or isotropic.
        pressure: [GPa].
        columns: parameters differentiated; names in one tuple move together. The pressure is a column of its own in bulk.
        relative: step of the differences, relative to the value; less where a cutoff is near.
        limit: what a step may strain the cell by; as `relative` where it is None.
        strain: largest strain of the differences that make elastic constants; less where a cutoff is near.
        hessian_step: step of the gradient differences that make the Hessian [length].
        elastic: whether elastic constants are asked for.
        slopes: and their derivatives.
        tries: with how many steps those are tried.
        literature: a, energy and moduli of a cubic crystal in its conventional cell, as they are known.
    """

    name: str
    system: System
    model: Model
    about: str
    relax: str = "full"
    pressure: float = 0.0
    columns: Columns = ()
    relative: float = 4e-3
    limit: float | None = None
    strain: float = 4e-3
    hessian_step: float = 1e-3
    elastic: bool = True
    slopes: bool = True
    tries: int = 3
    literature: dict[str, float] = field(default_factory=dict)

    def all_columns(self) -> Columns:
        return self.columns or tuple((name,) for name in self.model.names())


ZINC_BLENDE = np.array([[0, 0, 0], [0.25, 0.25, 0.25]])
"""In the primitive vectors."""
BODY_CENTERED = np.array([[0.75**0.5, 0, 0], [-(0.75**0.5) / 3, (2 / 3) ** 0.5, 0], [-(0.75**0.5) / 3, -((1 / 6) ** 0.5), 0.5**0.5]])
HCP = np.array([[0, 0, 0], [1 / 3, 1 / 3, 0.5]])
HEXAGONAL = np.array([[1.0, 0, 0], [0.5, 0.75**0.5, 0], [0, 0, (8 / 3) ** 0.5]])

NITRIDE = System(
    positions=np.array([[0, 0, 0], [2.22, 2.52, 1.08], [3.37, 3.57, 2.36], [3.01, 0.24, 4.18], [0.51, 1.85, 1.91], [0.15, 2.43, 4.11]]),
    types=("Ga", "N") * 3,
    cell=np.array([[4.57, 0, 0], [-0.15, 3.9, 0], [1.09, 0.44, 3.93]]),
)
"""Near a minimum that was reached from atoms at random."""
ALLOY = System(
    positions=np.array(
        [
            [0, 0, 0], [3.15, 3.52, -0.53], [4.29, -0.3, 1.99], [1.27, 3.33, 1.51], [-1.17, 2.18, 0.99], [0.6, 2.44, -1.02],
            [2.5, 1.06, 0.48],
        ]
    ),
    types=("Cu", "Ag", "Cu", "Ag", "Cu", "Ag", "Cu"),
    cell=np.array([[6.04, 0, 0], [-0.56, 4.7, 0], [0, -1.59, 3.53]]),
)  # fmt: skip
"""The same."""


def noble_gas(parameters: dict[str, dict[str, float]], cutoff: float, start: float | None) -> PairModel:
    """A C2 switch, or no more than an end where `start` is None."""
    truncation = "none" if start is None else "switch"
    return PairModel(
        style="lennard_jones", parameters=parameters, cutoff=cutoff, truncation=truncation, switch_from=start, mixing="lorentz-berthelot"
    )


def rounded(system: System, decimals: int = 3) -> System:
    """Few digits, so that nothing of a minimum is in a start."""
    return replace(system, positions=np.round(system.positions, decimals), cell=np.round(system.cell, 6))


def one(kind: str, a: float) -> System:
    return rounded(System(positions=np.zeros((1, 3)), types=(kind,), cell=a / 2**0.5 * PRIMITIVE))


def silicon(names: str = "epsilon sigma a lambda gamma costheta0 A B p") -> Columns:
    return tuple((f"stillinger_weber.Si-Si-Si.{name}",) for name in names.split())


def bonds_between(columns: Columns) -> Columns:
    """Those that act in a zinc blende of silicon and carbon: centers with neighbors of the other kind."""
    return tuple(names for names in columns if names[0].split(".")[1] in ("Si-C-C", "C-Si-Si"))


def gases() -> list[Cell]:
    argon, pair = noble_gas(ARGON, 8.5, 7.5), ARGON_KRYPTON
    sigma = ARGON["Ar"]["sigma"]
    plain = noble_gas(ARGON, 2.5 * sigma, None)
    ordered = rounded(System(positions=np.array([[0, 0, 0], [1.95, 1.95, 2.7]]), types=("Ar", "Kr"), cell=np.diag([3.9, 3.9, 5.4])))
    hcp = rounded(crystal(HCP, 3.7 * HEXAGONAL @ np.diag([1, 1, 1.01]), "Ar", 0.03, 1))
    mixed = noble_gas(pair, 9.0, 6.0)
    layers = np.array([[layer / 6 + k / 2, layer / 3, (layer + 1) / 5] for layer in range(3) for k in range(2)])  # ABC, two atoms each
    slab = crystal(layers, np.array([[7.8, 0, 0], [1.85, 3.3, 0], [0, 0, 15.5]]), "Ar Kr Ar Ar Ar Kr", 0.1, 3)
    slab = rounded(replace(slab, pbc=(True, True, False)))
    plane = crystal(repeated(np.zeros((1, 3)), (2, 2, 1)), np.array([[7.7, 0, 0], [3.6, 6.6, 0], [0, 0, 1.0]]), "Ar Kr Ar Ar", 0.1, 4)
    plane = rounded(replace(plane, positions=plane.positions * [1, 1, 0], pbc=(True, True, False), dimension=2))
    return [
        Cell(name="lj_argon_primitive", system=one("Ar", 5.4), model=argon, about="fcc argon, 1 atom, C2 switch (lj/mdf)"),
        Cell(
            name="lj_argon_conventional", system=rounded(crystal(FCC, 5.4 * np.eye(3), "Ar", 0.05, 1)), model=argon,
            about="fcc argon, 4 atoms, C2 switch",
        ),
        Cell(name="lj_argon_pressure", system=one("Ar", 5.2), model=argon, pressure=2.0, about="fcc argon, 1 atom, 2 GPa"),
        Cell(
            name="lj_argon_conventional_pressure", system=rounded(crystal(FCC, 5.2 * np.eye(3), "Ar", 0.05, 1)), model=argon, pressure=2.0,
            about="fcc argon, 4 atoms, 2 GPa",
        ),
        Cell(
            name="lj_argon_plain", system=rounded(crystal(FCC, 5.3 * np.eye(3), "Ar", 0.0, 1)), model=plain,
            about="fcc argon, 4 atoms, plainly cut off at 2.5 sigma between two shells: everything scales with sigma and epsilon",
            literature={"a": 1.5496034241 * sigma, "energy": -8.0996207927 * ARGON["Ar"]["epsilon"] * 4},
        ),
        Cell(name="lj_argon_hcp", system=hcp, model=noble_gas(ARGON, 8.5, 7.3), about="hcp argon, 2 atoms, C2 switch: c/a relaxes"),
        Cell(
            name="lj_argon_krypton_ordered", system=ordered, model=mixed,
            about="ArKr in the order L1_0, 2 atoms, Lorentz-Berthelot, C2 switch: tetragonal, c/a relaxes",
        ),
        Cell(
            name="lj_argon_krypton_isotropic", system=ordered, model=mixed, relax="isotropic",
            about="ArKr in the order L1_0, its volume alone: the stress is no pressure",
        ),
        Cell(
            name="lj_slab", system=slab, model=mixed, elastic=False,
            about="6 atoms in three oblique layers, free along z, which does not strain",
        ),
        Cell(
            name="lj_plane", system=plane, model=noble_gas(pair, 9.0, 7.2), elastic=False, about="4 atoms in a plane (2D), two species",
        ),
    ]  # fmt: skip


def covalent() -> list[Cell]:
    pair = rounded(crystal(ZINC_BLENDE, 5.4 / 2**0.5 * PRIMITIVE, "Si", 0.05, 1))
    eight = rounded(crystal(DIAMOND, 5.4 * np.eye(3), "Si", 0.05, 2))
    vacancy = rounded(without(perfect(DIAMOND, (2, 2, 2), 5.4, "Si"), 0))
    carbide_pair = rounded(crystal(ZINC_BLENDE, 4.3 / 2**0.5 * PRIMITIVE, "Si C", 0.04, 3))
    si, sic = table("tersoff", "Si", "Si"), table("tersoff", "SiC", "Si C")
    vashishta, edip = table("vashishta", "SiC", "Si C"), table("edip", "Si", "Si")
    si_columns = tuple(names for names in alone(si) if si.value(names[0]) != 0.0)
    style = "stillinger_weber"
    nitride_columns = tuple(
        [(f"{style}.Ga-N-N.{name}", f"{style}.N-Ga-Ga.{name}") for name in "epsilon sigma a lambda gamma costheta0 A B p".split()]
        + [(f"{style}.Ga-Ga-Ga.sigma",), (f"{style}.N-N-N.epsilon",), (f"{style}.Ga-N-N.lambda",), (f"{style}.N-Ga-Ga.lambda",)]
    )
    known = {"a": 5.430949778462, "energy": -8 * 2 * 2.1683, "C11": 151.42448, "C12": 76.42209, "C44": 56.44934, "C44 clamped": 109.75648}
    tersoff = {"a": 5.431230748, "energy": -8 * 4.630412163, "C11": 121.70479, "C12": 85.80851, "C44": 10.30983, "C44 clamped": 92.33690}
    cubic = crystal(DIAMOND, 5.4 * np.eye(3), "Si", 0.05, 2)
    return [
        Cell(name="sw_silicon_primitive", system=pair, model=SW_SILICON, columns=silicon(), about="silicon, 2 atoms, Stillinger-Weber"),
        Cell(
            name="sw_silicon", system=eight, model=SW_SILICON, columns=silicon(), literature=known,
            about="silicon, 8 atoms, Stillinger-Weber",
        ),
        Cell(name="sw_silicon_pressure", system=eight, model=SW_SILICON, columns=silicon(), pressure=2.0, about="silicon, 8 atoms, 2 GPa"),
        Cell(name="sw_silicon_tension", system=pair, model=SW_SILICON, columns=silicon(), pressure=-1.0, about="silicon, 2 atoms, -1 GPa"),
        Cell(
            name="sw_silicon_vacancy", system=vacancy, model=SW_SILICON, columns=silicon(), pressure=2.0, elastic=False,
            about="vacancy in 64-site silicon, 2 GPa",
        ),
        Cell(
            name="sw_gallium_nitride_triclinic", system=NITRIDE, model=SW_GALLIUM_NITRIDE, columns=nitride_columns,
            about="6 atoms, two species, triclinic, no symmetry at all, smooth everywhere",
        ),
        Cell(
            name="tersoff_silicon", system=rounded(cubic), model=si, columns=si_columns, about="silicon, 8 atoms, Si.tersoff",
            literature=tersoff,
        ),
        Cell(
            name="tersoff_silicon_carbide", system=carbide_pair, model=sic, columns=bonds_between(tersoff_columns(sic)),
            about="zinc blende, 2 atoms, SiC.tersoff",
        ),
        Cell(
            name="vashishta_silicon_carbide", system=carbide_pair, model=vashishta, columns=bonds_between(vashishta_columns(vashishta)),
            about="zinc blende, 2 atoms, SiC.vashishta",
        ),
        Cell(name="edip_silicon", system=pair, model=edip, columns=alone(edip), about="silicon, 2 atoms, Si.edip (edip/multi)"),
    ]  # fmt: skip


def metals() -> list[Cell]:
    copper, foiles = setfl("Cu_mishin1.eam.alloy"), funcfl("Cu")
    vacancy = rounded(without(perfect(FCC, (2, 2, 2), 3.6, "Cu"), 0, size=0.03))
    known = {"a": 3.614925066, "energy": -4 * 3.540218330, "C11": 169.87678, "C12": 122.58485, "C44": 76.20615}
    return [
        Cell(
            name="eam_copper", system=rounded(crystal(FCC, 3.6 * np.eye(3), "Cu", 0.03, 1)), model=copper, columns=scales(copper),
            relative=1e-3, limit=2e-6, strain=1.4e-6, hessian_step=4e-6, slopes=False, literature=known,
            about="copper, 4 atoms, Cu_mishin1.eam.alloy; a knot lies within 3.5e-6 of a distance: no third derivatives",
        ),
        *(
            Cell(
                name=name, system=rounded(crystal(FCC, 3.6 * np.eye(3), "Cu", 0.03, 1)), model=foiles, columns=scales(foiles),
                pressure=pressure, relative=1e-3, limit=near, strain=near, hessian_step=1e-4,
                about=f"copper, 4 atoms, Cu_u3.eam, {pressure} GPa; the nearest knot is {2.5 * near:.1e} of a distance away",
            )
            for name, pressure, near in (("eam_funcfl_copper", 0.0, 9e-5), ("eam_funcfl_copper_pressure", 3.5, 1.9e-4))
        ),
        Cell(
            name="eam_copper_vacancy", system=vacancy, model=copper, columns=scales(copper), elastic=False, relative=5e-4,
            hessian_step=2e-6, about="vacancy in 32-site copper, Cu_mishin1.eam.alloy",
        ),
        Cell(
            name="snap_tantalum", system=rounded(crystal(BCC[:1], 3.3 * BODY_CENTERED, "Ta", 0.0, 1)),
            model=TANTALUM, columns=(*betas("Ta", 0, 1, 7, 30), ("zbl.Ta.Z",)), about="bcc tantalum, 1 atom, Ta06A with ZBL",
        ),
        Cell(
            name="morse_triclinic", system=ALLOY, tries=1,
            model=PairModel(style="morse", parameters=MORSE_PAIRS, cutoff=7.0, truncation="switch", switch_from=5.0),
            about="7 atoms, two species, oblique, cell smaller than the cutoff, C2 switch",
        ),
    ]  # fmt: skip


def quartz() -> list[Cell]:
    """The forms of van Beest, Kramer and van Santen 1990, doi:10.1103/PhysRevLett.64.1955, with damped charges."""
    pairs = {
        "Si-Si": {"A": 0.0, "rho": 1.0, "C": 0.0},
        "Si-O": {"A": 18003.7572, "rho": 0.20520481, "C": 133.5381},
        "O-O": {"A": 1388.7730, "rho": 0.36231884, "C": 175.0},
    }
    charges = {"Si": {"q": 2.4}, "O": {"q": -1.2}}
    u, x, y, z = 0.465, 0.415, 0.272, 0.120
    fractions = [[u, 0, 0], [0, u, 2 / 3], [-u, -u, 1 / 3]]
    fractions += [[x, y, z], [-y, x - y, z + 2 / 3], [y - x, -x, z + 1 / 3], [y, x, -z], [x - y, -y, 1 / 3 - z], [-x, y - x, 2 / 3 - z]]
    cell = np.array([[4.9, 0, 0], [-2.45, 4.9 * 0.75**0.5, 0], [0, 0, 5.4]])
    system = rounded(crystal(np.array(fractions), cell, "Si", 0.02, 7))
    model = Overlay(
        parts=(
            PairModel(style="buckingham", parameters=pairs, cutoff=7.274, truncation="switch", switch_from=5.277),
            PairModel(style="coulomb_dsf", parameters=charges, cutoff=8.4, options={"alpha": 0.2}),
        )
    )
    columns = tuple((name,) for name in model.names() if "Si-Si" not in name)
    return [
        Cell(
            name="quartz", tries=1, system=replace(system, types=("Si",) * 3 + ("O",) * 6), model=model, columns=columns,
            about="alpha-quartz, 9 atoms, trigonal, Buckingham with a C2 switch and DSF charges",
        )
    ]  # fmt: skip


def cell_cases() -> list[Cell]:
    return [*gases(), *covalent(), *metals(), *quartz()]


