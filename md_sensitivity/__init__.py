"""Exact derivatives of minimum-energy structures with respect to force-field parameters.

    structure = mds.read_structure("structure.extxyz")
    force_field = mds.read_force_field("force_field.toml")
    system = mds.build_system(structure, force_field)
    energy = mds.energy_function(system)                                  # E(x, θ)
    equilibrium = mds.minimize(energy, system.positions, force_field.parameters)
    result = mds.sensitivity(mds.observable("radius_of_gyration"), energy, equilibrium)

Importing this package imports nothing heavy and changes no setting; each name is loaded when it is first used. Derivatives need
64-bit floats: `jax.config.update("jax_enable_x64", True)`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from md_sensitivity.errors import MdSensitivityError

if TYPE_CHECKING:
    from md_sensitivity.analysis.expansion import Expansion, energy_hessian, expand
    from md_sensitivity.analysis.formation import formation
    from md_sensitivity.analysis.sensitivity import sensitivity
    from md_sensitivity.building import build_system
    from md_sensitivity.energy import Deformed
    from md_sensitivity.enthalpy import enthalpy_function
    from md_sensitivity.fitting import Fit, Target, fit
    from md_sensitivity.forcefields import ForceField, read_force_field
    from md_sensitivity.forcefields.models import model_force_field, model_parameters
    from md_sensitivity.implicit import (
        equilibrium_jacobian,
        equilibrium_jvp,
        equilibrium_vjp,
        implicit_root,
        relaxed_positions,
        root_jvp,
        root_vjp,
        second_response,
    )
    from md_sensitivity.minimization import minimize
    from md_sensitivity.observables import observable
    from md_sensitivity.reports.force_field import write_force_field
    from md_sensitivity.reports.load import load
    from md_sensitivity.structures import read_structure
    from md_sensitivity.system import energy_function
    from md_sensitivity.types import Structure

__version__ = "0.1.0"

__all__ = [
    "read_structure",
    "Structure",
    "read_force_field",
    "write_force_field",
    "ForceField",
    "model_force_field",
    "model_parameters",
    "build_system",
    "energy_function",
    "enthalpy_function",
    "Deformed",
    "minimize",
    "sensitivity",
    "observable",
    "formation",
    "relaxed_positions",
    "root_jvp",
    "root_vjp",
    "implicit_root",
    "equilibrium_jvp",
    "equilibrium_vjp",
    "equilibrium_jacobian",
    "second_response",
    "energy_hessian",
    "expand",
    "Expansion",
    "fit",
    "Target",
    "Fit",
    "load",
    "MdSensitivityError",
    "__version__",
]

_HOMES = {
    "structures": ("read_structure",),
    "types": ("Structure",),
    "forcefields": ("read_force_field", "ForceField"),
    "forcefields.models": ("model_force_field", "model_parameters"),
    "building": ("build_system",),
    "system": ("energy_function",),
    "enthalpy": ("enthalpy_function",),
    "energy": ("Deformed",),
    "minimization": ("minimize",),
    "analysis.sensitivity": ("sensitivity",),
    "analysis.formation": ("formation",),
    "observables": ("observable",),
    "implicit": (
        "relaxed_positions",
        "root_jvp",
        "root_vjp",
        "implicit_root",
        "equilibrium_jvp",
        "equilibrium_vjp",
        "equilibrium_jacobian",
        "second_response",
    ),
    "analysis.expansion": ("energy_hessian", "expand", "Expansion"),
    "fitting": ("fit", "Target", "Fit"),
    "reports.force_field": ("write_force_field",),
    "reports.load": ("load",),
}
"""Module → names that this package offers from it."""


def __getattr__(name: str) -> Any:
    """The public name, from the module it lives in."""
    for module, names in _HOMES.items():
        if name in names:
            value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
