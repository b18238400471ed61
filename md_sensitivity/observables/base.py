"""What an observable is: a pure function of E, x, θ and constants that were looked up once at the equilibrium."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from md_sensitivity.energy import Deformed
from md_sensitivity.enthalpy import EnthalpyFunction
from md_sensitivity.errors import UsageError
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.structures.select import select
from md_sensitivity.system import EnergyFunction, System
from md_sensitivity.types import Structure

Data = dict[str, Any]
OFFSET = "offset"
"""Name of the sum over other structures among the constants of kinds that refer to some."""


class Geometry(NamedTuple):
    """Where atoms and lattice are at a point x.

    Attributes:
        positions: shape=(n, 3) [Å].
        strain: of the lattice since constants were looked up, shape=(3, 3); None where it is fixed.
    """

    positions: jax.Array
    strain: jax.Array | None

    def lattice(self, vectors: jax.Array) -> jax.Array:
        """Lattice vectors that were looked up, as they are now, shape=(..., 3) [Å]."""
        return vectors if self.strain is None else vectors + vectors @ self.strain


def geometry(energy: Any, x: Any) -> Geometry:
    """The geometry at a point of an energy of a system, with or without strain."""
    return Geometry(energy.positions(x), energy.strain(x)) if isinstance(x, Deformed) else Geometry(x, None)


Evaluate = Callable[[Any, jax.Array, Any, Data], jax.Array]
"""(energy, x, θ, data) → value, a scalar or an array."""


@dataclass(frozen=True, kw_only=True)
class ObservableKind:
    """An entry of the table of observables.

    Attributes:
        arguments: how many atom indices follow the name, as in `angle:i-j-k`.
        selections: how many selections of atoms follow it, as in `interaction_energy:A|B`.
        optional: whether the selections may be left out.
        unit: of the value, unless the force field is in reduced units; "1" for a plain number.
        components: how many numbers the value is.
        evaluate: O(x, θ).
        bind: (equilibrium, what is asked for) → constants of `evaluate`; raises UsageError where the observable is not offered.
        undefined: (value, constants) → reason why the derivative does not exist there, or "".
        of_cell: whether it is a property of the cell, which something must hold.
        local: whether its constants make value and first derivatives right at one equilibrium only.
        referred: what is summed over other relaxed structures, each as often as compositions say; the sum is the constant `offset` of
            `evaluate`. None for what speaks of one structure.
    """

    name: str
    description: str
    unit: str
    arguments: int = 0
    selections: int = 0
    optional: bool = False
    components: int = 1
    evaluate: Evaluate
    bind: Callable[[Equilibrium, Observable], Data] = lambda equilibrium, asked: {}
    undefined: Callable[[np.ndarray], str] = lambda value: ""
    of_cell: bool = False
    local: bool = False
    referred: ObservableKind | None = None

    @property
    def form(self) -> str:
        """How it is written, such as `angle:i-j-k` or `sasa[:SELECTION]`."""
        words = "-".join("ijkl"[: self.arguments]) if self.arguments else "|".join(["SELECTION"] * self.selections)
        return self.name + (f"[:{words}]" if self.optional else f":{words}" if words else "")


@dataclass(frozen=True, kw_only=True)
class Observable:
    """An observable as asked for: a kind and the atoms it speaks of, not yet bound to an equilibrium.

    Attributes:
        selections: expressions as `structures.select` understands them.
        structure: whose atoms these are, for kinds that need names, elements or bonds of atoms; None where nobody said.
        offset: sum over other structures, for kinds that refer to some; None where nobody said.
    """

    kind: ObservableKind
    atoms: tuple[int, ...] = ()
    selections: tuple[str, ...] = ()
    structure: Structure | None = field(default=None, compare=False)
    offset: float | None = None

    @property
    def name(self) -> str:
        """As on the command line, `angle:0-1-2`."""
        words = "-".join(map(str, self.atoms)) if self.atoms else "|".join(self.selections)
        return self.kind.name + (f":{words}" if words else "")

    def described(self) -> Structure:
        """The structure.

        Raises:
            UsageError: it was not given.
        """
        if self.structure is None:
            raise UsageError(f"observable {self.name} needs names and elements of atoms: observable({self.name!r}, structure)")
        return self.structure

    def masks(self, size: int) -> tuple[np.ndarray, ...]:
        """Atoms of each selection, shape=(size,), bool; atoms that pad a system are in none."""
        found = []
        for expression in self.selections:
            mask = select(self.described(), expression)
            found.append(np.pad(mask, (0, size - len(mask))))
        return tuple(found)

    def require_atoms(self, structure: Structure) -> None:
        """Refuses atoms that are not there, and selections that mean none, before anything is computed.

        Raises:
            UsageError: with the observable and the reason.
        """
        self._require_indices(structure.size)
        for expression in self.selections:
            select(structure, expression)

    def _require_indices(self, count: int) -> None:
        for atom in self.atoms:
            if not 0 <= atom < count:
                raise UsageError(f"observable {self.name}: there is no atom {atom}; indices run from 0 to {count - 1}")

    def _offset(self) -> jax.Array:
        if self.offset is None:
            raise UsageError(
                f"observable {self.name} compares with other structures, and none is given: name them with --reference (in Python, "
                "mds.formation; targets of fits have relative_to)"
            )
        return on_device(np.float64(self.offset))

    def bind(self, equilibrium: Equilibrium) -> BoundObservable:
        """The observable with what it needs of this equilibrium looked up.

        Raises:
            UsageError: where it is not offered for this structure, or names an atom that is not there.
        """
        count = system_of(equilibrium, self.name).size
        self._require_indices(count)
        if self.structure is not None and self.structure.size != count:
            raise UsageError(f"observable {self.name}: its structure has {self.structure.size} atoms, and the equilibrium has {count}")
        data = self.kind.bind(equilibrium, self)
        if self.kind.referred is not None:
            data = {**data, OFFSET: self._offset()}
        unit = unit_of(self.kind, system_of(equilibrium, self.name))
        return BoundObservable(data=data, name=self.name, unit=unit, kind=self.kind)


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

    def moved(self, equilibrium: Equilibrium) -> BoundObservable:
        """The observable for another equilibrium of the same atoms, near this one."""
        if not self.kind.local:
            return self
        return replace(self, data=self.kind.bind(equilibrium, Observable(kind=self.kind)))


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
    if not isinstance(equilibrium.energy, EnergyFunction | EnthalpyFunction):
        raise UsageError(f"observable {name} needs the energy of a system; for a plain function of (x, θ) give a function O(x, θ)")
    return equilibrium.energy.system


def unit_of(kind: ObservableKind, system: System) -> str:
    """Unit of the value: "reduced" in reduced units, but for angles and plain numbers."""
    if kind.unit in ("degrees", "1"):
        return kind.unit
    if system.units.reduced:
        return "reduced"
    return "N/m" if kind.unit == "GPa" and system.dimensions == 2 else kind.unit
