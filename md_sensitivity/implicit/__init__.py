"""dx*/dθ: implicit differentiation of any optimality condition, and of equilibria."""

from md_sensitivity.implicit.equilibrium import Response, equilibrium_jacobian, equilibrium_jvp, equilibrium_solve, equilibrium_vjp
from md_sensitivity.implicit.linear import LinearSolve, linear_solver
from md_sensitivity.implicit.relaxed import relaxed_positions
from md_sensitivity.implicit.root import implicit_root, root_jvp, root_vjp
from md_sensitivity.implicit.second_order import Path, second_response

__all__ = [
    "LinearSolve",
    "Path",
    "Response",
    "equilibrium_jacobian",
    "equilibrium_jvp",
    "equilibrium_solve",
    "equilibrium_vjp",
    "implicit_root",
    "linear_solver",
    "relaxed_positions",
    "root_jvp",
    "root_vjp",
    "second_response",
]
