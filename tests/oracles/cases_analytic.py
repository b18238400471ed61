"""The systems of the references of embedded-atom potentials that are formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from cases import FCC, UNIT_X, Relaxed, Static, crystal, noble, repeated
from cases_files import BCC, SHEAR, cubic
from lammps_analytic import AnalyticModel

GUPTA = {
    "Ag-Ag": {"A": 0.1028, "xi": 1.178, "p": 10.928, "q": 3.139, "r0": 2.889},
    "Ag-Au": {"A": 0.1490, "xi": 1.4874, "p": 10.494, "q": 3.607, "r0": 2.8885},
    "Au-Au": {"A": 0.2061, "xi": 1.790, "p": 10.229, "q": 4.036, "r0": 2.884},
}
"""Cleri and Rosato 1993, doi:10.1103/PhysRevB.48.22; the mixed pair is close to the mean."""
SUTTON_CHEN = {
    "Cu-Cu": {"epsilon": 0.012382, "a": 3.61, "n": 9.0, "m": 6.0},
    "Cu-Au": {"epsilon": 0.012586, "a": 3.84, "n": 9.5, "m": 7.0},
    "Au-Au": {"epsilon": 0.012793, "a": 4.08, "n": 10.0, "m": 8.0},
    "Cu": {"c": 39.432},
    "Au": {"c": 34.408},
}
"""Sutton and Chen 1990, doi:10.1080/09500839008206493; the mixed pair is close to the mean."""
FINNIS_SINCLAIR = {
    "Fe-Fe": {"A": 1.828905, "d": 3.569745, "beta": 1.8, "c": 3.40, "c0": 1.2371147, "c1": -0.3592185, "c2": -0.0385607},
    "Fe-V": {"A": 1.9, "d": 3.63, "beta": 0.9, "c": 3.60, "c0": 0.18, "c1": 0.56, "c2": -0.21},
    "V-V": {"A": 2.010637, "d": 3.692767, "beta": 0.0, "c": 3.80, "c0": -0.8816318, "c1": 1.4907756, "c2": -0.3976370},
}
"""Finnis and Sinclair 1984, doi:10.1080/01418618408244210; the mixed pair is made up."""
ZHOU_NAMES = "re fe rhoe rhos alpha beta A B kappa lambda Fn0 Fn1 Fn2 Fn3 F0 F1 F2 F3 eta Fe".split()
ZHOU = {
    kind: dict(zip(ZHOU_NAMES, map(float, numbers.split()), strict=True))
    for kind, numbers in {
        "Cu": "2.556162 1.554485 21.175871 21.175395 8.127620 4.334731 0.396620 0.548085 0.308782 0.756515"
        " -2.170269 -0.263788 1.088878 -0.817603 -2.19 0.0 0.561830 -2.100595 0.310490 -2.186568",
        "Ag": "2.891814 1.106232 14.604100 14.604144 9.132010 4.870405 0.277758 0.419611 0.339710 0.750758"
        " -1.729364 -0.255882 0.912050 -0.561432 -1.75 0.0 0.744561 -1.150650 0.783924 -1.748423",
    }.items()
}
"""Zhou, Johnson and Wadley 2004, doi:10.1103/PhysRevB.69.144113, or close to it; only the form matters."""


def gupta(cutoff: float | None = None, truncation: str | None = None) -> AnalyticModel:
    return AnalyticModel(style="gupta", parameters=GUPTA, densest=120.0, cutoff=cutoff, truncation=truncation)


def sutton_chen(truncation: str = "switch", knots: int = 40000) -> AnalyticModel:
    return AnalyticModel(style="sutton_chen", parameters=SUTTON_CHEN, densest=900.0, cutoff=7.0, truncation=truncation, knots=knots)


IRON = AnalyticModel(style="finnis_sinclair", parameters=FINNIS_SINCLAIR, densest=80.0)
ZHOU_METALS = AnalyticModel(style="eam_zhou", parameters=ZHOU, densest=120.0, cutoff=6.0, truncation="switch")


def static_analytic() -> list[Static]:
    silver, copper, zhou = noble("Au Ag Ag", a=4.08), noble("Cu Au Au", a=3.9), noble("Cu Ag Ag", a=3.9)
    iron = cubic("Fe V V Fe V", 2.9, 0.15)
    choices = [
        ("gupta", gupta(), silver, "cluster"),
        ("gupta_switch", gupta(6.0, "switch"), silver, "triclinic slab one_atom"),
        ("gupta_force_shift", gupta(6.0, "force-shift"), silver, "triclinic"),
        ("gupta_shift", gupta(6.0, "shift"), silver, "two_atoms"),
        ("sutton_chen_switch", sutton_chen(), copper, "triclinic two_atoms cluster"),
        ("sutton_chen_force_shift", sutton_chen("force-shift"), copper, "slab"),
        ("finnis_sinclair", IRON, iron, "wide triclinic slab cluster"),
        ("eam_zhou_switch", ZHOU_METALS, zhou, "triclinic two_atoms slab cluster"),
    ]
    return [
        Static(name=f"{name}_{where}", system=systems[where], model=model)
        for name, model, systems, places in choices
        for where in places.split()
    ]


def chosen(style: str, names: str) -> tuple[tuple[str, ...], ...]:
    """Some columns: tables of so many knots take their time."""
    return tuple((f"{style}.{name}",) for name in names.split())


def relaxed_analytic() -> list[Relaxed]:
    cluster = crystal(np.concatenate([FCC, FCC[:3] + UNIT_X]), 4.08 * np.eye(3), "Au Ag Ag", 0.2, 51, pbc=(False,) * 3)
    alloy = crystal(repeated(FCC, (2, 1, 1))[1:], 3.9 * np.diag([2.0, 1.0, 1.0]) @ SHEAR, "Cu Au Au Cu", 0.04, 52)
    metal = crystal(repeated(BCC, (2, 2, 1))[1:], 2.95 * np.diag([2.0, 2.0, 1.0]) @ SHEAR, "V Fe", 0.02, 1)
    coarse = {"knots": 16000}
    return [
        Relaxed(
            name="gupta_cluster", system=cluster, model=replace(gupta(), **coarse), decimals=4, hessian_step=5e-3, relative=3e-3,
            columns=chosen("gupta", "Ag-Ag.A Ag-Au.xi Ag-Au.p Au-Au.q Au-Au.r0"),
            about="7 atoms, two species, free, no cutoff; 6 zero modes; tables of eam/fs",
        ),
        Relaxed(
            name="sutton_chen_alloy", system=alloy, model=sutton_chen(**coarse), decimals=4, hessian_step=1e-3, relative=3e-4,
            columns=chosen("sutton_chen", "Cu-Cu.epsilon Cu-Au.a Cu-Au.n Au-Au.m Au.c"),
            about="vacancy in 8-site sheared copper-gold, C2 switch; tables of eam/fs",
        ),
        Relaxed(
            name="finnis_sinclair_alloy", system=metal, model=replace(IRON, **coarse), decimals=4, hessian_step=1e-4, relative=2e-4,
            columns=chosen("finnis_sinclair", "Fe-Fe.A Fe-Fe.beta Fe-V.d Fe-V.c1 V-V.c V-V.c2"),
            about="vacancy in 8-site sheared iron-vanadium; tables of eam/fs",
        ),
        Relaxed(
            name="eam_zhou_alloy", system=replace(alloy, types=("Cu", "Ag", "Ag", "Cu", "Cu", "Ag", "Ag")), decimals=4,
            model=replace(ZHOU_METALS, **coarse), hessian_step=1e-3, relative=3e-4,
            columns=chosen("eam_zhou", "Cu.re Cu.alpha Cu.fe Ag.B Ag.lambda Ag.rhoe Cu.F2"),
            about="vacancy in 8-site sheared copper-silver, C2 switch; tables of eam/fs",
        ),
    ]  # fmt: skip
