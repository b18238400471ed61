"""Zhou, Johnson and Wadley's analytic embedded-atom potential of metals and their alloys."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, EmbeddedForm, EmbeddedTables, Options, ParameterSpec

_ENDS = 20
"""Exponent with which pair energies and densities are cut off."""
_LEAST = 1e-12
"""Density, in units of ρₛ, below which the logarithm of F's last branch is not taken; F is smaller than rounding there for every
published η."""


def _decaying(d: Distance, p: Coefficients, who: str, strength: str, decay: str, shift: str) -> jax.Array:
    """S e^(−x(r/rₑ − 1)) / (1 + (r/rₑ − s)²⁰)."""
    t = d.r / p[who + "re"]
    return p[who + strength] * jnp.exp(-p[who + decay] * (t - 1.0)) / (1.0 + (t - p[who + shift]) ** _ENDS)


def _given(d: Distance, p: Coefficients, who: str) -> jax.Array:
    return _decaying(d, p, who, "fe", "beta", "lambda")


def _of_one(d: Distance, p: Coefficients, who: str) -> jax.Array:
    return _decaying(d, p, who, "A", "alpha", "kappa") - _decaying(d, p, who, "B", "beta", "lambda")


def pair(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ_ab = ½ (f_b/f_a φ_aa + f_a/f_b φ_bb) [eV].

    Source: Zhou, Johnson and Wadley, doi:10.1103/PhysRevB.69.144113.
    """
    # f_b/f_a without a division of two numbers that both vanish far away.
    near, far = (d.r / p[who + "re"] for who in ("i.", "j."))
    ratio = p["j.fe"] / p["i.fe"] * jnp.exp(p["i.beta"] * (near - 1.0) - p["j.beta"] * (far - 1.0))
    ratio = ratio * (1.0 + (near - p["i.lambda"]) ** _ENDS) / (1.0 + (far - p["j.lambda"]) ** _ENDS)
    return 0.5 * (ratio * _of_one(d, p, "i.") + _of_one(d, p, "j.") / ratio)


def density(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """f of the neighbor's type, in the unit of fₑ."""
    return _given(d, p, "j.")


def embedding(rho: jax.Array, p: Coefficients, options: Options) -> jax.Array:
    """F(ρ) in three branches: below 0.85 ρₑ, up to 1.15 ρₑ, and above [eV]."""
    low, high = 0.85 * p["rhoe"], 1.15 * p["rhoe"]
    t = rho / low - 1.0
    below = p["Fn0"] + t * (p["Fn1"] + t * (p["Fn2"] + t * p["Fn3"]))
    t = rho / p["rhoe"] - 1.0
    middle = p["F0"] + t * (p["F1"] + t * (p["F2"] + t * p["F3"]))
    share = rho / p["rhos"]
    dense = rho >= high
    power = jnp.where(dense & (share > _LEAST), share, 1.0) ** p["eta"]
    above = p["Fe"] * (1.0 - jnp.log(power)) * power
    return jnp.where(rho < low, below, jnp.where(dense, above, middle))


def tables(p: Coefficients, options: Options) -> EmbeddedTables:
    """Numbers of the center's type, and of the neighbor's, for each pair."""
    names = ("re", "fe", "alpha", "beta", "A", "B", "kappa", "lambda")
    shape = p["re"].shape * 2
    pairs = {"i." + name: jnp.broadcast_to(p[name][:, None], shape) for name in names}
    pairs |= {"j." + name: jnp.broadcast_to(p[name][None, :], shape) for name in names}
    return EmbeddedTables(pairs=pairs, atoms={name: p[name] for name in p if name not in names}, shared={})


def _spec(name: str, description: str, energy: float = 0, length: float = 0, lower: float = float("-inf")) -> ParameterSpec:
    return ParameterSpec(
        name=name, types=1, energy=energy, length=length, lower=lower, open_lower=lower == 0, description=description
    )


EAM_ZHOU = EmbeddedForm(
    name="eam_zhou",
    description="Zhou's analytic EAM of 16 metals and their alloys",
    reference="doi:10.1103/PhysRevB.69.144113",
    parameters=(
        _spec("re", "distance of nearest neighbors", length=1, lower=0),
        _spec("fe", "density at that distance", lower=0),
        _spec("rhoe", "density of the equilibrium crystal", lower=0),
        _spec("rhos", "density scale of the last branch of F", lower=0),
        _spec("alpha", "decay of the repulsion"),
        _spec("beta", "decay of the attraction and of the density"),
        _spec("A", "strength of the repulsion", energy=1),
        _spec("B", "strength of the attraction", energy=1),
        _spec("kappa", "cutoff of the repulsion"),
        _spec("lambda", "cutoff of the attraction and of the density"),
        *(_spec(f"Fn{k}", "coefficient of F at low density", energy=1) for k in range(4)),
        *(_spec(f"F{k}", "coefficient of F at middle density", energy=1) for k in range(4)),
        _spec("eta", "exponent of F at high density"),
        _spec("Fe", "strength of F at high density", energy=1),
    ),
    tables=tables,
    pair=pair,
    density=density,
    embedding=embedding,
)
