"""Which atoms of a structure have which numbers of a force field: what a topology says, as integers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from md_sensitivity.types import Structure

ANY = "X"
"""Stands for any type in bonded potentials, where no line names all types."""


class Tuples(NamedTuple):
    """Interactions of one bonded potential.

    Attributes:
        atoms: shape=(m, order), in the order that the form wants.
        rows: position of the numbers of each in the arrays of θ of this potential, shape=(m,).
    """

    atoms: np.ndarray
    rows: np.ndarray


class Pairs(NamedTuple):
    """Pairs that a pair potential does not treat as neighbors.

    Attributes:
        atoms: shape=(m, 2), each pair once.
        rows: position of the scale of each in `parameters[label]["scale14"]`, shape=(m,); −1 where nothing of the interaction is left.
    """

    atoms: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Assignment:
    """What a typing finds for one structure.

    Atoms that are alike in all potentials between neighbors are of one kind.

    Attributes:
        kinds: kind of each atom, shape=(n,).
        species: a name for each kind, for messages.
        names: label of a potential between neighbors, or of all atoms → the type of each kind in its parameters.
        tuples: label of a bonded potential → its interactions.
        pairs: label of a pair potential → pairs that it does not treat as neighbors.
        notes: what a person should know, such as bonds that are released.
        masses: those of the force field, which count in place of the structure's, shape=(n,) [amu]; None where it has none.
    """

    kinds: np.ndarray
    species: tuple[str, ...]
    names: Mapping[str, tuple[str, ...]]
    tuples: Mapping[str, Tuples] = field(default_factory=dict)
    pairs: Mapping[str, Pairs] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    masses: np.ndarray | None = None


Typing = Callable[[Structure], Assignment]
"""A pure function, which raises InputError where a structure does not fit the force field."""
