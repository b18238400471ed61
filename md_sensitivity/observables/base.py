"""What an observable is: a pure function of E, x, θ and constants that were looked up once at the equilibrium."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from md_sensitivity.errors import UsageError
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.system import EnergyFunction, System

Data = dict[str, Any]
Evaluate = Callable[[Any, jax.Array, Any, Data], jax.Array]
"""(energy, x, θ, data) → value, a scalar or an array."""


@dataclass(frozen=True, kw_only=True)
class ObservableKind:
    """An entry of the table of observables.

    Attributes:
        arguments: how many atom indices follow the name, as in `angle:i-j-k`.
        unit: of the value, unless the force field is in reduced units.
        evaluate: O(x, θ).
        bind: (equilibrium, atoms) → constants of `evaluate`; raises UsageError where the observable is not offered.
        undefined: (value, constants) → reason why the derivative does not exist there, or "".
    """

    name: str
    description: str
    unit: str
    arguments: int = 0
    evaluate: Evaluate
    bind: Callable[[Equilibrium, tuple[int, ...]], Data] = lambda equilibrium, atoms: {}
    undefined: Callable[[np.ndarray], str] = lambda value: ""


@dataclass(frozen=True, kw_only=True)
class Observable:
    """An observable as asked for: a kind and the atoms it speaks of, not yet bound to a structure."""

    kind: ObservableKind
    atoms: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """As on the command line, `angle:0-1-2`."""
        return self.kind.name + (f":{'-'.join(map(str, self.atoms))}" if self.atoms else "")

    def bind(self, equilibrium: Equilibrium) -> BoundObservable:
        """The observable with what it needs of this equilibrium looked up.

        Raises:
            UsageError: where it is not offered for this structure, or names an atom that is not there.
        """
        count = system_of(equilibrium, self.name).size
        for atom in self.atoms:
            if not 0 <= atom < count:
                raise UsageError(f"observable {self.name}: there is no atom {atom}; indices run from 0 to {count - 1}")
        data = self.kind.bind(equilibrium, self.atoms)
        return BoundObservable(data=data, name=self.name, unit=unit_of(self.kind, system_of(equilibrium, self.name)), kind=self.kind)


@partial(jax.tree_util.register_dataclass, data_fields=["data"], meta_fields=["name", "unit", "kind"])
@dataclass(frozen=True, kw_only=True)
class BoundObservable:
    """O(x, θ) near one equilibrium; a pytree, so that structures of one shape share compiled code."""

    data: Data
    name: str
    unit: str
    kind: ObservableKind

    def __call__(self, energy: Any, x: jax.Array, theta: Any) -> jax.Array:
        """Value at x and θ, in the unit `unit`."""
        return self.kind.evaluate(energy, x, theta, self.data)


def custom_observable(function: Callable[[Any, Any], jax.Array], equilibrium: Equilibrium) -> BoundObservable:
    """A user's own O(x, θ) as a bound observable without unit."""
    kind = ObservableKind(
        name=getattr(function, "__name__", "custom"),
        description="custom",
        unit="",
        evaluate=lambda energy, x, theta, data: function(x, theta),
    )
    return BoundObservable(data={}, name=kind.name, unit="", kind=kind)


def system_of(equilibrium: Equilibrium, name: str) -> System:
    """The system behind an equilibrium."""
    if not isinstance(equilibrium.energy, EnergyFunction):
        raise UsageError(f"observable {name} needs the energy of a system; for a plain function of (x, θ) give a function O(x, θ)")
    return equilibrium.energy.system


def unit_of(kind: ObservableKind, system: System) -> str:
    """Unit of the value: "reduced" in reduced units, but for angles."""
    if kind.unit == "degrees":
        return kind.unit
    if system.units.reduced:
        return "reduced"
    return "N/m" if kind.unit == "GPa" and system.dimensions == 2 else kind.unit
