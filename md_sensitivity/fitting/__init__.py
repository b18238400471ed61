"""Choosing θ: targets, Levenberg and Marquardt's method with exact Jacobians, covariance, certificate."""

from __future__ import annotations

from md_sensitivity.fitting.fit import fit
from md_sensitivity.fitting.result import Fit
from md_sensitivity.fitting.targets import Target

__all__ = ["Fit", "Target", "fit"]
