"""Lattices of integer vectors: a basis from any vectors that span one, and coordinates in which a box of it repeats axis by axis.

Source: Cohen, A Course in Computational Algebraic Number Theory (1993), doi:10.1007/978-3-662-02945-9, section 2.4.
"""

from __future__ import annotations

import numpy as np


def spanned_basis(vectors: np.ndarray) -> np.ndarray:
    """A basis, triangular, of all integer combinations of the vectors.

    Args:
        vectors: integers of rank d, shape=(k, d).

    Returns:
        Rows are the basis, shape=(d, d), the Hermite normal form up to signs and to what stands above its diagonal.
    """
    rest = np.unique(np.asarray(vectors, dtype=np.int64), axis=0)
    basis = []
    for column in range(rest.shape[1]):
        while np.count_nonzero(rest[:, column]) > 1:
            sizes = np.where(rest[:, column] == 0, np.iinfo(np.int64).max, np.abs(rest[:, column]))
            pivot = rest[int(np.argmin(sizes))]
            others = rest - np.outer(rest[:, column] // pivot[column], pivot)
            rest = np.unique(np.vstack([others, pivot]), axis=0)
        last = int(np.argmax(rest[:, column] != 0))
        basis.append(rest[last])
        rest = np.delete(rest, last, axis=0) if len(rest) > 1 else np.zeros_like(rest)
    return np.array(basis)


def diagonalized(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A diagonal s and a unimodular V with U M V = diag(s) for some unimodular U.

    Integer vectors c modulo the rows of M are then told apart by (c V) modulo s.

    Args:
        matrix: M, integers with a determinant other than zero, shape=(d, d).

    Returns:
        s, positive, shape=(d,), and V, shape=(d, d).
    """
    m = np.array(matrix, dtype=np.int64)
    d = len(m)
    v = np.eye(d, dtype=np.int64)
    for k in range(d):
        while np.any(m[k, k + 1 :]) or np.any(m[k + 1 :, k]) or m[k, k] == 0:
            # The smallest entry of row and column k becomes the pivot, and leaves only remainders of the others.
            cross = [(abs(m[k, j]), k, j) for j in range(k, d) if m[k, j]] + [(abs(m[i, k]), i, k) for i in range(k, d) if m[i, k]]
            _, i, j = min(cross)
            m[[k, i]] = m[[i, k]]
            m[:, [k, j]], v[:, [k, j]] = m[:, [j, k]], v[:, [j, k]]
            m[k + 1 :] -= np.outer(m[k + 1 :, k] // m[k, k], m[k])
            times = m[k, k + 1 :] // m[k, k]
            m[:, k + 1 :] -= np.outer(m[:, k], times)
            v[:, k + 1 :] -= np.outer(v[:, k], times)
    return np.abs(np.diag(m)), v
