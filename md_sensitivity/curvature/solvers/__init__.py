"""Linear solvers, in one table."""

from md_sensitivity.curvature.solvers.base import STATUS_TEXT, Solution, Solver
from md_sensitivity.curvature.solvers.cg import CG, MIXED_CG, PCG
from md_sensitivity.curvature.solvers.dense import DENSE
from md_sensitivity.curvature.solvers.krylov import BICGSTAB, GMRES
from md_sensitivity.curvature.solvers.minres import MINRES
from md_sensitivity.registry import Registry

__all__ = ["SOLVERS", "STATUS_TEXT", "Solution", "Solver"]

SOLVERS: Registry[Solver] = Registry("solver", (CG, PCG, MIXED_CG, MINRES, BICGSTAB, GMRES, DENSE))
