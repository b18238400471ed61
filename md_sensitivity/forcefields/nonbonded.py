"""How molecular force fields treat atoms that are not bonded: settings that their files do not hold."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.data import ForceField, Term
from md_sensitivity.forcefields.implicit_solvent import solvated
from md_sensitivity.potentials.base import COULOMB, PairForm
from md_sensitivity.potentials.dispersion import DISPERSION_CORRECTION
from md_sensitivity.potentials.particle_mesh import COULOMB_PME
from md_sensitivity.units import UnitSystem

SOLVENTS = ("none", "obc2")


@dataclass(frozen=True, kw_only=True)
class Nonbonded:
    """Settings, of which cutoffs and Ewald sums are for periodic structures: what is not periodic has no cutoff at all.

    Attributes:
        cutoff: where Lennard-Jones and the screened part of Coulomb's law end [Å].
        switch_from: where they begin to be switched off [Å]; None for a cutoff without switch.
        tolerance: of the Ewald sum, see `coulomb_pme`.
        order: of the splines of its mesh.
        dispersion_correction: whether the mean energy beyond the cutoff is added.
        implicit_solvent: one of `SOLVENTS`, for structures that are not periodic.
        solute_dielectric, solvent_dielectric: constants of an implicit solvent.
        coulomb_constant: e²/(4πε₀) in the file's units; None for that of CODATA 2018, which is OpenMM's.
    """

    cutoff: float = 9.0
    switch_from: float | None = 8.0
    tolerance: float = 1e-7
    order: int = 8
    dispersion_correction: bool = True
    implicit_solvent: str = "none"
    solute_dielectric: float = 1.0
    solvent_dielectric: float = 78.5
    coulomb_constant: float | None = None


def applied(force_field: ForceField, settings: Nonbonded) -> ForceField:
    """A molecular force field with these settings: Coulomb's law by particle-mesh Ewald and cutoffs where a structure is periodic.

    Raises:
        InputError: where the force field has no charges that an implicit solvent could screen.
    """
    units = force_field.units
    constant = units.coulomb / units.factor(1, 1) if settings.coulomb_constant is None else settings.coulomb_constant
    terms = tuple(_with_ends(term, units, settings, constant) for term in force_field.terms)
    changed = replace(force_field, terms=terms)
    if settings.implicit_solvent == "none":
        return changed
    charged = [term for term in terms if _is_coulomb(term)]
    if not charged:
        raise InputError(f"{force_field.name}: has no charges, so that implicit_solvent = {settings.implicit_solvent!r} has nothing to do")
    return solvated(
        changed, charged[0].label, constant, solute_dielectric=settings.solute_dielectric, solvent_dielectric=settings.solvent_dielectric
    )


def _is_coulomb(term: Term) -> bool:
    return isinstance(term.form, PairForm) and any(option.name == COULOMB.name for option in term.form.options)


def _with_ends(term: Term, units: UnitSystem, settings: Nonbonded, constant: float) -> Term:
    """A pair potential that ends where the settings say; other terms as they are."""
    if not isinstance(term.form, PairForm):
        return term
    options: dict[str, Any] = {}
    form = term.form
    if _is_coulomb(term):
        form = COULOMB_PME
        options = {"tolerance": settings.tolerance, "order": float(settings.order), COULOMB.name: constant}
    elif any(option.name == DISPERSION_CORRECTION.name for option in form.options):
        options = {DISPERSION_CORRECTION.name: float(settings.dispersion_correction and not term.listed_only)}
    return replace(
        term,
        form=form,
        options=options,
        cutoff=settings.cutoff / units.length,
        truncation="none" if settings.switch_from is None else "switch",
        switch_from=None if settings.switch_from is None else settings.switch_from / units.length,
        periodic_cutoff=True,
    )
