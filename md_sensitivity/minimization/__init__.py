"""x*(θ): energy minimization."""

from md_sensitivity.minimization.base import Method, Minimizer
from md_sensitivity.minimization.chord import Stored, stored_of
from md_sensitivity.minimization.equilibrium import Equilibrium
from md_sensitivity.minimization.fire import FIRE
from md_sensitivity.minimization.lbfgs import LBFGS
from md_sensitivity.minimization.minimize import minimize, polish, raise_unless_minimum
from md_sensitivity.minimization.newton import NEWTON
from md_sensitivity.registry import Registry

__all__ = ["MINIMIZERS", "Equilibrium", "Stored", "minimize", "polish", "raise_unless_minimum", "stored_of"]


def _alone(method: Method) -> Minimizer:
    return Minimizer(name=method.name, description=method.description, stages=(method,))


def _then(first: Method, second: Method) -> Minimizer:
    return Minimizer(
        name=f"{first.name}+{second.name}",
        description=f"{first.name} to short steps, then {second.name} to rounding",
        stages=(first, second),
    )


MINIMIZERS: Registry[Minimizer] = Registry(
    "minimizer", (_then(LBFGS, NEWTON), _then(FIRE, NEWTON), _alone(LBFGS), _alone(FIRE), _alone(NEWTON))
)
