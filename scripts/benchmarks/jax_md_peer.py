"""jax-md: its neighbor-list Lennard-Jones energy and `jax.grad`, in the list formats that its forces work with."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable

import jax
import jax.numpy as jnp

from benchmarks.systems import CUTOFF, Crystal

FORMATS = ("Dense", "OrderedSparse")
_ONSET = 0.9
"""Where its switch begins, as a fraction of the cutoff; the cost does not depend on it."""


def missing() -> str:
    """Why this peer cannot be had; "" where it can."""
    if importlib.util.find_spec("jax_md") is None:
        return "jax-md is not installed (pip install jax-md)"
    return ""


def force(made: Crystal, format: str, skin: float) -> Callable[[], jax.Array]:
    """A function that evaluates ∂E/∂x once with a fixed neighbor list, shape=(n, 3) [eV/Å]; one species only."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about types and renamed functions
        from jax_md import energy, partition, space

        displacement, _ = space.periodic(made.edge)
        sigma = float(made.sigma[0])
        lists, function = energy.lennard_jones_neighbor_list(
            displacement,
            jnp.asarray(made.edge, dtype=jnp.float64),
            sigma=jnp.asarray(sigma, dtype=jnp.float64),
            epsilon=jnp.asarray(float(made.epsilon[0]), dtype=jnp.float64),
            r_onset=jnp.asarray(_ONSET * CUTOFF / sigma, dtype=jnp.float64),
            r_cutoff=jnp.asarray(CUTOFF / sigma, dtype=jnp.float64),
            dr_threshold=jnp.asarray(skin, dtype=jnp.float64),
            format=partition.NeighborListFormat[format],
        )
        x = jnp.asarray(made.positions % made.edge)
        neighbors = lists.allocate(x)
        gradient = jax.jit(jax.grad(function))
        gradient(x, neighbors)
    return lambda: gradient(x, neighbors)
