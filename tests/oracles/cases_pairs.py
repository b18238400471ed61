"""The systems of the references of Mie, Yukawa, Born-Mayer-Huggins, inverse-power, ZBL and Coulomb potentials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from cases import Relaxed, Static, crystal, noble, repeated
from lammps_engine import Overlay, System
from lammps_pairs import PairModel

MIE_PAIRS = {
    "Ar-Ar": {"epsilon": 0.01032, "sigma": 3.405, "n": 13.0, "m": 6.0},
    "Ar-Kr": {"epsilon": 0.0131, "sigma": 3.48, "n": 12.5, "m": 6.5},
    "Kr-Kr": {"epsilon": 0.0142, "sigma": 3.65, "n": 14.0, "m": 7.0},
}
YUKAWA_PAIRS = {
    "Ar-Ar": {"A": 2.1, "kappa": 0.45},
    "Ar-Kr": {"A": -1.3, "kappa": 0.45},
    "Kr-Kr": {"A": 1.7, "kappa": 0.45},
}
INVERSE_PAIRS = {
    "Ar-Ar": {"epsilon": 0.02, "sigma": 3.2, "n": 12.0},
    "Ar-Kr": {"epsilon": 0.03, "sigma": 3.3, "n": 9.5},
    "Kr-Kr": {"epsilon": 0.025, "sigma": 3.5, "n": 3.0},
}
"""Made up to be of a rare gas's size; exponents that are no integers among them."""
SALT_PAIRS = {
    "Na-Na": {"A": 0.2637, "rho": 0.317, "sigma": 2.340, "C": 1.0486, "D": -0.4993},
    "Na-Cl": {"A": 0.2110, "rho": 0.317, "sigma": 2.755, "C": 6.9906, "D": -8.6758},
    "Cl-Cl": {"A": 0.1582, "rho": 0.317, "sigma": 3.170, "C": 72.4022, "D": -145.4285},
}
"""Tosi and Fumi 1964, doi:10.1016/0022-3697(64)90160-X, in eV and Å; LAMMPS's sign, + D/r^8."""
SALT_CHARGES = {"Na": {"q": 1.0}, "Cl": {"q": -1.0}}
OXIDE_PAIRS = {
    "Mg-Mg": {"A": 1309362.3, "rho": 0.104, "C": 0.0},
    "Mg-O": {"A": 821.6, "rho": 0.3242, "C": 0.0},
    "O-O": {"A": 22764.0, "rho": 0.149, "C": 27.88},
}
OXIDE_CHARGES = {"Mg": {"q": 1.7}, "O": {"q": -1.7}}
"""Like Lewis and Catlow 1985, doi:10.1088/0022-3719/18/6/010, with other charges."""


def damped(style: str = "coulomb_dsf", charges: dict[str, dict[str, float]] = SALT_CHARGES, cutoff: float = 8.0) -> PairModel:
    return PairModel(style=style, parameters=charges, cutoff=cutoff, options={"alpha": 0.21})


def born(truncation: str = "switch", cutoff: float = 7.5) -> PairModel:
    return PairModel(style="born_mayer_huggins", parameters=SALT_PAIRS, cutoff=cutoff, truncation=truncation)


ROCK_SALT = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0], [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]])
SALT = "Na Na Na Na Cl Cl Cl Cl"


def static_pairs() -> list[Static]:
    return [*_truncated(), *_nuclear(), *_charged()]


def _truncated() -> list[Static]:
    """Every form with every truncation, each in another cell."""
    gas, salt = noble("Ar Kr Kr Ar"), noble("Na Cl", a=5.0)
    forms = {"mie": MIE_PAIRS, "yukawa": YUKAWA_PAIRS, "inverse_power": INVERSE_PAIRS, "born_mayer_huggins": SALT_PAIRS}
    places = {"none": "triclinic", "shift": "orthogonal_one_cell", "force-shift": "two_atoms", "switch": "slab"}
    cases = []
    for style, parameters in forms.items():
        systems = salt if style == "born_mayer_huggins" else gas
        for truncation, where in places.items():
            start = 6.8 if truncation == "switch" else None
            model = PairModel(style=style, parameters=parameters, cutoff=8.0, truncation=truncation, switch_from=start)
            name = f"{style}_{truncation.replace('-', '_')}_{where}"
            cases.append(Static(name=name, system=_two_kinds(systems[where]), model=model))
    unequal = {pair: row | {"kappa": 0.35 + 0.1 * k} for k, (pair, row) in enumerate(YUKAWA_PAIRS.items())}
    free = PairModel(style="yukawa", parameters=unequal)
    cases.append(Static(name="yukawa_no_cutoff_cluster", system=gas["cluster"], model=free))
    return cases


def _two_kinds(system: System) -> System:
    """Two atoms get both types."""
    if len(system.types) > 2:
        return system
    return replace(system, types=("Na", "Cl") if system.types[0] == "Na" else ("Ar", "Kr"))


def _nuclear() -> list[Static]:
    """ZBL: cells squeezed so far that pairs lie below, in and above the switch."""
    model = PairModel(style="zbl", parameters={"Si": {"Z": 14.0}, "C": {"Z": 6.0}}, options={"inner": 2.2, "outer": 3.1})
    systems = noble("Si C C Si", a=3.0)
    cases = [Static(name=f"zbl_{where}", system=systems[where], model=model) for where in ("triclinic", "slab", "cluster")]
    heavy = PairModel(style="zbl", parameters={"Ta": {"Z": 73.0}}, options={"inner": 4.0, "outer": 4.8})
    return [*cases, Static(name="zbl_two_atoms", system=noble("Ta", a=4.2)["two_atoms"], model=heavy)]


def _charged() -> list[Static]:
    """Neutral and charged cells; the self-energy counts in each."""
    salt = noble("Na Cl Cl Na", a=5.0)
    places = ("orthogonal_one_cell", "triclinic", "slab", "cluster", "one_atom")
    cases = [Static(name=f"coulomb_dsf_{where}", system=salt[where], model=damped()) for where in places]
    cases += [Static(name=f"coulomb_wolf_{where}", system=salt[where], model=damped("coulomb_wolf")) for where in ("triclinic", "cluster")]
    rock = crystal(ROCK_SALT, 5.6 * np.array([[1.01, 0, 0], [0.12, 0.98, 0], [-0.1, 0.07, 1.0]]), SALT, 0.2, 21)
    oxide = replace(rock, positions=rock.positions * 0.75, cell=rock.cell * 0.75, types=("Mg",) * 4 + ("O",) * 4)
    buckingham = PairModel(style="buckingham", parameters=OXIDE_PAIRS, cutoff=7.0, truncation="force-shift")
    return [
        *cases,
        Static(name="born_plus_coulomb_triclinic", system=rock, model=Overlay(parts=(born(), damped()))),
        Static(
            name="buckingham_plus_coulomb_triclinic", system=oxide,
            model=Overlay(parts=(buckingham, damped(charges=OXIDE_CHARGES))),
        ),
    ]  # fmt: skip


def relaxed_pairs() -> list[Relaxed]:
    gas, carbide = noble("Ar Kr Ar Kr", a=5.6)["triclinic"], noble("Si C C Si", a=3.0)["triclinic"]
    gas = replace(gas, types=("Ar", "Kr", "Kr", "Ar"))
    fractions = repeated(ROCK_SALT, (2, 1, 1))[[k for k in range(16) if k not in (0, 13)]]
    salt = crystal(fractions, 5.6 * np.array([[2.02, 0, 0], [0.12, 0.98, 0], [-0.1, 0.07, 1.0]]), "Na", 0.1, 22)
    salt = replace(salt, types=("Na",) * 3 + ("Cl",) * 4 + ("Na",) * 4 + ("Cl",) * 3)
    nuclei = PairModel(style="zbl", parameters={"Si": {"Z": 14.0}, "C": {"Z": 6.0}}, options={"inner": 2.2, "outer": 3.1})

    def smooth(style: str, parameters: dict[str, dict[str, float]]) -> PairModel:
        return PairModel(style=style, parameters=parameters, cutoff=7.5, truncation="switch", switch_from=6.0)

    return [
        Relaxed(
            name="mie_cluster", system=noble("Ar Kr Kr", a=5.6)["cluster"], model=PairModel(style="mie", parameters=MIE_PAIRS), decimals=3,
            relative=2e-4, hessian_step=1e-3, about="7 atoms, two species, free, no cutoff; 6 zero modes",
        ),
        Relaxed(
            name="inverse_power_binary", system=gas, model=smooth("inverse_power", INVERSE_PAIRS), decimals=3, relative=1e-4,
            hessian_step=5e-4, about="4 atoms, two species, triclinic cell smaller than the cutoff, C2 switch",
        ),
        Relaxed(
            name="zbl_binary", system=carbide, model=nuclei, decimals=4, relative=2e-5, hessian_step=1e-4,
            about="4 nuclei pressed together in a triclinic cell smaller than the cutoff",
        ),
        Relaxed(
            name="born_plus_coulomb_salt", system=salt, model=Overlay(parts=(born(), damped())), decimals=4, relative=1e-4,
            hessian_step=3e-4, about="sodium chloride without one pair of ions, 14 atoms, cell smaller than the cutoff; DSF charges",
        ),
    ]  # fmt: skip
