"""Functions on the unit sphere in four dimensions: a harmonic basis for every degree, and points to integrate its products.

A point is the quaternion (q0, q1, q2, q3), or the pair a = q0 + i q3, b = q1 + i q2 with |a|² + |b|² = 1: a rotation, too. Functions of
degree n are the (n + 1)² products of Re or Im of a^μ, Re or Im of b^ν and a Jacobi polynomial P_k^(ν,μ)(|a|² − |b|²) with
μ + ν + 2k = n. They are orthogonal, and the elements of Wigner's D-matrix of j = n/2 are combinations of them. With the factors of
`Expansion` the sum of their products at two points is the Chebyshev polynomial of the second kind U_n(cos ω) of the angle ω between
them (the addition theorem), which is the trace of the rotation that leads from one to the other.

Sources: Meremianin, doi:10.1088/0305-4470/39/12/017; recurrence of Jacobi polynomials: https://dlmf.nist.gov/18.9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Point(NamedTuple):
    """Components of unit quaternions, four arrays of one shape."""

    q0: Any
    q1: Any
    q2: Any
    q3: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Expansion:
    """Functions up to a degree, on points that integrate every product of three of them exactly.

    Attributes:
        places: for each degree n, where its functions stand among those of `sums`, shape=((n + 1)²,).
        matrices: for each degree, its functions times their factors at the points, shape=(points, (n + 1)²).
        pole: for each degree, its functions at (1, 0, 0, 0), shape=((n + 1)²,).
        weights: of the points; they sum to 1, shape=(points,).
    """

    places: tuple[np.ndarray, ...]
    matrices: tuple[np.ndarray, ...]
    pole: tuple[np.ndarray, ...]
    weights: np.ndarray


def sums(point: Point, weight: jax.Array, degree: int) -> jax.Array:
    """Σ_e w_e h(q_e) of every basis function h, shape=(functions, n), from points and weights of shape=(n, e)."""
    found = [jnp.sum(block, axis=-1) for block in _blocks(point, weight, degree, jnp, jax.lax.optimization_barrier)]
    return jnp.concatenate([block.reshape(-1, block.shape[-1]) for block in found])


@lru_cache(maxsize=16)
def expansion(degree: int) -> Expansion:
    """Functions up to `degree`, and points for products of three of them."""
    point, weights = _points(degree)
    one = np.ones(1)
    values, pole = (
        np.concatenate([block.reshape(-1, block.shape[-1]) for block in _blocks(at, np.ones_like(at.q0), degree, np, lambda given: given)])
        for at in (point, Point(one, 0 * one, 0 * one, 0 * one))
    )
    labels = np.array([(mu + nu + 2 * k, _factor(mu, nu, k)) for mu, nu, k in _labels(degree)])
    places = tuple(np.flatnonzero(labels[:, 0] == n) for n in range(degree + 1))
    return Expansion(
        places=places,
        matrices=tuple((values[place] * labels[place, 1][:, None]).T for place in places),
        pole=tuple(pole[place, 0] for place in places),
        weights=weights,
    )


def _blocks(
    point: Point, weight: Any, degree: int, xp: Any, stored: Callable[[Any], Any]
) -> Iterator[Any]:
    """Basis functions times a weight, block by block: arrays of shape=(Re and Im of b^ν, some μ, ...).

    Args:
        point, weight: arrays of one shape.
        xp: jax.numpy or numpy.
        stored: keeps powers in memory, where the compiler would else compute them once for each function.
    """
    x = point.q0**2 + point.q3**2 - point.q1**2 - point.q2**2
    powers_a = _powers(xp.ones_like(x), point.q0, point.q3, degree)
    powers_b = _powers(weight, point.q1, point.q2, degree)
    # The imaginary part of the power 0 is nothing: real parts stand first, so that all that is there is contiguous.
    left = xp.stack([re for re, _ in powers_a] + [im for _, im in powers_a[1:]])
    right = xp.stack([part for pair in powers_b for part in pair])
    left, right, x = stored((left, right, x))
    for nu in range(degree + 1):
        factor = right[2 * nu : 2 * nu + (2 if nu else 1), None]
        before, radial = None, None
        for k in range((degree - nu) // 2 + 1):
            count = degree - nu - 2 * k + 1
            before, radial = radial, _jacobi(x, nu, k, count, before, radial)
            for start, first in ((0, 0), (degree + 1, 1)):
                if first < count:
                    product = factor * left[None, start : start + count - first]
                    yield product if radial is None else product * radial[first:]


def _labels(degree: int) -> Iterator[tuple[int, int, int]]:
    """(μ, ν, k) of the basis functions, in the order of `_blocks`."""
    for nu in range(degree + 1):
        for k in range((degree - nu) // 2 + 1):
            for first in (0, 1):
                for _ in range(2 if nu else 1):
                    yield from ((mu, nu, k) for mu in range(first, degree - nu - 2 * k + 1))


def _powers(start: Any, re: Any, im: Any, degree: int) -> list[tuple[Any, Any]]:
    """start · (re + i im)^m for m = 0 … degree, as real and imaginary parts."""
    found = [(start, 0.0 * start)]
    for _ in range(degree):
        x, y = found[-1]
        found.append((x * re - y * im, x * im + y * re))
    return found


def _jacobi(x: Any, nu: int, k: int, count: int, before: Any, last: Any) -> Any:
    """P_k^(ν,μ)(x) for μ = 0 … count − 1 from those of k − 2 and k − 1, shape=(count, ...); None stands for P_0 = 1."""
    if k == 0:
        return None
    mu = np.arange(count).reshape(-1, *(1,) * x.ndim)
    if k == 1:
        return 0.5 * (mu + nu + 2) * x + 0.5 * (nu - mu)
    s = 2 * k + mu + nu
    scale = 2 * k * (k + mu + nu) * (s - 2)
    two = 2 * (k + nu - 1) * (k + mu - 1) * s / scale
    if before is not None:
        two = two * before[:count]
    return ((s - 1) * s * (s - 2) / scale * x + (s - 1) * (nu * nu - mu * mu) / scale) * last[:count] - two


def _factor(mu: int, nu: int, k: int) -> float:
    """What makes the sum of squares of the functions of one degree n equal to n + 1 everywhere."""
    angular = (1 if mu == 0 else 2) * (1 if nu == 0 else 2)
    return angular * math.comb(k + mu + nu, mu) / math.comb(k + mu, mu)


def _points(degree: int) -> tuple[Point, np.ndarray]:
    """Points and weights, half of the sphere: products that do not vanish by symmetry are the same at q and −q.

    In Euler angles such a product of degree at most 2l holds waves exp(imα), exp(im'γ) up to l, which equidistant angles integrate, and,
    where these are constant, polynomials of cosβ up to degree l, which Gauss's rule does.
    """
    largest = 3 * degree // 2
    angles = 2 * np.pi * np.arange(largest + 1) / (largest + 1)
    nodes, gauss = np.polynomial.legendre.leggauss(largest // 2 + 1)
    cosine, alpha, gamma = (grid.ravel() for grid in np.meshgrid(nodes, angles, angles, indexing="ij"))
    a, b = np.sqrt(0.5 * (1 + cosine)), np.sqrt(0.5 * (1 - cosine))
    phase_a, phase_b = 0.5 * (alpha + gamma), 0.5 * (alpha - gamma)
    weights = np.repeat(0.5 * gauss / len(angles) ** 2, len(angles) ** 2)
    return Point(a * np.cos(phase_a), b * np.cos(phase_b), b * np.sin(phase_b), a * np.sin(phase_a)), weights
