"""Mixing rules: parameters of unlike pairs from those of the like ones."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp


def arithmetic_mean(a: jax.Array, b: jax.Array) -> jax.Array:
    """(a + b)/2."""
    return 0.5 * (a + b)


def geometric_mean(a: jax.Array, b: jax.Array) -> jax.Array:
    """√(ab), and 0 with zero derivatives where ab = 0: there the derivative does not exist, which the parameter table says."""
    product = a * b
    positive = product > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, product, 1.0)), 0.0)


Mean = Callable[[jax.Array, jax.Array], jax.Array]

MIXING_RULES: dict[str, dict[str, Mean]] = {
    "lorentz-berthelot": {"sigma": arithmetic_mean, "rmin_half": arithmetic_mean, "epsilon": geometric_mean},
    "geometric": dict.fromkeys(("sigma", "rmin_half", "epsilon", "C6", "C12"), geometric_mean),
    "arithmetic": dict.fromkeys(("sigma", "rmin_half", "epsilon"), arithmetic_mean),
}
"""Rule → parameter → mean. The rule "none" asks for each pair to be given."""
