"""Elementary functions whose derivatives of every order are products of themselves, so that compiled code computes each once."""

from __future__ import annotations

import jax
import jax.numpy as jnp

Pair = tuple[jax.Array, jax.Array]


@jax.custom_jvp
def inverse(x: jax.Array) -> jax.Array:
    """1/x."""
    return 1.0 / x


@inverse.defjvp
def _inverse_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> Pair:
    found = inverse(primals[0])
    return found, -found * found * tangents[0]


@jax.custom_jvp
def softplus(t: jax.Array) -> jax.Array:
    """log(1 + eᵗ), for any t."""
    return jnp.maximum(t, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(t)))


@softplus.defjvp
def _softplus_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> Pair:
    return softplus(primals[0]), logistic(primals[0]) * tangents[0]


@jax.custom_jvp
def logistic(t: jax.Array) -> jax.Array:
    """1/(1 + e⁻ᵗ), for any t."""
    small = jnp.exp(-jnp.abs(t))
    return jnp.where(t > 0, 1.0, small) / (1.0 + small)


@logistic.defjvp
def _logistic_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> Pair:
    found = logistic(primals[0])
    return found, found * (1.0 - found) * tangents[0]


@jax.custom_jvp
def sine(y: jax.Array) -> jax.Array:
    """sin y for |y| ≤ π/2, to round-off: a series, because the sine itself is not vectorized."""
    return y * _series(y, range(24, 0, -2))


@sine.defjvp
def _sine_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> Pair:
    return sine(primals[0]), _cosine(primals[0]) * tangents[0]


@jax.custom_jvp
def _cosine(y: jax.Array) -> jax.Array:
    return _series(y, range(25, 0, -2))


@_cosine.defjvp
def _cosine_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> Pair:
    return _cosine(primals[0]), -sine(primals[0]) * tangents[0]


def _series(y: jax.Array, orders: range) -> jax.Array:
    """1 − y²/(k(k + 1)) (1 − …) for the last k in the middle."""
    square, series = y * y, jnp.ones_like(y)
    for k in orders:
        series = 1.0 - square * series * (1.0 / (k * (k + 1)))
    return series


def screening(r: jax.Array, end: jax.Array, width: jax.Array) -> jax.Array:
    """e^(w/(r − r₀)) below r₀, else 0; it counts as zero, with all derivatives, where it is less than e⁻⁴⁶⁰ ~ 10⁻²⁰⁰."""
    inside = r < end - width / 460.0
    return jnp.where(inside, jnp.exp(-width * inverse(jnp.where(inside, end - r, 1.0))), 0.0)
