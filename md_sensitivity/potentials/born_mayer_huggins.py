"""Born–Mayer–Huggins potential of ionic crystals, without its charges, which are a potential of their own."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, Options, PairForm, ParameterSpec


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = A e^((σ−r)/ρ) − C/r⁶ + D/r⁸ [eV], r [Å]; D as LAMMPS has it, the negative of Fumi and Tosi's.

    Source: Fumi and Tosi, doi:10.1016/0022-3697(64)90159-3. With C > 0 or D < 0 it falls to −∞ at small r.
    """
    inverse = d.inverse_square
    cube = inverse * inverse * inverse
    return p["A"] * jnp.exp((p["sigma"] - d.r) / p["rho"]) - p["C"] * cube + p["D"] * cube * inverse


BORN_MAYER_HUGGINS = PairForm(
    name="born_mayer_huggins",
    description="Born–Mayer–Huggins: A e^((σ−r)/ρ) − C/r⁶ + D/r⁸",
    reference="doi:10.1016/0022-3697(64)90159-3",
    parameters=(
        ParameterSpec(name="A", energy=1, lower=0, description="strength of the repulsion"),
        ParameterSpec(name="rho", length=1, lower=0, open_lower=True, description="decay length of the repulsion"),
        ParameterSpec(name="sigma", length=1, lower=0, description="sum of the ionic radii"),
        ParameterSpec(name="C", energy=1, length=6, lower=0, description="strength of the dipole-dipole dispersion"),
        ParameterSpec(name="D", energy=1, length=8, description="minus the strength of the dipole-quadrupole dispersion"),
    ),
    energy=energy,
    strength=lambda p: p["A"] + p["C"] + jnp.abs(p["D"]),
    bottomless=True,
)
