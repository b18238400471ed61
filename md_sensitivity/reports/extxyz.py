"""`relaxed.extxyz`: the minimized structure, with the response of every atom as columns."""

from __future__ import annotations

import numpy as np

from md_sensitivity.analysis.result import Result
from md_sensitivity.reports.ranking import most_responsive

MAX_PARAMETERS = 50
"""Columns get unwieldy beyond; `arrays.npz` holds all."""


def has_positions(result: Result) -> bool:
    """Whether there is a minimized structure to write."""
    return "positions" in result.arrays


def result_extxyz(result: Result) -> str:
    """Minimized positions with columns `MDS_d_<parameter>`, dx*/dθ [Å per parameter unit].

    Where there are more than 50 parameters, those with the largest response to a relative change; never one whose derivative does
    not exist.
    """
    from md_sensitivity.structures.write import relaxed_extxyz

    return relaxed_extxyz(result.structure, result.arrays["positions"], result.arrays["cell"], response_columns(result))


def response_columns(result: Result) -> dict[str, np.ndarray]:
    """Column name → dx*/dθ, shape=(n, 3), in the order of the parameters; `relaxed_extxyz` replaces what a name cannot hold."""
    dpositions, norm = result.arrays.get("dpositions"), result.document.position_norm
    if dpositions is None or norm is None:
        return {}
    chosen = [p for p, size in enumerate(norm.l2) if size is not None]
    if len(chosen) > MAX_PARAMETERS:
        responsive = most_responsive(result.document)
        chosen = sorted([*responsive, *(p for p in chosen if p not in set(responsive))][:MAX_PARAMETERS])
    return {f"MDS_d_{result.document.parameters[p].name}": dpositions[p] for p in chosen}
