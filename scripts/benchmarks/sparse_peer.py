"""The sparse route, one parameter at a time: the Hessian assembled once from pair blocks, then one scipy solve for each parameter.

What programs like LammpsImplicitDerivative do. Independent of md_sensitivity: neighbors from a k-d tree, derivatives of the
Lennard-Jones formula written out, numpy and scipy only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
import scipy.spatial

from benchmarks.systems import CUTOFF, Crystal

RELATIVE_RESIDUAL = 1e-9
"""What each solve is asked for; its derivative is then right to some 1e-8."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs within the cutoff, each once: unit vectors from i to j, distances, and which pair of types."""

    i: np.ndarray
    j: np.ndarray
    unit: np.ndarray
    r: np.ndarray
    kind: np.ndarray


def pairs_at(made: Crystal, positions: np.ndarray) -> Pairs:
    """Neighbors at the given positions."""
    wrapped = positions % made.edge
    tree = scipy.spatial.cKDTree(wrapped, boxsize=made.edge)
    i, j = tree.query_pairs(CUTOFF, output_type="ndarray").T
    d = wrapped[j] - wrapped[i]
    d -= made.edge * np.round(d / made.edge)
    r = np.linalg.norm(d, axis=1)
    table = np.zeros((len(made.species),) * 2, dtype=np.int64)
    for k, (a, b) in enumerate(made.pairs):
        table[a, b] = table[b, a] = k
    return Pairs(i=i, j=j, unit=d / r[:, None], r=r, kind=table[made.kinds[i], made.kinds[j]])


def hessian(made: Crystal, pairs: Pairs) -> scipy.sparse.csr_matrix:
    """∂²E/∂x², shape=(3n, 3n) [eV/Å²]."""
    n, r = made.size, pairs.r
    s6, e = (made.sigma[pairs.kind] / r) ** 6, made.epsilon[pairs.kind]
    slope = 4.0 * e * (6.0 * s6 - 12.0 * s6**2) / r
    curvature = 4.0 * e * (156.0 * s6**2 - 42.0 * s6) / r**2
    along, across = curvature - slope / r, slope / r
    blocks = along[:, None, None] * pairs.unit[:, :, None] * pairs.unit[:, None, :] + across[:, None, None] * np.eye(3)
    diagonal = np.zeros((n, 3, 3))
    np.add.at(diagonal, pairs.i, blocks)
    np.add.at(diagonal, pairs.j, blocks)
    atoms = np.arange(n)
    rows, columns = np.concatenate([pairs.i, pairs.j, atoms]), np.concatenate([pairs.j, pairs.i, atoms])
    order = np.argsort(rows, kind="stable")
    data = np.concatenate([-blocks, -blocks, diagonal])[order]
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=n))])
    return scipy.sparse.bsr_matrix((data, columns[order], starts), shape=(3 * n, 3 * n)).tocsr()


def mixed_column(made: Crystal, pairs: Pairs, parameter: str, index: int) -> np.ndarray:
    """∂²E/∂x∂θ for σ or ε of one pair of types, shape=(3n,)."""
    mine = pairs.kind == index
    i, j, r, unit = pairs.i[mine], pairs.j[mine], pairs.r[mine], pairs.unit[mine]
    sigma, epsilon = made.sigma[index], made.epsilon[index]
    s6 = (sigma / r) ** 6
    if parameter == "epsilon":
        change = 4.0 * (6.0 * s6 - 12.0 * s6**2) / r
    else:
        change = 4.0 * epsilon * (36.0 * s6 - 144.0 * s6**2) / (sigma * r)
    pull = change[:, None] * unit
    column = np.zeros((made.size, 3))
    np.add.at(column, j, pull)
    np.add.at(column, i, -pull)
    return column.reshape(-1)


def derivatives(made: Crystal, positions: np.ndarray, parameters: list[tuple[str, int]]) -> np.ndarray:
    """dx*/dθ of each parameter (name, pair of types) at a minimum, shape=(p, n, 3) [Å per unit].

    Raises:
        RuntimeError: where a solve fails.
    """
    pairs = pairs_at(made, positions)
    matrix = hessian(made, pairs)
    found = []
    for parameter, index in parameters:
        b = -mixed_column(made, pairs, parameter, index)
        column, failed = scipy.sparse.linalg.cg(matrix, b, rtol=RELATIVE_RESIDUAL, maxiter=5000)
        if failed:
            raise RuntimeError(f"scipy's conjugate gradients did not converge for {parameter} of pair {index}")
        found.append(column.reshape(-1, 3))
    return np.stack(found) - np.mean(found, axis=1, keepdims=True)
