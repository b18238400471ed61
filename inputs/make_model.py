"""Fit the network of the worked case silicon_model to Stillinger–Weber silicon: `python inputs/make_model.py [FOLDER]`, about a minute.

Energies and forces of rattled and strained crystals, with and without a vacancy, are made on the fly; nothing is downloaded.
Writes weights.npz and structure.extxyz, a vacancy in 64-site silicon that was not fitted.
"""

from __future__ import annotations

import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from make_structures import DIAMOND, extxyz, lattice_sites, rattle

import md_sensitivity as mds

HERE = Path(__file__).parent
CONSTANT = 5.431
EPOCHS = 80
WIDTHS = (20, 12, 12)


def crystal(*, seed: int, size: float, scale: float = 1.0, vacancy: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Positions and cell of 2 x 2 x 2 cubic cells, rattled and strained."""
    rng = np.random.default_rng(seed)
    shear = rng.uniform(-0.02, 0.02, (3, 3))
    deformed = scale * (np.eye(3) + 0.5 * (shear + shear.T)) if seed else scale * np.eye(3)
    sites = lattice_sites(DIAMOND, 2, CONSTANT)[1 if vacancy else 0 :]
    return rattle(sites @ deformed, size, seed), 2 * CONSTANT * deformed


def structures() -> list[mds.Structure]:
    """What is fitted to."""
    found = []
    for seed in range(1, 33):
        x, cell = crystal(seed=seed, size=0.03 + 0.03 * (seed % 5), scale=0.97 + 0.01 * (seed % 7), vacancy=seed % 2 == 0)
        found.append(
            mds.Structure(
                positions=x, types=("Si",) * len(x), numbers=np.full(len(x), 14), cell=cell, pbc=np.ones(3, dtype=bool),
                masses=np.full(len(x), 28.085), fixed=np.zeros((len(x), 3), dtype=bool),
            )
        )  # fmt: skip
    return found


def bound(field: mds.ForceField, of: mds.Structure) -> Any:
    """E(x, θ) of a structure."""
    return mds.energy_function(mds.build_system(of, field))


def start(symmetry_functions: Any, cutoff: float, sets: list[mds.Structure]) -> Any:
    """Random weights, behind inputs that are brought to mean zero and spread one."""

    def moments(params: Any, species: jax.Array, neighbors: Any) -> jax.Array:
        found = symmetry_functions(neighbors)
        return found @ params["sum"] + found**2 @ params["square"]

    # An energy that is linear in its parameters: its derivatives are the sums over atoms.
    field = mds.model_force_field(
        moments, {name: np.zeros(WIDTHS[0]) for name in ("sum", "square")}, cutoff=cutoff, species=("Si",), atomwise=True
    )
    sums = [jax.grad(bound(field, of), argnums=1)(of.positions, field.parameters)["model"] for of in sets]
    mean, square = (np.sum([each[name] for each in sums], axis=0) / sum(of.size for of in sets) for name in ("sum", "square"))
    rng = np.random.default_rng(0)
    layers = [{"w": rng.normal(size=(a, b)) / a**0.5, "b": np.zeros(b)} for a, b in pairwise(WIDTHS)]
    layers.append({"w": rng.normal(size=WIDTHS[-1]) / WIDTHS[-1] ** 0.5, "b": np.array(-4.3)})
    return {"inputs": {"shift": mean, "scale": (square - mean**2) ** -0.5}, "layers": layers}


def loss(theta: Any, energy: Any, x: jax.Array, goal: jax.Array, slopes: jax.Array) -> jax.Array:
    """Squared differences of the energy of an atom and of the forces."""
    found, gradient = jax.value_and_grad(energy)(x, theta)
    return 10.0 * ((found - goal) / len(x)) ** 2 + jnp.mean((gradient - slopes) ** 2)


def fitted(network: mds.ForceField, examples: list[Any]) -> Any:
    """θ after some passes of Adam over all structures, one at a time."""
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(0.005, EPOCHS * len(examples))))

    @partial(jax.jit, donate_argnums=(0, 1))
    def step(theta: Any, state: Any, example: Any) -> tuple[Any, Any, jax.Array]:
        value, slope = jax.value_and_grad(loss)(theta, *example)
        change, state = optimizer.update(slope, state)
        return optax.apply_updates(theta, change), state, value

    theta = jax.tree.map(jnp.asarray, network.parameters)
    state, rng = optimizer.init(theta), np.random.default_rng(1)
    for epoch in range(EPOCHS):
        losses = []
        for number in rng.permutation(len(examples)):
            theta, state, value = step(theta, state, examples[number])
            losses.append(float(value))
        if epoch % 10 == 9:
            print(f"pass {epoch + 1}: mean squared force error {np.mean(losses):.3g} eV²/Å²", flush=True)
    return jax.tree.map(np.asarray, theta)


def main(folder: Path) -> None:
    """Fit, and write."""
    jax.config.update("jax_enable_x64", True)
    sys.path.insert(0, str(HERE / "silicon_model"))
    import model

    sets = structures()
    network = model.force_field(start(model.symmetry_functions, model.CUTOFF, sets))
    known = mds.read_force_field(HERE / "silicon_interstitial" / "Si.sw")
    both = jax.jit(jax.value_and_grad(lambda x, energy: energy(x, known.parameters)))
    examples = [(bound(network, of), jnp.asarray(of.positions), *both(jnp.asarray(of.positions), bound(known, of))) for of in sets]
    model.write(folder / "weights.npz", mds.model_parameters(network, fitted(network, examples)))
    x, cell = crystal(seed=0, size=0.05, vacancy=True)
    (folder / "structure.extxyz").write_text(extxyz(["Si"] * len(x), x, cell, "T T T"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "silicon_model")
