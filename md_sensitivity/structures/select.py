"""Choosing atoms by indices, element, type, or an MDTraj expression."""

from __future__ import annotations

import re

import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.registry import did_you_mean
from md_sensitivity.structures.boundary import quoted
from md_sensitivity.types import Structure

_INDICES = re.compile(r"\s*\d+(\s*-\s*\d+)?(\s*,\s*\d+(\s*-\s*\d+)?)*\s*,?\s*")


def select(structure: Structure, expression: str) -> np.ndarray:
    """Which atoms an expression means, shape=(n,), bool.

    Args:
        structure: whose atoms.
        expression: 0-based indices and inclusive ranges `0,3,7-12`; or `element:Si`, `type:A`, with several names as `type:A,B`; or an
            MDTraj selection such as `name CA and resid 0 to 9`.

    Raises:
        UsageError: the expression is no such thing, names atoms that do not exist, or means no atom.
    """
    if not expression.strip():
        raise UsageError("the selection is empty; write indices (0,3,7-12), element:Si, type:A, or an MDTraj expression")
    kind, colon, names = expression.partition(":")
    if _INDICES.fullmatch(expression):
        mask = _by_indices(structure.size, expression)
    elif colon and kind.strip() in ("element", "type"):
        mask = _by_name(structure, kind.strip(), names, expression)
    else:
        mask = _by_mdtraj(structure, expression)
    if not mask.any():
        raise UsageError(f"selection {expression!r} means none of the {structure.size} atoms")
    return mask


def _by_indices(size: int, expression: str) -> np.ndarray:
    mask = np.zeros(size, dtype=bool)
    for part in filter(None, expression.replace(" ", "").split(",")):
        first, _, last = part.partition("-")
        if len(first) > 15 or len(last) > 15 or max(int(first), int(last or first)) >= size:
            raise UsageError(f"selection {expression!r}: there is no atom {last or first}; atoms are numbered from 0 to {size - 1}")
        if last and int(last) < int(first):
            raise UsageError(f"selection {expression!r}: range {part} runs backwards")
        mask[int(first) : int(last or first) + 1] = True
    return mask


def _by_name(structure: Structure, kind: str, names: str, expression: str) -> np.ndarray:
    labels = structure.symbols if kind == "element" else structure.types
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = sorted(set(labels))
    for name in wanted:
        if name not in known:
            listed = ", ".join(known[:20])
            raise UsageError(f"selection {expression!r}: there is no {kind} {name!r}{did_you_mean(name, known)}; there are: {listed}")
    return np.isin(np.array(labels), wanted) if wanted else np.zeros(structure.size, dtype=bool)


def _by_mdtraj(structure: Structure, expression: str) -> np.ndarray:
    from md_sensitivity.structures.mdtraj import topology_of

    topology = topology_of(structure)
    try:
        chosen = np.asarray(topology.select(expression), dtype=np.int64)
    except Exception as error:  # MDTraj leaks the classes of its parser and of the expressions it evaluates
        raise UsageError(
            f"selection {expression!r} is neither indices (0,3,7-12), nor element:Si or type:A, nor an MDTraj expression ({quoted(error)})"
        ) from error
    mask = np.zeros(structure.size, dtype=bool)
    mask[chosen] = True
    return mask
