"""The result of a computation that failed: what was tried, why it failed, and no numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from md_sensitivity.analysis.result import ForceFieldInfo, Result, ResultDocument, StructureInfo, Timings
from md_sensitivity.files import legible

if TYPE_CHECKING:
    from md_sensitivity.forcefields import ForceField
    from md_sensitivity.types import Structure


def failed_result(structure: Structure, force_field: ForceField, *, name: str, message: str, seconds: float) -> Result:
    """A result with the status "failed"."""
    document = ResultDocument(
        status="failed",
        message=message,
        structure=StructureInfo(
            path=legible(structure.path),
            sha256=structure.sha256,
            formula=structure.formula,
            atoms=structure.size,
            periodic=[bool(periodic) for periodic in structure.pbc],
        ),
        force_field=ForceFieldInfo(
            path=legible(force_field.path), sha256=force_field.sha256, name=force_field.name, units=force_field.units.name
        ),
        equilibrium=None,
        position_norm=None,
        parameters=[],
        observables=[],
        certificate=None,
        timings=Timings(minimize_s=0.0, differentiate_s=0.0, total_s=seconds),
    )
    return Result(name=name, document=document, arrays={"numbers": np.asarray(structure.numbers)}, structure=structure)
