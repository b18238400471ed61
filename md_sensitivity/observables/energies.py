"""Energy."""

from __future__ import annotations

from md_sensitivity.observables.base import ObservableKind

ENERGY = ObservableKind(
    name="energy",
    description="potential energy of the relaxed structure",
    unit="eV",
    evaluate=lambda energy, x, theta, data: energy.strained(x, theta, None),
)
