"""How a pair energy ends at its cutoff."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

Phi = Callable[[jax.Array], jax.Array]


@dataclass(frozen=True, kw_only=True)
class Truncation:
    """One way to end φ(r) at r_c.

    Attributes:
        smooth: number of continuous derivatives of the truncated energy at the cutoff; −1 where the energy itself jumps.
    """

    name: str
    description: str
    smooth: int


TRUNCATIONS = {
    item.name: item
    for item in (
        Truncation(name="none", description="φ(r) up to the cutoff; the energy jumps there", smooth=-1),
        Truncation(name="shift", description="φ(r) − φ(r_c); the force jumps at the cutoff", smooth=0),
        Truncation(
            name="force-shift", description="φ(r) − φ(r_c) − (r − r_c) φ′(r_c); the curvature jumps at the cutoff", smooth=1
        ),
        Truncation(name="switch", description="φ(r) S(r) with a C² quintic S from 1 at switch_from to 0 at the cutoff", smooth=2),
    )
}


def switch(r: jax.Array, start: jax.Array, end: jax.Array) -> jax.Array:
    """Quintic S(t) = 1 − 10t³ + 15t⁴ − 6t⁵, t = (r − start)/(end − start) clipped to [0, 1]; S′ = S″ = 0 at both ends."""
    t = jnp.clip((r - start) / (end - start), 0.0, 1.0)
    return 1.0 - t * t * t * (10.0 - t * (15.0 - 6.0 * t))


def taylor_at(phi: Phi, r: jax.Array) -> tuple[jax.Array, jax.Array]:
    """(φ, φ′) at r, elementwise."""
    return jax.jvp(phi, (r,), (jnp.ones_like(r),))
