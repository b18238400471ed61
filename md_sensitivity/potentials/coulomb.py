"""Coulomb's law between charges, as it stands."""

from __future__ import annotations

import jax

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm
from md_sensitivity.potentials.charges import CHARGE, products
from md_sensitivity.potentials.specs import COULOMB


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = q_i q_j e²/(4πε₀ r) [eV], r [Å]."""
    return p["qq"] * d.r * d.inverse_square


COULOMB_DIRECT = PairForm(
    name="coulomb",
    description="Coulomb: q_i q_j e²/(4πε₀ r); without cutoff for structures that are not periodic",
    reference="Coulomb, Mémoires de l'Académie royale des sciences, 1785",
    parameters=(CHARGE,),
    options=(COULOMB,),
    energy=energy,
    tables=products,
    strength=lambda p: p["qq"],
)
