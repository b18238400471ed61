"""Wolf's sum of charges: damped, truncated, and neutralized at the cutoff."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import erfc

from md_sensitivity.potentials.base import Coefficients, Distance, Options
from md_sensitivity.potentials.charges import damped_form, squares


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


COULOMB_WOLF = damped_form(
    "coulomb_wolf",
    "Wolf's Coulomb sum: q_i q_j [erfc(αr)/r − erfc(αr_c)/r_c], and a self term",
    "doi:10.1063/1.478738",
    energy=energy,
    self_energy=self_energy,
)
