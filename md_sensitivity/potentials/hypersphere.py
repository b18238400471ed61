"""Functions on the unit sphere in four dimensions: a basis for every degree, and points to integrate products of three of them.

A point is the quaternion (q0, q1, q2, q3), or the pair a = q0 + i q3, b = q1 + i q2 with |a|² + |b|² = 1: a rotation, too. Sums over
neighbors are taken of products of Re or Im of a^μ, Re or Im of b^ν and a Chebyshev polynomial T_k(|a|² − |b|²), which factorize. In
place of T_k the Jacobi polynomial P_k^(ν,μ) makes them harmonics: the (n + 1)² ones of degree n = μ + ν + 2k are orthogonal, elements of
Wigner's D-matrix of j = n/2 are combinations of them, and with the factors of `_factor` the sum of their products at two points is the
Chebyshev polynomial of the second kind U_n(cos ω) of the angle ω between them (the addition theorem).

Sources: Meremianin, doi:10.1088/0305-4470/39/12/017; recurrence of Jacobi polynomials: https://dlmf.nist.gov/18.9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import Chebyshev
from numpy.polynomial.legendre import leggauss


class Point(NamedTuple):
    """Components of unit quaternions, four arrays of one shape."""

    q0: Any
    q1: Any
    q2: Any
    q3: Any


class _Function(NamedTuple):
    """Numbers of a basis function: Re (0) or Im (1) of a^μ and of b^ν, and the degree of the polynomial."""

    mu: int
    part_a: int
    nu: int
    part_b: int
    k: int

    @property
    def degree(self) -> int:
        return self.mu + self.nu + 2 * self.k


@dataclass(frozen=True, kw_only=True, eq=False)
class Expansion:
    """Functions up to a degree, on points that integrate every product of three of them exactly.

    Attributes:
        places: where the functions stand in the products of `moments`, shape=(functions,).
        harmonics: matrix that makes harmonics of them, those of one degree together, shape=(functions, functions).
        matrices: for each degree n, its harmonics times their factors at the points, shape=(points, (n + 1)²).
        pole: for each degree n, U_n(cos ω) of the points for one neighbor at (1, 0, 0, 0), shape=(points,).
        weights: of the points; they sum to 1, shape=(points,).
    """

    places: np.ndarray
    harmonics: np.ndarray
    matrices: tuple[np.ndarray, ...]
    pole: tuple[np.ndarray, ...]
    weights: np.ndarray

    def parts(self, moments: jax.Array) -> list[jax.Array]:
        """For each degree n, Σ_e w_e U_n(cos ω) at the points, shape=(points, n), from `moments` of shape=(n, products)."""
        found = jnp.einsum("hf,nf->hn", self.harmonics, moments[:, self.places])
        ends = np.cumsum([matrix.shape[1] for matrix in self.matrices])
        return [jnp.asarray(matrix) @ found[end - matrix.shape[1] : end] for end, matrix in zip(ends, self.matrices, strict=True)]


def moments(point: Point, weight: jax.Array, degree: int) -> jax.Array:
    """Sums over neighbors Σ_e w_e h(q_e) of products h up to a degree, shape=(n, products), from arrays of shape=(n, e)."""
    left, right = _products(point, degree, jnp)
    found = jnp.einsum("nep,neq->npq", left * weight[..., None], right)
    return found.reshape(len(weight), -1)


@lru_cache(maxsize=16)
def expansion(degree: int) -> Expansion:
    """Functions up to `degree`, and points for products of three of them."""
    functions = _functions(degree)
    places = np.array([_place(function, degree) for function in functions])
    harmonics = _harmonics(functions)
    point, weights = _points(degree)
    one = np.ones(1)
    values, pole = (
        harmonics @ (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)[:, places].T
        for left, right in (_products(at, degree, np) for at in (point, Point(one, 0 * one, 0 * one, 0 * one)))
    )
    factors = np.array([_factor(function) for function in functions])
    degrees = np.array([function.degree for function in functions])
    matrices = tuple((factors[:, None] * values)[degrees == n].T for n in range(degree + 1))
    return Expansion(
        places=places,
        harmonics=harmonics,
        matrices=matrices,
        pole=tuple(matrix @ pole[degrees == n, 0] for n, matrix in enumerate(matrices)),
        weights=weights,
    )


def _products(point: Point, degree: int, xp: Any) -> tuple[Any, Any]:
    """The two factors of all products, on a last axis: powers of a; powers of b times polynomials. `xp` is numpy or jax.numpy."""
    x = point.q0**2 + point.q3**2 - point.q1**2 - point.q2**2
    polynomials = [xp.ones_like(x), x]
    for _ in range(degree // 2 - 1):
        polynomials.append(2.0 * x * polynomials[-1] - polynomials[-2])
    radial = xp.stack(polynomials[: degree // 2 + 1], axis=-1)
    right = _powers(point.q1, point.q2, degree, xp)[..., :, None] * radial[..., None, :]
    return _powers(point.q0, point.q3, degree, xp), right.reshape(*x.shape, -1)


def _powers(re: Any, im: Any, degree: int, xp: Any) -> Any:
    """Re z^m for m = 0 … degree, then Im z^m for m = 1 … degree, on a last axis."""
    step_re, step_im = re[..., None], im[..., None]
    found_re, found_im = xp.ones_like(step_re), xp.zeros_like(step_re)
    while found_re.shape[-1] <= degree:
        # Powers below 2^s, and the same times the power 2^s.
        next_re, next_im = found_re * step_re - found_im * step_im, found_re * step_im + found_im * step_re
        found_re, found_im = xp.concatenate([found_re, next_re], axis=-1), xp.concatenate([found_im, next_im], axis=-1)
        step_re, step_im = step_re * step_re - step_im * step_im, 2.0 * step_re * step_im
    return xp.concatenate([found_re[..., : degree + 1], found_im[..., 1 : degree + 1]], axis=-1)


def _functions(degree: int) -> list[_Function]:
    """Basis functions, in the order of their degree."""
    found = [
        _Function(mu, part_a, nu, part_b, k)
        for mu, nu in product(range(degree + 1), repeat=2)
        for k in range((degree - mu - nu) // 2 + 1)
        for part_a, part_b in product(range(2 if mu else 1), range(2 if nu else 1))
        if mu + nu <= degree
    ]
    return sorted(found, key=lambda function: function.degree)


def _place(function: _Function, degree: int) -> int:
    """Where a function stands among all products."""
    row, column = function.mu + function.part_a * degree, function.nu + function.part_b * degree
    return (row * (2 * degree + 1) + column) * (degree // 2 + 1) + function.k


def _harmonics(functions: list[_Function]) -> np.ndarray:
    """Coefficients of T_k in each Jacobi polynomial, as a matrix on the functions."""
    column = {function: place for place, function in enumerate(functions)}
    matrix = np.zeros((len(functions), len(functions)))
    for row, function in enumerate(functions):
        for k, coefficient in enumerate(_jacobi(function.nu, function.mu, function.k).coef):
            matrix[row, column[function._replace(k=k)]] = coefficient
    return matrix


def _jacobi(alpha: int, beta: int, degree: int) -> Chebyshev:
    """The Jacobi polynomial P_degree^(α,β)."""
    x = Chebyshev([0.0, 1.0])
    before, last = Chebyshev([1.0]), 0.5 * (alpha + beta + 2) * x + 0.5 * (alpha - beta)
    if degree == 0:
        return before
    for k in range(2, degree + 1):
        s = 2 * k + alpha + beta
        first = (s - 1) * (s * (s - 2) * x + alpha**2 - beta**2) * last
        before, last = last, (first - 2 * (k + alpha - 1) * (k + beta - 1) * s * before) / (2 * k * (k + alpha + beta) * (s - 2))
    return last


def _factor(function: _Function) -> float:
    """What makes the sum of squares of the harmonics of one degree n equal to n + 1 everywhere."""
    mu, nu, k = function.mu, function.nu, function.k
    angular = (2 if mu else 1) * (2 if nu else 1)
    return angular * math.comb(k + mu + nu, mu) / math.comb(k + mu, mu)


def _points(degree: int) -> tuple[Point, np.ndarray]:
    """Points and weights, half of the sphere: products that do not vanish by symmetry are the same at q and −q.

    In Euler angles such a product of degree at most 2l holds waves exp(imα), exp(im'γ) up to l, which equidistant angles integrate, and,
    where these are constant, polynomials of cosβ up to degree l, which Gauss's rule does.
    """
    largest = 3 * degree // 2
    angles = 2 * np.pi * np.arange(largest + 1) / (largest + 1)
    nodes, gauss = leggauss(largest // 2 + 1)
    cosine, alpha, gamma = (grid.ravel() for grid in np.meshgrid(nodes, angles, angles, indexing="ij"))
    a, b = np.sqrt(0.5 * (1 + cosine)), np.sqrt(0.5 * (1 - cosine))
    phase_a, phase_b = 0.5 * (alpha + gamma), 0.5 * (alpha - gamma)
    weights = np.repeat(0.5 * gauss / len(angles) ** 2, len(angles) ** 2)
    return Point(a * np.cos(phase_a), b * np.cos(phase_b), b * np.sin(phase_b), a * np.sin(phase_a)), weights
