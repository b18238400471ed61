"""What the run found: tables, a paragraph, and its numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from packing.experiment import CERTIFIED, CONTRADICTED, FLAGGED, Packing, count
from packing.records import UnrolledRecord
from packing.setup import FOLLOWS, Setup
from packing.unrolled import STOPS


def _largest(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return max(found) if found else None


def _median(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return float(np.median(found)) if found else None


def numbers(packings: Sequence[Packing]) -> dict[str, float | int | None]:
    """The run in a few numbers; null where nothing was measured."""
    records = [packing.record for packing in packings]
    solved = [record for record in records if record.implicit is not None]
    through = [record.unrolled for record in records if record.unrolled is not None]
    return {
        "seeds": len(records),
        "certified": count(packings, CERTIFIED),
        "flagged": count(packings, FLAGGED),
        "contradicted": count(packings, CONTRADICTED),
        "with_rattlers": sum(bool(record.minimum.rattlers) for record in records),
        "largest_difference_error": _largest([r.differences.relative_error for r in records if r.differences]),
        "largest_linear_residual": _largest([max(r.implicit.cg_residual, r.implicit.bicgstab_residual) for r in solved if r.implicit]),
        "largest_solver_discrepancy": _largest([r.implicit.discrepancy for r in solved if r.implicit]),
        "largest_mode_discrepancy": _largest([max(r.modes.identity_error, r.modes.row_error) for r in records if r.modes]),
        "median_l1": _median([r.norms.l1 for r in records if r.norms]),
        "largest_l1": _largest([r.norms.l1 for r in records if r.norms]),
        "unrolled": len(through),
        "unrolled_agree": sum(u.agrees for u in through),
        "unrolled_backbone_agree": sum(u.backbone_agrees for u in through),
        "unrolled_with_rattlers": sum(u.rattlers > 0 for u in through),
        "unrolled_not_finite": sum(u.l1 is None for u in through),
        "unrolled_median_l1": _median([u.l1 for u in through]),
        "unrolled_largest_l1": _largest([u.l1 for u in through]),
        "unrolled_median_peak_l1": _median([u.peak_l1 for u in through]),
    }


def table(packings: Sequence[Packing]) -> str:
    """One line for each seed, and the reasons where there are no numbers."""
    head = (
        f"{'seed':>4} {'status':12} {'max force':>9} {'rattlers':>8} {'|dx/dθ|₁':>9} {'residual':>9} {'CG/BiCG':>8} {'jvp/vjp':>8} "
        f"{'differences':>11}"
    )
    return "\n".join([head, *(_line(packing) for packing in packings)])


def _line(packing: Packing) -> str:
    r = packing.record
    i, m, d = r.implicit, r.modes, r.differences
    line = (
        f"{r.seed:4d} {r.status:12} {_number(r.minimum.max_force):>9} {len(r.minimum.rattlers):8d} {_number(r.norms and r.norms.l1, 4):>9} "
        f"{_number(i and max(i.cg_residual, i.bicgstab_residual)):>9} {_number(i and i.discrepancy):>8} "
        f"{_number(m and max(m.identity_error, m.row_error)):>8} {_number(d and d.relative_error):>11}"
    )
    return line + (f"\n     {r.reason}" if r.reason else "")


def unrolled_table(packings: Sequence[Packing]) -> str:
    """One line for each seed that was unrolled; empty where none was."""
    lines = [_unrolled_line(packing.record.seed, packing.record.unrolled) for packing in packings if packing.record.unrolled]
    head = f"{'seed':>4} {'FIRE steps':>10} {'rattlers':>8} {'unrolled':>9} {'implicit':>9} {'discrepancy':>11} {'backbone':>9} {'peak':>8}"
    return "\n".join([head, *lines]) if lines else ""


def _unrolled_line(seed: int, u: UnrolledRecord) -> str:
    line = (
        f"{seed:4d} {u.steps:10d} {u.rattlers:8d} {_number(u.l1, 4):>9} {_number(u.implicit_l1, 4):>9} {_number(u.relative_error):>11} "
        f"{_number(u.backbone_relative_error):>9} {_number(u.peak_l1):>8}"
    )
    return line + (f"\n     {u.reason}" if u.reason else "")


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}g}"


def paragraph(setup: Setup, packings: Sequence[Packing]) -> str:
    """What was found, in words."""
    n = numbers(packings)
    box = "box following the diameter (derivatives relative to the box)" if setup.box == FOLLOWS else "fixed box"
    text = (
        f"{setup.particles} discs, packing fraction {setup.packing_fraction:g}, {box}: {n['certified']} of {n['seeds']} seeds certified, "
        f"{n['flagged']} flagged, {n['contradicted']} contradicted; {n['with_rattlers']} have rattlers."
    )
    if n["median_l1"] is not None:
        text += (
            f" Implicit derivatives differ from re-minimized differences by at most {_number(n['largest_difference_error'])}, "
            f"CG from BiCGSTAB by {_number(n['largest_solver_discrepancy'])}, jvp from vjp by {_number(n['largest_mode_discrepancy'])}; "
            f"L1 norms: median {_number(n['median_l1'], 3)}, largest {_number(n['largest_l1'], 3)}."
        )
    if n["unrolled"]:
        text += (
            f" Unrolled through FIRE down to a force of {STOPS[-1]:g}: right in {n['unrolled_agree']} of {n['unrolled']} seeds, on the "
            f"backbone alone in {n['unrolled_backbone_agree']}; {n['unrolled_with_rattlers']} of FIRE's packings have rattlers; L1 norms: "
            f"median {_number(n['unrolled_median_l1'], 3)}, largest {_number(n['unrolled_largest_l1'], 3)}, and "
            f"{_number(n['unrolled_median_peak_l1'], 2)} (median) at their peak on the way; {n['unrolled_not_finite']} not finite."
        )
    return text
