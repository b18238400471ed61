"""Implicit solvent: generalized Born with the radii of Onufriev, Bashford and Case (model II), and a surface term."""

from __future__ import annotations

import math
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.potentials.base import Coefficients, FieldForm, Options, ParameterSpec, Site
from md_sensitivity.potentials.specs import COULOMB, OptionSpec

_ALPHA, _BETA, _GAMMA = 1.0, 0.8, 4.85
_OFFSET = 0.09
"""By which dielectric radii are smaller than those of atoms [Å]."""


def energy(site: Site, p: Coefficients, options: Options, setup: Mapping[str, jax.Array]) -> jax.Array:
    """−½ (1/ε_in − 1/ε_out) Σ_ij q_i q_j e²/(4πε₀)/f_ij + 4π γ Σ_i (R_i + R_p)² (R_i/B_i)⁶ [eV].

    With f_ij² = r² + B_i B_j exp(−r²/4B_i B_j) and Born radii B. Sources: Onufriev, Bashford and Case, doi:10.1002/prot.20033;
    Still et al., doi:10.1021/ja00172a038; Schaefer, Bartels and Karplus, doi:10.1006/jmbi.1998.2172.
    """
    real = site.real
    radius = jnp.where(real, p["radius"][site.kinds], 1.0)
    q = jnp.where(real, p["q"][site.kinds], 0.0)
    core = radius - _OFFSET
    screened = jnp.where(real, p["scale"][site.kinds], 0.0) * core
    d = site.positions[:, None, :] - site.positions[None, :, :]
    other = ~jnp.eye(len(q), dtype=bool) & real[:, None] & real[None, :]
    square = jnp.where(other, jnp.sum(d * d, axis=-1), 1.0)
    r = jnp.sqrt(square)
    born = _born_radii(r, jnp.where(other, 1.0, 0.0), radius, core, screened)
    product = born[:, None] * born[None, :]
    between = jnp.where(other, q[:, None] * q[None, :] / jnp.sqrt(square + product * jnp.exp(-square / (4.0 * product))), 0.0)
    shield = options[COULOMB.name] * (1.0 / options["solute_dielectric"] - 1.0 / options["solvent_dielectric"])
    polar = -0.5 * shield * (jnp.sum(between) + jnp.sum(q * q / born))
    surface = (radius + options["probe_radius"]) ** 2 * (radius / born) ** 6
    return polar + 4.0 * math.pi * options["surface_tension"] * jnp.sum(jnp.where(real, surface, 0.0))


def _born_radii(r: jax.Array, weight: jax.Array, radius: jax.Array, core: jax.Array, screened: jax.Array) -> jax.Array:
    """Born radii [Å] from all distances, shape=(n, n), of which those of weight zero do not count."""
    own, far = core[:, None], screened[None, :]
    outer = r + far
    touching = own < outer
    lower = 1.0 / jnp.maximum(own, jnp.abs(r - far))
    upper = 1.0 / jnp.where(touching, outer, own)
    part = lower - upper + 0.25 * r * (upper**2 - lower**2) + 0.5 * jnp.log(upper / lower) / r
    part = part + 0.25 * far * far / r * (lower**2 - upper**2)
    part = part + jnp.where(own < far - r, 2.0 * (1.0 / own - lower), 0.0)
    psi = 0.5 * core * jnp.sum(weight * jnp.where(touching, part, 0.0), axis=1)
    return 1.0 / (1.0 / core - jnp.tanh(psi * (_ALPHA - psi * (_BETA - _GAMMA * psi))) / radius)


def setup(cell: np.ndarray, periodic: tuple[bool, bool, bool], options: Options) -> Mapping[str, np.ndarray]:
    """Nothing; refuses periodic structures."""
    if any(periodic):
        raise ValueError("implicit solvent is for structures that are not periodic; remove the cell, or use explicit solvent")
    return {}


GB_OBC2 = FieldForm(
    name="gb_obc2",
    description="implicit solvent: generalized Born (OBC model II) with a surface term",
    reference="doi:10.1002/prot.20033",
    parameters=(
        ParameterSpec(name="radius", length=1, lower=0, open_lower=True, description="intrinsic radius of an atom"),
        ParameterSpec(name="scale", lower=0, description="how much of other atoms' surroundings it fills"),
    ),
    options=(
        OptionSpec(name="solute_dielectric", default=1.0, lower=0, open_lower=True, description="dielectric constant of the molecule"),
        OptionSpec(name="solvent_dielectric", default=78.5, lower=0, open_lower=True, description="dielectric constant of the solvent"),
        OptionSpec(
            name="surface_tension", default=None, lower=0, energy=1, length=-2, description="energy of the surface per area, γ"
        ),
        OptionSpec(name="probe_radius", default=None, lower=0, length=1, description="radius of a molecule of the solvent"),
        COULOMB,
    ),
    energy=energy,
    setup=setup,
)
