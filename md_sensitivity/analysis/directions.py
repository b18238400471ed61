"""Directions in parameter space, most of whose numbers are zero: one for each chosen parameter, with all that follows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array, eye_array

from md_sensitivity.forcefields import ForceField, Parameters, ParameterTable


@dataclass(frozen=True, kw_only=True, eq=False)
class Directions:
    """p directions; a million of them cost what their nonzero numbers do, as long as nobody asks for `tree`.

    Attributes:
        table: of the force field.
        matrix: rows are directions, columns follow the table; shape=(p, all parameters).
    """

    table: ParameterTable
    matrix: csr_array

    def __len__(self) -> int:
        return int(self.matrix.shape[0])

    @property
    def tree(self) -> Parameters:
        """All numbers, a tree like θ with a leading axis p."""
        return self.table.unravel(self.matrix.toarray())

    def along(self, gradients: Any) -> np.ndarray:
        """⟨each gradient, each direction⟩ of gradients that are a tree like θ with a leading axis k; shape=(k, p)."""
        return np.asarray((self.matrix @ self.table.ravel(gradients).T).T)

    def combined(self, amounts: np.ndarray) -> np.ndarray:
        """Sum of the directions, each times an amount of `amounts`, shape=(p,); a vector in the order of the table."""
        return np.asarray(self.matrix.T @ amounts)

    def touching(self, flags: Any) -> np.ndarray:
        """Whether each direction changes a flagged number, shape=(p,); flags are a tree like θ."""
        return np.asarray(abs(self.matrix) @ self.table.ravel(flags)) > 0.0


def directions_of(force_field: ForceField, indices: Sequence[int] | np.ndarray) -> Directions:
    """Unit steps of some parameters, with what follows them to first order."""
    table = force_field.table
    moved = force_field.relations.jacobian(table.values).T.tocsr() if len(force_field.relations) else eye_array(len(table), format="csr")
    return Directions(table=table, matrix=csr_array(moved[np.asarray(indices, dtype=np.int64)]))
