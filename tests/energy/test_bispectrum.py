"""The bispectrum is what its definition by Clebsch-Gordan coefficients says, and invariant."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
import pytest

from md_sensitivity.potentials.bispectrum import components, integrals, weighted_sum
from md_sensitivity.potentials.hypersphere import Point, expansion, moments


def unit_quaternions(count: int, seed: int) -> np.ndarray:
    q = np.random.default_rng(seed).normal(size=(4, count))
    return q / np.linalg.norm(q, axis=0)


def wigner(q: np.ndarray, twoj: int) -> np.ndarray:
    """The rotation q in the representation of j: how it acts on homogeneous polynomials of two variables, shape=(2j + 1, 2j + 1)."""
    a, b = q[0] + 1j * q[3], q[1] + 1j * q[2]
    found = np.zeros((twoj + 1, twoj + 1), dtype=complex)
    for column in range(twoj + 1):  # the image of u^column v^(twoj − column)
        image = np.polynomial.Polynomial([-b.conjugate(), a]) ** column * np.polynomial.Polynomial([a.conjugate(), b]) ** (twoj - column)
        found[: len(image.coef), column] = image.coef
    norm = np.sqrt([math.factorial(k) * math.factorial(twoj - k) for k in range(twoj + 1)])
    return found * norm[:, None] / norm[None, :]


def clebsch_gordan(j1: int, j2: int, j: int) -> np.ndarray:
    """⟨j1 m1 j2 m2 | j m⟩ by Racah's formula; arguments are twice the spins, indices j + m, shape=(2j1 + 1, 2j2 + 1, 2j + 1)."""
    f = math.factorial
    found = np.zeros((j1 + 1, j2 + 1, j + 1))
    sides = f((j1 + j2 - j) // 2) * f((j1 - j2 + j) // 2) * f((j2 - j1 + j) // 2) * (j + 1) / f((j1 + j2 + j) // 2 + 1)
    for p1 in range(j1 + 1):
        for p2 in range(j2 + 1):
            p = p1 + p2 - (j1 + j2 - j) // 2
            if not 0 <= p <= j:
                continue
            ends = f(p1) * f(j1 - p1) * f(p2) * f(j2 - p2) * f(p) * f(j - p)
            total = 0.0
            for t in range(j1 + j2 + 1):
                below = (t, (j1 + j2 - j) // 2 - t, j1 - p1 - t, p2 - t, (j - j2 - j1) // 2 + p1 + t, (j - j1 + j2) // 2 - p2 + t)
                if min(below) >= 0:
                    total += (-1) ** t / math.prod(f(k) for k in below)
            found[p1, p2, p] = math.sqrt(sides * ends) * total
    return found


def bispectrum(q: np.ndarray, w: np.ndarray, degree: int) -> np.ndarray:
    """∫ fff of a density, by this package."""
    space = expansion(degree)
    found = moments(Point(*(jnp.asarray(part)[None] for part in q)), jnp.asarray(w)[None], degree)
    return np.asarray(integrals(space.parts(found), space.weights, components(degree, 1)))[:, 0]


@pytest.mark.parametrize("degree", [1, 2, 5, 6])
def test_components_are_sums_with_clebsch_gordan_coefficients(degree: int) -> None:
    q, w = unit_quaternions(5, 1), np.random.default_rng(2).uniform(0.2, 1.0, size=5)
    u = [sum(weight * wigner(q[:, e], n) for e, weight in enumerate(w)) for n in range(degree + 1)]
    wanted = []
    for (j1, j2, j), _, size in components(degree, 1):
        c = clebsch_gordan(j1, j2, j)
        coupled = np.einsum("abm,cdn,ac,bd->mn", c, c, u[j1], u[j2])
        wanted.append(np.sum(coupled * u[j].conjugate()) / size)
    assert np.abs(np.imag(wanted)).max() < 1e-12
    assert np.allclose(bispectrum(q, w, degree), np.real(wanted), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("degree", [0, 3, 8, 14])
def test_each_part_of_one_neighbor_is_normalized(degree: int) -> None:
    space, q = expansion(degree), unit_quaternions(3, 3)
    assert math.isclose(space.weights.sum(), 1.0, rel_tol=1e-13)
    found = moments(Point(*(jnp.asarray(part)[:, None] for part in q)), jnp.ones((3, 1)), degree)
    # U_n has the square norm 1 over the rotations.
    for part, pole in zip(space.parts(found), space.pole, strict=True):
        assert np.allclose(space.weights @ np.asarray(part) ** 2, 1.0, rtol=1e-11)
        assert math.isclose(float(space.weights @ pole**2), 1.0, rel_tol=1e-11)
        assert part.shape == (len(space.weights), 3)


def test_each_part_is_a_chebyshev_polynomial_of_the_angle_to_the_neighbor() -> None:
    degree, space, q = 5, expansion(5), unit_quaternions(2, 8)
    found = moments(Point(*(jnp.asarray(part)[:, None] for part in q)), jnp.ones((2, 1)), degree)
    # The pole sees a point under the angle whose cosine is q0, and U_1 = 2 cos ω tells it.
    cosine = 0.5 * np.asarray(space.pole[1])
    for n, pole in enumerate(space.pole):
        assert np.allclose(pole * np.sqrt(1.0 - cosine**2), np.sin((n + 1) * np.arccos(cosine)), atol=1e-12)
    # Reproduction: ∫ U_n(cos ω(q, q1)) U_n(cos ω(q, q2)) dq = U_n(cos ω(q1, q2))/(n + 1).
    between = np.arccos(q[:, 0] @ q[:, 1])
    for n, part in enumerate(space.parts(found)):
        wanted = np.sin((n + 1) * between) / np.sin(between) / (n + 1)
        assert np.allclose(space.weights @ (np.asarray(part[:, 0]) * np.asarray(part[:, 1])), wanted, atol=1e-12)


def test_a_bispectrum_is_the_same_after_rotations_of_either_side() -> None:
    def times(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        vector = p[0] * q[1:] + q[0] * p[1:] + np.cross(p[1:], q[1:], axis=0)
        return np.concatenate([(p[0] * q[0] - (p[1:] * q[1:]).sum(axis=0))[None], vector])

    q, w = unit_quaternions(4, 4), np.array([1.0, 0.7, -0.4, 0.9])
    left, right = (np.repeat(unit_quaternions(1, seed), 4, axis=1) for seed in (5, 6))
    assert np.allclose(bispectrum(q, w, 6), bispectrum(times(times(left, q), right), w, 6), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("degree", "elements", "count"), [(6, 1, 30), (8, 1, 55), (5, 1, 20), (0, 1, 1), (6, 2, 240)])
def test_components_are_as_many_as_published(degree: int, elements: int, count: int) -> None:
    assert len(components(degree, elements)) == count


def test_a_weighted_sum_is_that_of_its_integrals() -> None:
    rng = np.random.default_rng(7)
    of = components(2, 2)
    parts = [jnp.asarray(rng.normal(size=(9, 3))) for _ in range(6)]
    weights, strengths = rng.uniform(size=9), rng.normal(size=len(of))
    wanted = strengths @ np.asarray(integrals(parts, weights, of))
    assert np.allclose(weighted_sum(parts, weights, of, list(jnp.asarray(strengths))), wanted, rtol=1e-12)
