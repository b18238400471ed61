"""Charges whose energy and force are damped, and shifted to vanish at a cutoff."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax.scipy.special import erfc

from md_sensitivity.potentials.base import Coefficients, Distance, Options
from md_sensitivity.potentials.charges import damped_form, squares


def _at_end(options: Options) -> tuple[float, float]:
    """erfc(αr)/r and minus its derivative at the cutoff [Å⁻¹, Å⁻²]."""
    alpha, end = options["alpha"], options["cutoff"]
    value = math.erfc(alpha * end) / end
    return value, (value + 2.0 * alpha / math.sqrt(math.pi) * math.exp(-((alpha * end) ** 2))) / end


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = q_i q_j [v(r) − v(r_c) − v′(r_c) (r − r_c)], v = erfc(αr)/r, for r < r_c, else 0 [eV], r [Å].

    Source: Fennell and Gezelter, doi:10.1063/1.2206581.
    """
    value, force = _at_end(options)
    end = options["cutoff"]
    phi = p["qq"] * (erfc(options["alpha"] * d.r) * d.r * d.inverse_square - value + force * (d.r - end))
    return jnp.where(d.r < end, phi, 0.0)


def self_energy(p: Coefficients, options: Options) -> jax.Array:
    """−q² {[v(r_c) − v′(r_c) r_c]/2 + α/√π} of an ion of each type, shape=(s,) [eV], as LAMMPS has it."""
    value, force = _at_end(options)
    return -squares(p, options) * (0.5 * (value + force * options["cutoff"]) + options["alpha"] / math.sqrt(math.pi))


COULOMB_DSF = damped_form(
    "coulomb_dsf",
    "damped shifted-force Coulomb: q_i q_j [v(r) − v(r_c) − v′(r_c)(r − r_c)], v = erfc(αr)/r, and a self term",
    "doi:10.1063/1.2206581",
    energy=energy,
    self_energy=self_energy,
)
