"""How molecular force fields treat atoms that are not bonded: settings that their files do not hold, and the terms made with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from md_sensitivity.forcefields.data import Term
from md_sensitivity.forcefields.table import TypeTuple
from md_sensitivity.potentials.base import PairForm
from md_sensitivity.potentials.dispersion import DISPERSION_CORRECTION
from md_sensitivity.potentials.particle_mesh import COULOMB_PME
from md_sensitivity.units import UnitSystem


@dataclass(frozen=True, kw_only=True)
class Nonbonded:
    """Settings for periodic structures; what is not periodic has no cutoff at all.

    Attributes:
        cutoff: where Lennard-Jones and the screened part of Coulomb's law end [Å].
        switch_from: where they begin to be switched off [Å]; None for a cutoff without switch.
        tolerance: of the Ewald sum, see `coulomb_pme`.
        order: of the splines of its mesh.
        dispersion_correction: whether the mean energy beyond the cutoff is added.
        implicit_solvent: "" for none, or "obc2", for structures that are not periodic.
        solvent_dielectric, solute_dielectric: of an implicit solvent.
        define: macros of a GROMACS topology.
    """

    cutoff: float = 9.0
    switch_from: float | None = 8.0
    tolerance: float = 1e-7
    order: int = 8
    dispersion_correction: bool = True
    implicit_solvent: str = ""
    solvent_dielectric: float = 78.5
    solute_dielectric: float = 1.0
    define: tuple[str, ...] = ()


def coulomb_term(rows: Mapping[str, tuple[TypeTuple, ...]], units: UnitSystem, settings: Nonbonded, label: str = "Coulomb") -> Term:
    """Coulomb's law: direct where a structure is not periodic, else by particle-mesh Ewald.

    Args:
        rows: types of `q`, one each.
        units: of the file.
    """
    options = {
        "tolerance": settings.tolerance,
        "order": float(settings.order),
        "coulomb_constant": units.coulomb / units.factor(1, 1),
    }
    return Term(form=COULOMB_PME, label=label, rows=rows, options=options, **_ends(units, settings))


def lennard_jones_term(
    form: PairForm,
    rows: Mapping[str, tuple[TypeTuple, ...]],
    units: UnitSystem,
    settings: Nonbonded,
    *,
    mixing: str,
    label: str = "LennardJones",
    listed_only: bool = False,
) -> Term:
    """Lennard-Jones between neighbors, or, with `listed_only`, between the pairs that a topology lists."""
    known = [option.name for option in form.options]
    correction = settings.dispersion_correction and not listed_only
    options = {DISPERSION_CORRECTION.name: float(correction)} if DISPERSION_CORRECTION.name in known else {}
    return Term(form=form, label=label, rows=rows, options=options, mixing=mixing, listed_only=listed_only, **_ends(units, settings))


def _ends(units: UnitSystem, settings: Nonbonded) -> dict[str, Any]:
    return {
        "cutoff": settings.cutoff / units.length,
        "truncation": "none" if settings.switch_from is None else "switch",
        "switch_from": None if settings.switch_from is None else settings.switch_from / units.length,
        "periodic_cutoff": True,
    }
