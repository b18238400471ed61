"""Models as users write them: known potentials once more, and a network that passes messages."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from small_systems import FORCE_FIELDS, force_field

from md_sensitivity.forcefields import ForceField
from md_sensitivity.forcefields.models import model_force_field
from md_sensitivity.potentials.base import Neighbors

CUTOFF = 5.3


def smooth_end(r: jax.Array, start: float = 4.2, end: float = CUTOFF) -> jax.Array:
    """Quintic from 1 at `start` to 0 at `end`."""
    t = jnp.clip((r - start) / (end - start), 0.0, 1.0)
    return 1.0 - t**3 * (10.0 - 15.0 * t + 6.0 * t**2)


def lengths(neighbors: Neighbors) -> jax.Array:
    return jnp.sqrt(jnp.sum(neighbors.vectors**2, axis=-1))


def lj_atoms(params: Any, species: jax.Array, neighbors: Neighbors) -> jax.Array:
    """Lennard-Jones with three pairs of values: A-A, A-B, B-B."""
    pair = species[:, None] + neighbors.species
    epsilon, sigma = params["pairs"]["epsilon"][pair], params["pairs"]["sigma"][pair]
    r = lengths(neighbors)
    six = (sigma / r) ** 6
    return 0.5 * jnp.sum(jnp.where(neighbors.mask, 4.0 * epsilon * (six**2 - six) * smooth_end(r), 0.0), axis=1)


def lj_whole(params: Any, positions: jax.Array, species: jax.Array, cell: jax.Array, neighbors: Neighbors) -> jax.Array:
    """The same, as one sum."""
    return jnp.sum(lj_atoms(params, species, neighbors))


def sw_atoms(params: Any, species: jax.Array, neighbors: Neighbors) -> jax.Array:
    """Stillinger–Weber of one element; only some parameters are given."""
    p, r = params, lengths(neighbors)
    end = p["a"] * p["sigma"]
    inside = neighbors.mask & (r < end - 1e-3)
    left = jnp.where(inside, r - end, -1.0)
    pair = p["A"] * (p["B"] * (p["sigma"] / r) ** 4 - 1.0) * jnp.exp(p["sigma"] / left)
    screen = jnp.where(inside, jnp.exp(1.2 * p["sigma"] / left), 0.0)
    units = neighbors.vectors / r[..., None]
    cosine = jnp.einsum("bjc,bkc->bjk", units, units)
    different = ~jnp.eye(r.shape[1], dtype=bool)
    angle = jnp.where(different, (cosine + 1.0 / 3.0) ** 2 * screen[:, :, None] * screen[:, None, :], 0.0)
    three = 0.5 * p["lambda"] * jnp.sum(angle, axis=(1, 2))
    return p["epsilon"] * (0.5 * jnp.sum(jnp.where(inside, pair, 0.0), axis=1) + three)


def messages(params: Any, positions: jax.Array, species: jax.Array, cell: jax.Array, neighbors: Neighbors) -> jax.Array:
    """Two rounds of messages along a list of pairs: what an atom feels reaches two cutoffs."""
    count = len(positions)
    r = lengths(neighbors).reshape(-1)
    mask, senders, receivers = neighbors.mask.reshape(-1), neighbors.senders, neighbors.receivers
    features = jnp.exp(-((r[:, None] - jnp.array([2.0, 2.7, 3.4])) ** 2)) * jnp.where(mask, smooth_end(r, 3.0), 0.0)[:, None]
    state = params["embedding"][species]
    for layer in params["layers"]:
        sent = (features @ layer["edge"]) * state[senders]
        received = jax.ops.segment_sum(jnp.where(mask[:, None], sent, 0.0), receivers, num_segments=count)
        state = jnp.tanh(state @ layer["own"] + received + layer["shift"])
    return state @ params["last"]


def network(seed: int = 0, width: int = 4) -> Any:
    """Parameters of `messages`."""
    rng = np.random.default_rng(seed)
    layer = {"edge": (3, width), "own": (width, width), "shift": (width,)}
    layers = [{name: 0.15 * rng.normal(size=shape) for name, shape in layer.items()} for _ in range(2)]
    return {"embedding": rng.normal(size=(2, width)), "layers": layers, "last": rng.normal(size=width)}


def pairs_of(potential: str) -> Any:
    theta = force_field(FORCE_FIELDS[potential]).parameters[potential]
    return {"pairs": {"epsilon": theta["epsilon"], "sigma": theta["sigma"]}}


SW = {"A": 7.049556277, "B": 0.6022245584, "a": 1.8, "sigma": 2.0951, "lambda": 21.0, "epsilon": 2.1683}
SW_NATIVE = '[[potential]]\nstyle = "stillinger_weber"\n[potential.parameters.A-A-A]\n' + "\n".join(
    f"{name} = {value!r}" for name, value in {**SW, "gamma": 1.2, "costheta0": -1.0 / 3.0, "p": 4.0, "q": 0.0}.items()
)


def lj_model(*, atomwise: bool) -> ForceField:
    function = lj_atoms if atomwise else lj_whole
    return model_force_field(function, pairs_of("lennard_jones"), cutoff=CUTOFF, species=("A", "B"), atomwise=atomwise)


def sw_model() -> ForceField:
    return model_force_field(sw_atoms, SW, cutoff=3.78, species=("A",), atomwise=True)


def network_model() -> ForceField:
    return model_force_field(messages, network(), cutoff=CUTOFF, species=("B", "A"), name="net")
