"""The systems of the LAMMPS references: small, low in symmetry, and chosen to be awkward (cells smaller than the cutoff, skewed cells,
slabs, wires, several species). Cells are lower triangular, as LAMMPS wants them, so no reference needs turning.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from lammps_engine import Array, Model, Overlay, System
from lammps_pairs import PairModel
from lammps_tables import TableModel

SILICON = {
    "epsilon": 2.1683, "sigma": 2.0951, "a": 1.80, "lambda": 21.0, "gamma": 1.20, "costheta0": -0.333333333333,
    "A": 7.049556277, "B": 0.6022245584, "p": 4.0, "q": 0.0, "tol": 0.0,
}  # fmt: skip
"""Stillinger and Weber 1985, doi:10.1103/PhysRevB.31.5262, in the numbers of LAMMPS's Si.sw."""

SW_SILICON = TableModel(style="stillinger_weber", parameters={"Si-Si-Si": SILICON}, file="Si.sw")


def _gallium_nitride() -> TableModel:
    """Bere and Serra 2006, doi:10.1080/14786430600640486, in the numbers of LAMMPS's GaN.sw, but every entry of its own: the
    three-body entries that LAMMPS never asks for a radial number are zero there as well."""
    shared = {"gamma": 1.2, "costheta0": -0.333333333333, "A": 7.917, "B": 0.72, "p": 4.0, "q": 0.0, "tol": 0.0}

    def full(epsilon: float, sigma: float, a: float) -> dict[str, float]:
        return {"epsilon": epsilon, "sigma": sigma, "a": a, "lambda": 32.5} | shared

    angle = {name: 0.0 for name in SILICON} | {"epsilon": 1.6136914, "lambda": 32.5, "costheta0": -0.333333333333}
    return TableModel(
        style="stillinger_weber",
        file="GaN.sw",
        parameters={
            "Ga-Ga-Ga": full(1.2, 2.1, 1.6), "N-N-N": full(1.2, 1.3, 1.8), "Ga-Ga-N": angle, "Ga-N-N": full(2.17, 1.695, 1.8),
            "N-Ga-Ga": full(2.17, 1.695, 1.8), "N-Ga-N": angle, "N-N-Ga": angle, "Ga-N-Ga": angle,
        },
    )  # fmt: skip


SW_GALLIUM_NITRIDE = _gallium_nitride()

ARGON = {"Ar": {"sigma": 3.405, "epsilon": 0.01032}}
ARGON_KRYPTON = {"Ar": {"sigma": 3.405, "epsilon": 0.01032}, "Kr": {"sigma": 3.65, "epsilon": 0.0142}}
ARGON_KRYPTON_PAIRS = {
    "Ar-Ar": {"sigma": 3.405, "epsilon": 0.01032},
    "Ar-Kr": {"sigma": 3.48, "epsilon": 0.0131},
    "Kr-Kr": {"sigma": 3.65, "epsilon": 0.0142},
}
MORSE_PAIRS = {
    "Cu-Cu": {"D": 0.3429, "alpha": 1.3588, "r0": 2.866},
    "Cu-Ag": {"D": 0.3376, "alpha": 1.3634, "r0": 2.991},
    "Ag-Ag": {"D": 0.3323, "alpha": 1.3690, "r0": 3.115},
}
"""Girifalco and Weizer 1959, doi:10.1103/PhysRev.114.687 (Cu, Ag); the mixed pair is their mean."""
BUCKINGHAM_PAIRS = {
    "Mg-Mg": {"A": 2150.0, "rho": 0.230, "C": 4.0},
    "Mg-O": {"A": 929.69, "rho": 0.29909, "C": 9.0},
    "O-O": {"A": 4870.0, "rho": 0.2670, "C": 77.0},
}
"""Oxide-like numbers without charges; only the functional form matters."""
DISCS = {"A": {"sigma": 1.0, "epsilon": 1.0}, "B": {"sigma": 0.6, "epsilon": 1.0}}
UNEQUAL_DISCS = {"A": {"sigma": 1.0, "epsilon": 1.3}, "B": {"sigma": 0.6, "epsilon": 0.8}}


def crystal(fractions: Array, cell: Array, types: str, size: float, seed: int, **options: object) -> System:
    """A crystal rattled uniformly by `size`; `types` are separated by blanks and repeated as needed."""
    kinds = types.split()
    positions = np.asarray(fractions) @ cell
    positions = positions + np.random.default_rng(seed).uniform(-size, size, positions.shape)
    named = tuple(kinds[index % len(kinds)] for index in range(len(positions)))
    return System(positions=positions, types=named, cell=np.asarray(cell, dtype=float), **options)  # type: ignore[arg-type]


FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
DIAMOND = np.concatenate([FCC, FCC + 0.25])
UNIT_X = np.array([1.0, 0, 0])
TWO = np.array([[0.02, 0.03, 0.01], [0.53, 0.46, 0.52]])
PRIMITIVE = np.array([[1.0, 0, 0], [0.5, 0.75**0.5, 0], [0.5, 0.75**0.5 / 3, (2 / 3) ** 0.5]])


def repeated(fractions: Array, counts: tuple[int, int, int]) -> Array:
    cells = np.array(list(np.ndindex(*counts)), dtype=float)
    return ((cells[:, None] + fractions[None]) / np.array(counts)).reshape(-1, 3)


def noble(types: str = "Ar", a: float = 5.3) -> dict[str, System]:
    """Rare-gas configurations from wide cells to cells far below the cutoff."""
    skewed = a * np.array([[1.02, 0, 0], [0.31, 0.97, 0], [-0.22, 0.17, 0.99]])
    small = a * 0.72 * np.array([[1.0, 0, 0], [0.45, 0.93, 0], [0.40, 0.29, 1.02]])
    sharp = np.array([[1, 0, 0], [-2, 1, 0], [1, -2, 1]]) @ small
    return {
        "orthogonal": crystal(repeated(FCC, (2, 2, 2)), np.diag([2.02, 1.97, 2.05]) * a, types, 0.25, 1),
        "orthogonal_one_cell": crystal(FCC, np.diag([1.01, 0.98, 1.03]) * a, types, 0.25, 2),
        "triclinic": crystal(FCC, skewed, types, 0.25, 3),
        "two_atoms": crystal(TWO, small, types, 0.10, 4),
        "two_atoms_sharp": _recut(TWO, small, sharp, types, 4),
        "one_atom": crystal(TWO[:1], 0.69 * a * PRIMITIVE @ np.diag([1.0, 1.03, 0.96]), types, 0.0, 5),
        "slab": crystal(FCC, a * np.array([[1.02, 0, 0], [0.21, 0.97, 0], [0, 0, 1.0]]), types, 0.2, 6, pbc=(True, True, False)),
        "wire": crystal(FCC, a * np.diag([1.0, 1.0, 1.0]), types, 0.2, 7, pbc=(True, False, False)),
        "cluster": crystal(np.concatenate([FCC, FCC[:3] + UNIT_X]), a * np.eye(3), types, 0.3, 8, pbc=(False,) * 3),
    }


def _recut(fractions: Array, cell: Array, sharp: Array, types: str, seed: int) -> System:
    """The same crystal described by other, sharply skewed lattice vectors (both lower triangular)."""
    return replace(crystal(fractions, cell, types, 0.10, seed), cell=sharp)


@dataclass(frozen=True, kw_only=True)
class Static:
    """Energy, forces and virial at one configuration."""

    name: str
    system: System
    model: Model


def static_cases() -> list[Static]:
    return [*_lennard_jones(), *_binary(), *_morse_and_buckingham(), *_soft_spheres(), *_stillinger_weber()]


def _lj(truncation: str, **more: object) -> PairModel:
    options = {"cutoff": 8.5, "truncation": truncation, "parameters": ARGON, "mixing": "lorentz-berthelot"} | more
    if truncation == "switch":
        options.setdefault("switch_from", 7.5)
    return PairModel(style="lennard_jones", **options)  # type: ignore[arg-type]


def _lennard_jones() -> list[Static]:
    systems = noble()
    chosen = {"none": "orthogonal", "shift": "orthogonal_one_cell", "force-shift": "triclinic", "switch": "two_atoms"}
    cases = [Static(name=f"lj_{key.replace('-', '_')}_{where}", system=systems[where], model=_lj(key)) for key, where in chosen.items()]
    for where in systems:
        if where != "orthogonal":
            cases.append(Static(name=f"lj_force_shift_{where}", system=systems[where], model=_lj("force-shift")))
    for where in ("one_atom", "slab", "two_atoms_sharp", "triclinic"):
        cases.append(Static(name=f"lj_switch_{where}", system=systems[where], model=_lj("switch")))
    free = PairModel(style="lennard_jones", parameters=ARGON, mixing="lorentz-berthelot")
    cases.append(Static(name="lj_no_cutoff_cluster", system=systems["cluster"], model=free))
    return list({case.name: case for case in cases}.values())


def _binary() -> list[Static]:
    systems = noble("Ar Kr Kr Ar")
    cases = []
    for mixing in ("lorentz-berthelot", "geometric", "arithmetic"):
        for truncation, where in (("shift", "triclinic"), ("force-shift", "slab"), ("switch", "orthogonal_one_cell")):
            model = _lj(truncation, parameters=ARGON_KRYPTON, mixing=mixing)
            name = f"lj_binary_{mixing.replace('-', '_')}_{truncation.replace('-', '_')}_{where}"
            cases.append(Static(name=name, system=systems[where], model=model))
    for truncation, where in (("none", "two_atoms"), ("force-shift", "triclinic")):
        model = _lj(truncation, parameters=ARGON_KRYPTON_PAIRS, mixing=None)
        name = f"lj_binary_pairs_{truncation.replace('-', '_')}_{where}"
        cases.append(Static(name=name, system=replace(systems[where], types=_first_types(systems[where], "Ar Kr")), model=model))
    both = (
        _lj("switch", parameters=ARGON_KRYPTON),
        PairModel(
            style="morse", cutoff=6.0, truncation="shift", mixing=None,
            parameters={pair: {"D": 0.004, "alpha": 1.5, "r0": 3.9 + 0.1 * k} for k, pair in enumerate(("Ar-Ar", "Ar-Kr", "Kr-Kr"))},
        ),
    )  # fmt: skip
    cases.append(Static(name="lj_plus_morse_triclinic", system=systems["triclinic"], model=Overlay(parts=both)))
    return cases


def _first_types(system: System, types: str) -> tuple[str, ...]:
    kinds = types.split()
    return tuple(kinds[index % len(kinds)] for index in range(len(system.types)))


def _morse_and_buckingham() -> list[Static]:
    cases = []
    metals = noble("Cu Ag", a=3.9)
    for truncation, where in (
        ("none", "orthogonal"), ("shift", "two_atoms"), ("force-shift", "triclinic"),
        ("force-shift", "two_atoms_sharp"), ("switch", "slab"),
    ):  # fmt: skip
        start = 5.5 if truncation == "switch" else None
        model = PairModel(style="morse", parameters=MORSE_PAIRS, cutoff=6.5, truncation=truncation, switch_from=start)
        cases.append(Static(name=f"morse_{truncation.replace('-', '_')}_{where}", system=metals[where], model=model))
    oxides = noble("Mg O", a=4.3)
    for truncation, where in (
        ("none", "orthogonal"), ("shift", "two_atoms"), ("force-shift", "triclinic"), ("switch", "triclinic"), ("switch", "one_atom"),
    ):  # fmt: skip
        start = 6.0 if truncation == "switch" else None
        model = PairModel(style="buckingham", parameters=BUCKINGHAM_PAIRS, cutoff=7.0, truncation=truncation, switch_from=start)
        cases.append(Static(name=f"buckingham_{truncation.replace('-', '_')}_{where}", system=oxides[where], model=model))
    return cases


def discs(count: int, fraction: float, seed: int, relative_tilt: float = 0.0) -> System:
    """Discs of both sizes at random in a plane."""
    types = ("A",) * (count // 2) + ("B",) * (count // 2)
    area = count / 2 * np.pi * (1.0 + 0.36) / 4
    side = (area / fraction) ** 0.5
    cell = np.array([[side, 0, 0], [relative_tilt * side, side, 0], [0, 0, 1.0]])
    points = np.zeros((count, 3))
    points[:, :2] = np.random.default_rng(seed).uniform(0, 1, (count, 2))
    return System(positions=points @ cell, types=types, cell=cell, pbc=(True, True, False), symbols=("X",) * count, dimension=2)


def soft_model(exponent: float | None, parameters: dict[str, dict[str, float]] = UNEQUAL_DISCS) -> PairModel:
    options = {} if exponent is None else {"exponent": exponent}
    return PairModel(style="soft_sphere", parameters=parameters, mixing="arithmetic", options=options, units="reduced")


def _soft_spheres() -> list[Static]:
    cell = np.array([[0.9, 0, 0], [0.2, 0.8, 0], [-0.3, 0.1, 1.1]])
    solid = crystal(np.array([[0.1, 0.2, 0.3], [0.6, 0.5, 0.8]]), cell, "A B", 0.05, 9)
    solid = replace(solid, symbols=("X",) * 2)
    return [
        Static(name="soft_sphere_discs", system=discs(32, 1.0, 10), model=soft_model(None)),
        Static(name="soft_sphere_discs_tilted", system=discs(16, 1.4, 11, 0.3), model=soft_model(None)),
        Static(name="soft_sphere_small_cell", system=solid, model=soft_model(None)),
        Static(name="soft_sphere_exponent_2_5", system=solid, model=soft_model(2.5)),
        Static(name="soft_sphere_discs_exponent_3", system=discs(8, 1.2, 12), model=soft_model(3.0)),
    ]


def _stillinger_weber() -> list[Static]:
    a = 5.430949778462
    primitive = a / 2**0.5 * PRIMITIVE
    pair = np.array([[0, 0, 0], [0.25, 0.25, 0.25]])
    squeezed = {"Si-Si-Si": SILICON | {"q": 0.35, "p": 4.3, "gamma": 1.05, "costheta0": -0.41, "tol": 0.0}}
    other = replace(SW_SILICON, parameters=squeezed)
    nitride = crystal(DIAMOND[[0, 1, 2, 3, 4, 5, 6]], 4.5 * np.array([[1.02, 0, 0], [0.11, 0.97, 0], [-0.08, 0.12, 1.0]]), "Ga", 0.12, 15)
    nitride = replace(nitride, types=("Ga",) * 4 + ("N",) * 3)
    sharp = np.array([[1, 0, 0], [-1, 1, 0], [1, -2, 1]]) @ primitive
    cells = {
        "orthogonal_64": crystal(repeated(DIAMOND, (2, 2, 2)), 2 * a * np.diag([1.01, 0.99, 1.02]), "Si", 0.15, 11),
        "orthogonal_8": crystal(DIAMOND, a * np.diag([1.01, 0.97, 1.02]), "Si", 0.2, 12),
        "two_atoms": crystal(pair, primitive, "Si", 0.15, 13),
        "two_atoms_sharp": replace(crystal(pair, primitive, "Si", 0.15, 13), cell=sharp),
        "one_atom": crystal(pair[:1], 2.5 * PRIMITIVE @ np.diag([1.0, 1.05, 0.97]), "Si", 0.0, 14),
        "slab": crystal(DIAMOND, a * np.array([[1.0, 0, 0], [0.2, 0.95, 0], [0, 0, 1.0]]), "Si", 0.15, 16, pbc=(True, True, False)),
        "cluster": crystal(DIAMOND, a * np.eye(3), "Si", 0.2, 17, pbc=(False,) * 3),
    }  # fmt: skip
    cases = [Static(name=f"sw_{where}", system=system, model=SW_SILICON) for where, system in cells.items()]
    cases.append(Static(name="sw_other_values_two_atoms", system=cells["two_atoms"], model=other))
    cases.append(Static(name="sw_gallium_nitride_triclinic", system=nitride, model=SW_GALLIUM_NITRIDE))
    return cases


# ------------------------------------------------------------------------------------------------------- relaxed systems


@dataclass(frozen=True, kw_only=True)
class Relaxed:
    """A minimum and its derivatives.

    Attributes:
        system: where the search starts; then rounded to `decimals`, unless the structure comes from inputs/ (`decimals` None).
        columns: parameters differentiated; names in one tuple move together.
        relative: step of the differences, relative to the value (absolute where that is zero).
        hessian_step: step of the force differences that make the Hessian.
        perfect: the crystal without the defect, where a formation energy is asked for; no force acts in it, by symmetry.
    """

    name: str
    system: System
    model: Model
    about: str
    columns: tuple[tuple[str, ...], ...] = ()
    relative: float = 1e-3
    hessian_step: float = 2e-3
    decimals: int | None = 2
    perfect: System | None = None

    def all_columns(self) -> tuple[tuple[str, ...], ...]:
        return self.columns or tuple((name,) for name in self.model.names())


ARGON_SWITCH = _lj("switch")
BUCKINGHAM_NOBLE = {
    "Ar-Ar": {"A": 10548.0, "rho": 0.273, "C": 63.7},
    "Ar-Kr": {"A": 9000.0, "rho": 0.29, "C": 85.0},
    "Kr-Kr": {"A": 8500.0, "rho": 0.305, "C": 115.0},
}
"""Ar-Ar after Buckingham 1938, doi:10.1098/rspa.1938.0173; the others made up to be similar."""


def relaxed_cases(interstitial: System, vacancy: System) -> list[Relaxed]:
    """All minima; the first two structures are those of inputs/."""
    metal = crystal(np.concatenate([FCC, FCC + 0.25]), np.array([[5.1, 0, 0], [0.8, 4.9, 0], [-0.6, 0.9, 5.0]]), "Cu Cu Ag", 0.3, 1)
    noble_cell = crystal(FCC, np.array([[5.6, 0, 0], [0.6, 5.2, 0], [-0.5, 0.7, 5.5]]), "Ar Kr Ar", 0.3, 2)
    cluster = crystal(np.concatenate([FCC, FCC[:3] + UNIT_X]), 5.6 * np.eye(3), "Ar Kr Kr", 0.2, 0, pbc=(False,) * 3)
    nitride = crystal(DIAMOND[:7], 4.5 * np.array([[1.02, 0, 0], [0.11, 0.97, 0], [-0.08, 0.12, 1.0]]), "Ga", 0.12, 0)
    nitride = replace(nitride, types=("Ga",) * 4 + ("N",) * 3)
    lj = {"parameters": ARGON_KRYPTON, "cutoff": 7.75}
    return [
        Relaxed(
            name="silicon_interstitial", system=interstitial, model=SW_SILICON, decimals=None, hessian_step=7e-4,
            about="[110] split interstitial in 216-site Stillinger-Weber silicon: inputs/silicon_interstitial",
        ),
        Relaxed(
            name="argon_vacancy", system=vacancy, model=ARGON_SWITCH, decimals=None,
            about="vacancy in 500-site fcc argon, C2 switch (lj/mdf): inputs/argon_vacancy",
        ),
        Relaxed(
            name="argon_vacancy_force_shift", system=vacancy, model=_lj("force-shift"), decimals=None,
            about="the same start, force-shift (lj/smooth/linear)",
        ),
        Relaxed(
            name="morse_binary", system=metal, relative=5e-4, hessian_step=1e-3,
            model=PairModel(style="morse", parameters=MORSE_PAIRS, cutoff=6.2, truncation="force-shift"),
            about="8 atoms, two species, triclinic cell smaller than the cutoff, force-shift (morse/smooth/linear)",
        ),
        Relaxed(
            name="lj_binary_force_shift", system=noble_cell, hessian_step=1e-3, model=_lj("force-shift", **lj),
            about="4 atoms, two species, Lorentz-Berthelot, triclinic cell smaller than the cutoff, force-shift",
        ),
        Relaxed(
            name="lj_binary_switch", system=noble_cell, relative=1e-4, hessian_step=1e-3, model=_lj("switch", switch_from=6.45, **lj),
            about="the same, C2 switch",
        ),
        Relaxed(
            name="buckingham_cluster", system=cluster, hessian_step=1e-3, relative=5e-4,
            model=PairModel(style="buckingham", parameters=BUCKINGHAM_NOBLE),
            about="7 atoms, two species, free, no cutoff; 6 zero modes",
        ),
        Relaxed(
            name="sw_gallium_nitride", system=nitride, model=SW_GALLIUM_NITRIDE, columns=_nitride_columns(), hessian_step=7e-4,
            about="Ga4N3 (a nitrogen vacancy) in a sheared cell smaller than the cutoff",
        ),
        *_packings(),
    ]  # fmt: skip


def _nitride_columns() -> tuple[tuple[str, ...], ...]:
    """LAMMPS takes the pair terms of Ga-N from `Ga N N` or from `N Ga Ga`, depending on atom order, and the angle of two unlike
    neighbors from either order of them; only sums over both entries are a property of the physics."""
    style = "stillinger_weber"
    every = [name for name in SILICON if name != "tol"]
    columns: list[tuple[str, ...]] = [(f"{style}.Ga-Ga-Ga.{name}",) for name in every]
    columns += [(f"{style}.Ga-N-N.{name}", f"{style}.N-Ga-Ga.{name}") for name in every]
    columns += [(f"{style}.{types}.{name}",) for types in ("Ga-N-N", "N-Ga-Ga") for name in ("lambda", "gamma", "costheta0")]
    columns += [(f"{style}.Ga-Ga-N.{name}", f"{style}.Ga-N-Ga.{name}") for name in ("epsilon", "lambda", "costheta0")]
    columns += [(f"{style}.N-N-N.epsilon",)]
    return tuple(columns)


def _packings() -> list[Relaxed]:
    """Disc packings whose nearest contact change is far enough away for differences."""
    return [
        Relaxed(
            name="soft_sphere_packing", system=discs(128, 0.98, 1), model=soft_model(None, DISCS), decimals=4, relative=5e-5,
            hessian_step=1e-4, about="128 discs, packing fraction 0.98, no rattlers",
        ),
        Relaxed(
            name="soft_sphere_rattlers", system=discs(48, 0.90, RATTLER_SEED), model=soft_model(None, UNEQUAL_DISCS), decimals=4,
            relative=2e-5, hessian_step=5e-5, about="48 discs, packing fraction 0.90, with rattlers touching nothing",
        ),
    ]  # fmt: skip


RATTLER_SEED = 13
