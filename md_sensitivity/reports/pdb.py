"""`response.pdb`: the minimized structure with |dx/dθ| as B-factor, for molecular viewers."""

from __future__ import annotations

import numpy as np

from md_sensitivity.analysis.result import Result
from md_sensitivity.reports.ranking import most_responsive
from md_sensitivity.reports.text import ascii_only, per


def has_residues(result: Result) -> bool:
    """Whether the structure names residues, so that a molecular viewer is likely."""
    return bool(result.structure.residue_names)


def has_response(result: Result) -> bool:
    """Whether there is a response to show."""
    return {"positions", "dpositions"} <= set(result.arrays) and result.document.position_norm is not None


def result_pdb(result: Result) -> str:
    """Minimized positions; B-factors are |dx/dθ| of the most responsive parameter. Title and remarks name it, its unit and scale."""
    from md_sensitivity.structures.write import bfactor_pdb

    bfactors, title = response_bfactors(result)
    return bfactor_pdb(result.structure, result.arrays["positions"], result.arrays["cell"], bfactors, title)


def response_bfactors(result: Result) -> tuple[np.ndarray, str]:
    """B-factors, shape=(n,), and the title that explains them."""
    order = most_responsive(result.document, 1)
    if not order:
        return np.zeros(len(result.arrays["positions"])), f"{result.name}: no parameter moves an atom"
    parameter = result.document.parameters[order[0]]
    size = np.linalg.norm(result.arrays["dpositions"][order[0]], axis=1)
    unit = "" if parameter.unit == "reduced" else f" [{ascii_only(per('Å', parameter.unit))}]"
    return size, f"B = |dx/d {parameter.name}|{unit}"
