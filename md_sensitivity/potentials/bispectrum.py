"""The bispectrum of a density on the hypersphere: integrals of products of three of its parts.

Let f_n(q) = Σ_e w_e U_n(cos ω(q, q_e)) be the part of degree n = 2j of the density Σ_e w_e δ(q, q_e). The component of (j1, j2, j) is

    B = (2j + 1) ∫ f_2j1 f_2j2 f_2j dq,    ∫ dq = 1,

because the integral of three elements of D-matrices is a product of two Clebsch–Gordan coefficients over 2j + 1. No such coefficient is
needed: f is a matrix times the sums over neighbors, the integral a sum over points, which is exact, and so are all derivatives.

Sources: Bartók, Payne, Kondor and Csányi, doi:10.1103/PhysRevLett.104.136403; Thompson et al., doi:10.1016/j.jcp.2014.12.018; several
elements: Cusentino, Wood and Thompson, doi:10.1021/acs.jpca.0c02450.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class Component(NamedTuple):
    """One component of the bispectrum.

    Attributes:
        parts: numbers of the three functions, of which those of one element stand together, degree by degree.
        elements: of which elements these densities are.
        size: 2j + 1.
    """

    parts: tuple[int, int, int]
    elements: tuple[int, int, int]
    size: int


def components(twojmax: int, elements: int) -> tuple[Component, ...]:
    """All components with j2 ≤ j1 ≤ j, in the order of LAMMPS: ordered triples of elements, then (j1, j2, j)."""
    triples = [
        (j1, j2, j)
        for j1 in range(twojmax + 1)
        for j2 in range(j1 + 1)
        for j in range(max(j1, j1 - j2), min(twojmax, j1 + j2) + 1)
        if (j1 + j2 + j) % 2 == 0
    ]
    width = twojmax + 1
    return tuple(
        Component((a * width + j1, b * width + j2, c * width + j), (a, b, c), j + 1)
        for a, b, c in product(range(elements), repeat=3)
        for j1, j2, j in triples
    )


def weighted_sum(
    parts: Sequence[jax.Array], weights: np.ndarray, of: Sequence[Component], strengths: Sequence[jax.Array]
) -> jax.Array:
    """Σ_k s_k ∫ fff of some components, shape=(n,); strengths are numbers, or arrays of shape=(n,).

    Args:
        parts: values of the functions at the points, shape=(points, n) each.
        weights: of the points, shape=(points,).
    """
    # Products of the same three functions in any order are one; those that share two functions share their product.
    cubic: dict[tuple[int, int], dict[int, jax.Array]] = {}
    for component, strength in zip(of, strengths, strict=True):
        first, second, third = sorted(component.parts)
        row = cubic.setdefault((first, second), {})
        row[third] = row[third] + strength if third in row else strength
    total = sum(parts[i] * parts[j] * sum(strength * parts[k] for k, strength in row.items()) for (i, j), row in cubic.items())
    return jnp.asarray(weights) @ total


def integrals(parts: Sequence[jax.Array], weights: np.ndarray, of: Sequence[Component]) -> jax.Array:
    """∫ fff of each component, shape=(components, n)."""
    at = jnp.asarray(weights)
    return jnp.stack([at @ (parts[i] * parts[j] * parts[k]) for (i, j, k), _, _ in of])
