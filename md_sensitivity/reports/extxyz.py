"""`relaxed.extxyz`: the minimized structure, with the response of every atom as columns."""

from __future__ import annotations

import re
from collections.abc import Iterable

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
    """Column name → dx*/dθ, shape=(n, 3), in the order of the parameters."""
    dpositions, norm = result.arrays.get("dpositions"), result.document.position_norm
    if dpositions is None or norm is None:
        return {}
    chosen = [p for p, size in enumerate(norm.l2) if size is not None]
    if len(chosen) > MAX_PARAMETERS:
        responsive = most_responsive(result.document)
        chosen = sorted([*responsive, *(p for p in chosen if p not in set(responsive))][:MAX_PARAMETERS])
    names = column_names(result.document.parameters[p].name for p in chosen)
    return dict(zip(names, (dpositions[p] for p in chosen), strict=True))


def column_names(parameters: Iterable[str]) -> list[str]:
    """Names that extxyz can carry, each once: spaces, colons, quotes, brackets and the like become `_`."""
    names: list[str] = []
    for parameter in parameters:
        plain = "MDS_d_" + re.sub(r"[^A-Za-z0-9_.~*+-]", "_", parameter)
        name, count = plain, 1
        while name in names:
            count += 1
            name = f"{plain}_{count}"
        names.append(name)
    return names
