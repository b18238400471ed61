"""Why displacements are known to few digits, in plain language: which motion is soft, how much that costs, and what helps."""

from __future__ import annotations

import math

from md_sensitivity.analysis.result import EquilibriumInfo, ResultDocument
from md_sensitivity.reports.text import pretty

PRECISE = 1e-6
"""Relative errors up to this are as good as numbers get used."""
SOFT_EIGENVALUE = 0.1
"""[eV/Å²]; bonds have tens, torsions and molecules that turn against each other hundredths."""
LEAST_FORCE = 1e-12
"""[eV/Å]; a smaller --fmax is not advised, since rounding may keep forces above it."""


def is_soft(document: ResultDocument) -> bool:
    """Whether small forces displace the structure far along some motion."""
    equilibrium = document.equilibrium
    if equilibrium is None or equilibrium.lowest_eigenvalue is None:
        return False
    return bool(_atoms(equilibrium)) or (equilibrium.force_unit != "reduced" and equilibrium.lowest_eigenvalue < SOFT_EIGENVALUE)


def digits(estimate: float) -> str:
    """A relative error in words."""
    right = math.floor(-math.log10(estimate))
    if right < 1:
        return "no digit is certain"
    return f"{'one digit is' if right == 1 else f'about {right} digits are'} right (error up to {pretty(100 * estimate, 2)} %)"


def doubt(document: ResultDocument) -> str:
    """What stands behind an error estimate that is not small: the cause, its size, and what to do."""
    certificate, equilibrium = document.certificate, document.equilibrium
    if certificate is None or certificate.error_estimate is None:
        return ""
    size = digits(certificate.error_estimate)
    sentences = [f"Of the largest displacements {size}; what hardly moves along with them is known better."]
    if equilibrium is not None and equilibrium.lowest_eigenvalue is not None:
        sentences = [_cause(equilibrium, soft=is_soft(document)), *sentences, _advice(equilibrium, certificate.error_estimate)]
    if (certificate.relative_residual or 0.0) > 1e-3 * PRECISE:
        sentences.append("The linear residual has a part in it: compare another --solver.")
    return " ".join(sentences)


def _cause(equilibrium: EquilibriumInfo, *, soft: bool) -> str:
    unit = "" if equilibrium.force_unit == "reduced" else f" {equilibrium.force_unit}"
    per_length = "" if equilibrium.force_unit == "reduced" else " eV/Å²"
    atoms = _atoms(equilibrium)
    named = f", in which {'atoms' if len(atoms) > 1 else 'atom'} {', '.join(map(str, atoms))} move most," if atoms else ""
    named = named.replace("move most", "moves most") if len(atoms) == 1 else named
    motion = f"its softest motion{named} has an eigenvalue of only {pretty(equilibrium.lowest_eigenvalue, 2)}{per_length}"
    rest = f"what is left of the forces, {pretty(equilibrium.max_force, 2)}{unit}, displaces it noticeably"
    if soft:
        return f"The structure is soft: {motion}, so that {rest}."
    return f"The forces are not quite zero: {pretty(equilibrium.max_force, 2)}{unit} are left, and displace the structure noticeably."


def _advice(equilibrium: EquilibriumInfo, estimate: float) -> str:
    """Which forces would make the estimate small, if the forces are its cause."""
    needed = equilibrium.max_force * PRECISE / estimate
    if needed >= LEAST_FORCE:
        return f"Smaller forces help: --fmax {10.0 ** math.floor(math.log10(needed)):.0e}."
    return "The forces are nearly as small as 64-bit numbers allow: take fewer digits, or an observable that does not follow this motion."


def _atoms(equilibrium: EquilibriumInfo) -> list[int]:
    return equilibrium.softest_atoms if isinstance(equilibrium.softest_atoms, list) else []
