"""Wolf's sum of charges: damped, truncated, and neutralized at the cutoff."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import erfc

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm
from md_sensitivity.potentials.charges import CHARGE, CUTOFF, DAMPING, ends, products, squares


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = q_i q_j [erfc(αr)/r − erfc(αr_c)/r_c] for r < r_c, else 0 [eV], r [Å].

    Source: Wolf et al., doi:10.1063/1.478738. Forces here are the gradient of this energy, and jump at r_c. LAMMPS's
    `coul/wolf` has this energy, but shifts its forces to vanish at r_c, so that they are not its gradient.
    """
    alpha, end = options["alpha"], options["cutoff"]
    phi = p["qq"] * (erfc(alpha * d.r) * d.r * d.inverse_square - math.erfc(alpha * end) / end)
    return jnp.where(d.r < end, phi, 0.0)


def self_energy(p: Coefficients, options: Options) -> jax.Array:
    """−q² [erfc(αr_c)/(2r_c) + α/√π] of an ion of each type, shape=(s,) [eV]."""
    alpha, end = options["alpha"], options["cutoff"]
    return -squares(p, options) * (0.5 * math.erfc(alpha * end) / end + alpha / math.sqrt(math.pi))


COULOMB_WOLF = PairForm(
    name="coulomb_wolf",
    description="Wolf's Coulomb sum: q_i q_j [erfc(αr)/r − erfc(αr_c)/r_c], and a self term",
    reference="doi:10.1063/1.478738",
    parameters=(CHARGE,),
    options=(DAMPING, CUTOFF),
    energy=energy,
    tables=products,
    self_energy=self_energy,
    natural_range=ends,
    kinks=lambda p, options: (ends(p, options),),
    strength=lambda p: p["qq"],
    electric=True,
)
