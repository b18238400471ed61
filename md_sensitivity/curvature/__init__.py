"""Everything about H = ∂²E/∂x²: products, zero modes, spectrum, linear solvers."""

from md_sensitivity.curvature.solvers import SOLVERS

__all__ = ["SOLVERS"]
