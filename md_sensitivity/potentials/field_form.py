"""Sums over all atoms at once, as interchangeable parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax
import numpy as np

from md_sensitivity.potentials.specs import Options, OptionSpec, ParameterSpec

Coefficients = Mapping[str, jax.Array]
"""Parameter name → values, one for each edge, or one for each tuple of types."""


class Site(NamedTuple):
    """All atoms, for a `FieldForm`.

    Attributes:
        positions: shape=(n, 3) [Å].
        cell: rows are lattice vectors, shape=(3, 3) [Å].
        kinds: index of the type of each atom, shape=(n,).
        real: whether an entry is an atom, not padding, shape=(n,).
    """

    positions: jax.Array
    cell: jax.Array
    kinds: jax.Array
    real: jax.Array


class Products(Protocol):
    """Second derivatives at one geometry, a pytree."""

    def product(self, v: jax.Array) -> jax.Array:
        """H v for vectors of shape=(p, 3, rows) [eV/Å² times what v has]; entries beyond the atoms are zero."""


@dataclass(frozen=True, kw_only=True)
class FieldForm:
    """A sum over all atoms at once, without neighbors, differentiated as it stands.

    Attributes:
        energy: (site, p, options, setup) → energy, a scalar [eV]; p have shape=(s,) * types. The site is strained already.
        setup: (cell, periodic, options) → arrays that are fixed when a system is built, such as wave vectors; host arrays.
        couples: whether it joins all atoms, so that they move together or not at all.
        wanted: (options) → whether it is there at all.
        products: (site, p, options, setup) → how to multiply with its second derivatives; None where the gradient is differentiated.
    """

    name: str
    description: str
    reference: str
    parameters: tuple[ParameterSpec, ...] = ()
    options: tuple[OptionSpec, ...] = ()
    energy: Callable[[Site, Coefficients, Options, Mapping[str, jax.Array]], jax.Array]
    setup: Callable[[np.ndarray, tuple[bool, bool, bool], Options], Mapping[str, np.ndarray]] = lambda cell, periodic, options: {}
    couples: bool = True
    wanted: Callable[[Options], bool] = lambda options: True
    products: Callable[[Site, Coefficients, Options, Mapping[str, jax.Array]], Products] | None = None

    @property
    def order(self) -> int:
        """Length of a type tuple."""
        return 1
