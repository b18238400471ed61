"""Gupta potential: the second-moment approximation of tight binding, for metals and alloys."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, EmbeddedForm, EmbeddedTables, Options, ParameterSpec
from md_sensitivity.potentials.embedding import minus_square_root


def pair(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = 2A e^(−p(r/r₀ − 1)) [eV]: each atom has the sum of A e^(…) over its neighbors.

    Source: Cleri and Rosato, doi:10.1103/PhysRevB.48.22.
    """
    return 2.0 * p["A"] * jnp.exp(-p["p"] * (d.r / p["r0"] - 1.0))


def density(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """f = ξ² e^(−2q(r/r₀ − 1)) [eV²]."""
    return p["xi"] * p["xi"] * jnp.exp(-2.0 * p["q"] * (d.r / p["r0"] - 1.0))


GUPTA = EmbeddedForm(
    name="gupta",
    description="Gupta: Σ A e^(−p(r/r₀−1)) − [Σ ξ² e^(−2q(r/r₀−1))]^½ for each atom",
    reference="doi:10.1103/PhysRevB.48.22",
    parameters=(
        ParameterSpec(name="A", energy=1, lower=0, description="strength of the repulsion"),
        ParameterSpec(name="xi", energy=1, lower=0, description="hopping integral: strength of the binding"),
        ParameterSpec(name="p", lower=0, description="decay of the repulsion"),
        ParameterSpec(name="q", lower=0, description="decay of the hopping integral"),
        ParameterSpec(name="r0", length=1, lower=0, open_lower=True, description="reference distance"),
    ),
    tables=lambda p, options: EmbeddedTables(pairs=p, atoms={}, shared={}),
    pair=pair,
    density=density,
    embedding=lambda rho, p, options: minus_square_root(rho),
)
