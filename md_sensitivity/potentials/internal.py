"""Lengths, angles and torsions of listed atoms, with derivatives of every order that are finite wherever they exist."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Vector

_SMALL = 1e-3
"""Below it a square of an arc sine is its series; the terms left out are smaller than rounding."""
_TINY = 1e-24
"""Squared sine of an angle below which three atoms count as lying on one line."""


def dot(a: Vector, b: Vector) -> jax.Array:
    """a · b, elementwise."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """a × b, elementwise."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def added(a: Vector, b: Vector) -> Vector:
    """a + b, elementwise."""
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]


def length(a: Vector) -> jax.Array:
    """|a| [Å], of vectors that are not zero."""
    return jnp.sqrt(dot(a, a))


def bend(a: Vector, b: Vector) -> tuple[jax.Array, jax.Array]:
    """π − θ and (π − θ)² of the angle θ at the middle of three atoms [rad, rad²].

    With w = cos²(θ/2) both follow from asin √w. The square is a smooth function of positions where the atoms lie on one line; π − θ has
    no derivative there, and zeros stand for it.

    Args:
        a: from the first atom to the middle one.
        b: from the middle atom to the third.
    """
    inverse_a, inverse_b = 1.0 / length(a), 1.0 / length(b)
    # a/|a| − b/|b| is the sum of the unit vectors from the middle atom, with the sign turned: it is short where θ is near π.
    apart = tuple(p * inverse_a - q * inverse_b for p, q in zip(a, b, strict=True))
    along = tuple(p * inverse_a + q * inverse_b for p, q in zip(a, b, strict=True))
    w, rest = 0.25 * dot(apart, apart), 0.25 * dot(along, along)  # type: ignore[arg-type]
    obtuse = w < 0.5
    half, half_square = _arcsine(jnp.where(obtuse, w, rest))
    return (
        jnp.where(obtuse, 2.0 * half, jnp.pi - 2.0 * half),
        jnp.where(obtuse, 4.0 * half_square, (jnp.pi - 2.0 * half) ** 2),
    )


def _arcsine(w: jax.Array) -> tuple[jax.Array, jax.Array]:
    """asin √w and its square, for 0 ≤ w ≤ 1/2; the first with derivative zero at w = 0."""
    straight, small = w < _TINY, w < _SMALL
    root = jnp.arcsin(jnp.sqrt(jnp.where(straight, 0.25, w)))
    series = w * (1.0 + w * (1 / 3 + w * (8 / 45 + w * (4 / 35 + w * (128 / 1575 + w * (128 / 2079 + w * (1024 / 21021)))))))
    large = jnp.arcsin(jnp.sqrt(jnp.where(small, 0.25, w)))
    return jnp.where(straight, 0.0, root), jnp.where(small, series, large * large)


def torsion(a: Vector, b: Vector, c: Vector) -> jax.Array:
    """Torsion angle of four atoms in (−π, π], 0 for cis, with the sign of IUPAC [rad]; 0 where three of them lie on one line.

    Args:
        a, b, c: vectors from each atom to the next.
    """
    m, n = cross(a, b), cross(b, c)
    degenerate = (dot(m, m) < _TINY * dot(a, a) * dot(b, b)) | (dot(n, n) < _TINY * dot(b, b) * dot(c, c))
    x = jnp.where(degenerate, 1.0, dot(m, n))
    y = jnp.where(degenerate, 0.0, length(b) * dot(a, n))
    return jnp.arctan2(y, x)
