"""Observables O(x, θ), in one table."""

from __future__ import annotations

import re

from md_sensitivity.errors import UsageError
from md_sensitivity.observables.base import BoundObservable, Observable, ObservableKind, custom_observable
from md_sensitivity.observables.cell import DENSITY, ENTHALPY, LATTICE, VOLUME
from md_sensitivity.observables.dipole import DIPOLE, DIPOLE_VECTOR
from md_sensitivity.observables.elastic import (
    BORN,
    BULK_MODULUS,
    ELASTIC_CONSTANTS,
    ELASTIC_STABILITY,
    NONAFFINE,
    POISSON_RATIO,
    SHEAR_MODULUS,
    YOUNG_MODULUS,
)
from md_sensitivity.observables.ends import END_TO_END
from md_sensitivity.observables.energies import ENERGY
from md_sensitivity.observables.formation import BINDING_ENERGY, FORMATION_ENERGY, FORMATION_VOLUME, SURFACE_ENERGY
from md_sensitivity.observables.hydrogen_bonds import HYDROGEN_BONDS
from md_sensitivity.observables.interaction import INTERACTION_ENERGY
from md_sensitivity.observables.internal import ANGLE, DIHEDRAL, DISTANCE
from md_sensitivity.observables.sasa import SASA
from md_sensitivity.observables.shape import RADIUS_OF_GYRATION, RMSD
from md_sensitivity.observables.stress import PRESSURE, STRESS
from md_sensitivity.registry import Registry
from md_sensitivity.types import Structure

__all__ = ["OBSERVABLES", "BoundObservable", "Observable", "custom_observable", "observable"]

OBSERVABLES: Registry[ObservableKind] = Registry(
    "observable",
    (
        ENERGY,
        ENTHALPY,
        PRESSURE,
        STRESS,
        VOLUME,
        DENSITY,
        LATTICE,
        ELASTIC_CONSTANTS,
        BORN,
        NONAFFINE,
        BULK_MODULUS,
        SHEAR_MODULUS,
        YOUNG_MODULUS,
        POISSON_RATIO,
        ELASTIC_STABILITY,
        DISTANCE,
        ANGLE,
        DIHEDRAL,
        RADIUS_OF_GYRATION,
        RMSD,
        END_TO_END,
        DIPOLE,
        DIPOLE_VECTOR,
        HYDROGEN_BONDS,
        SASA,
        INTERACTION_ENERGY,
        FORMATION_ENERGY,
        FORMATION_VOLUME,
        SURFACE_ENERGY,
        BINDING_ENERGY,
    ),
)


def observable(spec: str, structure: Structure | None = None) -> Observable:
    """The observable that a text names: `energy`, `distance:0-1`, `dihedral:4-6-8-14` (0-based atom indices), `sasa:protein`.

    Args:
        spec: name, or name:arguments.
        structure: needed before an observable is bound that speaks of selections, elements or bonds.

    Raises:
        UsageError: where the name is unknown or the arguments do not fit it.
    """
    name, colon, arguments = spec.partition(":")
    kind = OBSERVABLES.find(name)
    if not kind.arguments and not kind.selections:
        if arguments:
            raise UsageError(f"observable {name} takes no arguments, not {arguments!r}")
        return Observable(kind=kind, structure=structure)
    if kind.selections:
        if not colon and kind.optional:
            return Observable(kind=kind, structure=structure)
        selections = tuple(part.strip() for part in _BETWEEN.split(arguments))
        if len(selections) != kind.selections or not all(selections):
            meaning = "indices (0,3,7-12), element:O, type:A, or MDTraj expressions"
            raise UsageError(f"observable {name} is written {kind.form}, selections being {meaning}, not {spec!r}")
        return Observable(kind=kind, selections=selections, structure=structure)
    words = arguments.split("-") if arguments else []
    if len(words) != kind.arguments or not all(word.isdecimal() and word.isascii() for word in words):
        raise UsageError(f"observable {name} is written {kind.form} with 0-based atom indices, not {spec!r}")
    return Observable(kind=kind, atoms=tuple(int(word) for word in words), structure=structure)


_BETWEEN = re.compile(r"(?<!\|)\|(?!\|)")
"""A single bar between selections; two of them are MDTraj's `or`."""
