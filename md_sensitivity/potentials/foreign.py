"""Forms made of a user's function and its tree of parameters, such as a neural network.

θ holds each array of the tree flat, under the path that leads to it; here they become the tree again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from md_sensitivity.errors import PrecisionError, UsageError
from md_sensitivity.potentials.base import Coefficients, Edges, ManyBodyForm, Neighbors, Options, ParameterSpec, WholeForm

SPECIES = "species number"
"""Which of the model's species a type is; no path has a space, so that no array has this name."""


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many numbers an array holds. (Equal models are to share compiled programs, which is why these are no closures.)"""

    size: int

    def __call__(self, options: Options) -> int:
        return self.size


@dataclass(frozen=True, kw_only=True)
class Model:
    """A function and what it needs to be called.

    Attributes:
        function: of atoms one by one (see `atomic_energies`), or of all at once (see `whole_energy`).
        tree: structure of the parameters.
        leaves: name and shape of each array, in the order of the tree.
        cutoff: [Å].
        length, energy: units of the model [Å, eV].
    """

    function: Callable[..., jax.Array]
    tree: Any
    leaves: tuple[tuple[str, tuple[int, ...]], ...]
    cutoff: float
    length: float
    energy: float

    def parameters(self, p: Coefficients) -> Any:
        """The tree of parameters."""
        return jax.tree.unflatten(self.tree, [p[name].reshape(shape) for name, shape in self.leaves])

    def seen(self, neighbors: Neighbors, numbers: jax.Array) -> Neighbors:
        """Neighbors in the model's own unit and order of species."""
        return neighbors._replace(vectors=neighbors.vectors / self.length, species=numbers[neighbors.species])

    def checked(self, energy: Any, shapes: tuple[tuple[int, ...], ...]) -> jax.Array:
        """What the function gave [eV].

        Raises:
            UsageError: where it has another shape.
            PrecisionError: where it was computed in single precision.
        """
        found = jnp.asarray(energy)
        if found.shape not in shapes:
            wanted = " or ".join(map(str, shapes))
            raise UsageError(f"the model's energy must have the shape {wanted}, not {found.shape}")
        if found.dtype != jnp.float64:
            raise PrecisionError(f"the model's energy is {found.dtype}; derivatives of minima need float64: let it cast nothing")
        return self.energy * found


@dataclass(frozen=True, kw_only=True)
class Atomic:
    """Energy of each atom from the edges around it."""

    model: Model

    def __call__(self, edges: Edges, p: Coefficients, options: Options) -> jax.Array:
        numbers = p[SPECIES].astype(jnp.int32)
        vectors = jnp.stack([edges.x, edges.y, edges.z], axis=-1)
        mask = edges.mask & (edges.x**2 + edges.y**2 + edges.z**2 < self.model.cutoff**2)
        safe = jnp.where(mask[..., None], vectors, jnp.array([1.0, 0.0, 0.0]))
        center = edges.center[:, 0]
        seen = self.model.seen(Neighbors(vectors=safe, mask=mask, species=edges.neighbor), numbers)
        return self.model.checked(self.model.function(self.model.parameters(p), numbers[center], seen), (center.shape,))


@dataclass(frozen=True, kw_only=True)
class Whole:
    """Energy of all atoms, be it in one number or in one for each."""

    model: Model

    def __call__(self, positions: jax.Array, kinds: jax.Array, cell: jax.Array, neighbors: Neighbors, p: Coefficients) -> jax.Array:
        numbers, length = p[SPECIES].astype(jnp.int32), self.model.length
        found = self.model.function(
            self.model.parameters(p), positions / length, numbers[kinds], cell / length, self.model.seen(neighbors, numbers)
        )
        return jnp.sum(self.model.checked(found, ((), kinds.shape)))


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The cutoff, of each pair of types, shape=(s, s) [Å]."""

    cutoff: float

    def __call__(self, p: Coefficients, options: Options) -> jax.Array:
        return jnp.full((len(p[SPECIES]),) * 2, self.cutoff)


@dataclass(frozen=True, kw_only=True)
class Kinks:
    """The cutoff as the only distance at which the curvature jumps."""

    cutoff: float

    def __call__(self, p: Coefficients, options: Options) -> tuple[jax.Array, ...]:
        return (Reach(cutoff=self.cutoff)(p, options),)


def foreign_form(model: Model, *, atomwise: bool, smooth: bool, reference: str) -> ManyBodyForm | WholeForm:
    """The form of a model.

    Args:
        atomwise: whether its function gives atomic energies.
        smooth: whether energy, force and curvature of a pair vanish at the cutoff.
    """
    sizes = [(name, shape, Count(size=_size(shape))) for name, shape in model.leaves]
    parameters = tuple(
        ParameterSpec(name=name, types=0, count=count if shape else None, description=f"array, shape={shape}")
        for name, shape, count in sizes
    )
    number = ParameterSpec(name=SPECIES, types=1, option=True, description="which of the model's species a type is")
    common: dict[str, Any] = {
        "name": "model",
        "description": "function of the user's",
        "reference": reference,
        "parameters": (*parameters, number),
        "pair_range": Reach(cutoff=model.cutoff),
        "kinks": None if smooth else Kinks(cutoff=model.cutoff),
    }
    if atomwise:
        return ManyBodyForm(order=2, energy=Atomic(model=model), foreign=True, **common)
    return WholeForm(energy=Whole(model=model), **common)


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for extent in shape:
        size *= extent
    return size
