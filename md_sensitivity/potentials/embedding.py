"""Functions of the density that several embedded forms share."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def minus_square_root(rho: jax.Array) -> jax.Array:
    """−√ρ, the second moment's binding energy; 0 with derivatives of 0 where nothing gives a density."""
    given = rho > 0
    return jnp.where(given, -jnp.sqrt(jnp.where(given, rho, 1.0)), 0.0)
