"""Observables O(x, θ), in one table."""

from __future__ import annotations

from md_sensitivity.errors import UsageError
from md_sensitivity.observables.base import BoundObservable, Observable, ObservableKind, custom_observable
from md_sensitivity.observables.energies import ENERGY
from md_sensitivity.observables.internal import ANGLE, DIHEDRAL, DISTANCE
from md_sensitivity.observables.shape import RADIUS_OF_GYRATION, RMSD
from md_sensitivity.observables.stress import PRESSURE, STRESS
from md_sensitivity.registry import Registry

__all__ = ["OBSERVABLES", "BoundObservable", "Observable", "custom_observable", "observable"]

OBSERVABLES: Registry[ObservableKind] = Registry(
    "observable", (ENERGY, PRESSURE, STRESS, DISTANCE, ANGLE, DIHEDRAL, RADIUS_OF_GYRATION, RMSD)
)


def observable(spec: str) -> Observable:
    """The observable that a text names: `energy`, `distance:0-1`, `dihedral:4-6-8-14` (0-based atom indices).

    Raises:
        UsageError: where the name is unknown or the arguments do not fit it.
    """
    name, _, arguments = spec.partition(":")
    kind = OBSERVABLES.find(name)
    if not kind.arguments:
        if arguments:
            raise UsageError(f"observable {name} takes no arguments, not {arguments!r}")
        return Observable(kind=kind)
    words = arguments.split("-") if arguments else []
    if len(words) != kind.arguments or not all(word.isdecimal() for word in words):
        form = "-".join("ijkl"[: kind.arguments])
        raise UsageError(f"observable {name} is written {name}:{form} with 0-based atom indices, not {spec!r}")
    return Observable(kind=kind, atoms=tuple(int(word) for word in words))
