"""A small Behler–Parrinello network of silicon: symmetry functions of the neighbors of an atom, and a network that makes an energy of them.

Behler and Parrinello, doi:10.1103/PhysRevLett.98.146401; symmetry functions G2 and G5 of Behler, doi:10.1063/1.3553717, with a cutoff
function (1 − (r/r_c)²)³ that has two continuous derivatives.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import md_sensitivity as mds

CUTOFF = 4.2  # Å
CENTERS = np.linspace(1.8, 3.9, 8)  # Å, of the radial functions
WIDTH = 5.0  # 1/Å²
ANGLES = tuple((sign, power, decay) for sign in (1.0, -1.0) for power in (1, 2, 4) for decay in (0.02, 0.12))


def symmetry_functions(neighbors: Any) -> jax.Array:
    """What the network sees of each atom, shape=(b, 20)."""
    squared = jnp.sum(neighbors.vectors**2, axis=-1)
    r = jnp.sqrt(squared)  # masked vectors have a length, too
    fall = jnp.where(neighbors.mask, (1.0 - squared / CUTOFF**2) ** 3, 0.0)
    radial = jnp.sum(jnp.exp(-WIDTH * (r[..., None] - CENTERS) ** 2) * fall[..., None], axis=1)
    units = neighbors.vectors / r[..., None]
    cosine = jnp.einsum("bjc,bkc->bjk", units, units)
    pairs = jnp.triu(jnp.ones((r.shape[1],) * 2, dtype=bool), 1)
    angular = []
    for sign, power, decay in ANGLES:
        one = fall * jnp.exp(-decay * squared)
        both = 2.0 ** (1 - power) * (1.0 + sign * cosine) ** power * one[:, :, None] * one[:, None, :]
        angular.append(jnp.sum(jnp.where(pairs, both, 0.0), axis=(1, 2)))
    return jnp.concatenate([radial, jnp.stack(angular, axis=1)], axis=1)


def energy(params: Any, species: jax.Array, neighbors: Any) -> jax.Array:
    """Energy of each atom, shape=(b,) [eV]."""
    state = (symmetry_functions(neighbors) - params["inputs"]["shift"]) * params["inputs"]["scale"]
    for layer in params["layers"][:-1]:
        state = jnp.tanh(state @ layer["w"] + layer["b"])
    last = params["layers"][-1]
    return state @ last["w"] + last["b"]


def force_field(params: Any = None) -> mds.ForceField:
    """The network with given weights, or with those of weights.npz beside this file."""
    params = read(Path(__file__).with_name("weights.npz")) if params is None else params
    return mds.model_force_field(energy, params, cutoff=CUTOFF, species=("Si",), name="network", atomwise=True)


def read(path: Path) -> Any:
    """Weights of a file that `write` made."""
    with np.load(path) as arrays:
        inputs = {name: arrays[f"inputs.{name}"] for name in ("shift", "scale")}
        layers = range(len(arrays) // 2 - 1)
        return {"inputs": inputs, "layers": [{name: arrays[f"layers.{k}.{name}"] for name in ("w", "b")} for k in layers]}


def write(path: Path, params: Any) -> None:
    """Keep weights as arrays."""
    parts = {"inputs": params["inputs"]} | {f"layers.{k}": layer for k, layer in enumerate(params["layers"])}
    np.savez(path, **{f"{part}.{name}": np.asarray(leaf) for part, leaves in parts.items() for name, leaf in leaves.items()})
