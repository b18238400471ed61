"""Energies, forces and Hessian products against jax-md, where it is known to be right: free clusters of one species."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from md_sensitivity.building import build_system
from md_sensitivity.forcefields import parse_native
from md_sensitivity.system import energy_function
from md_sensitivity.types import Structure

FORMS = {
    "lennard_jones": "sigma = 1.1\nepsilon = 0.7",
    "soft_sphere": "sigma = 1.6\nepsilon = 0.7",
    "morse": "D = 0.7\nalpha = 3.5\nr0 = 1.1",
}


def cluster() -> Structure:
    positions = np.random.default_rng(3).normal(scale=0.08, size=(12, 3)) + np.argwhere(np.ones((3, 2, 2)))
    return Structure(
        positions=positions,
        types=("Ar",) * 12,
        numbers=np.full(12, 18),
        cell=np.zeros((3, 3)),
        pbc=np.zeros(3, dtype=bool),
        masses=np.full(12, 39.948),
        fixed=np.zeros((12, 3), dtype=bool),
    )


@pytest.mark.filterwarnings("ignore")  # whatever jax-md's dependencies say on import
@pytest.mark.parametrize("style", list(FORMS))
def test_energy_force_and_hessian_product_agree(style: str) -> None:
    from jax_md import energy as peer
    from jax_md import space

    displacement, _ = space.free()
    real = lambda value: jnp.asarray(value, dtype=jnp.float64)  # noqa: E731  (jax-md takes Python floats as float32)
    far = {"r_onset": real(50.0), "r_cutoff": real(60.0)}
    reference = {
        "lennard_jones": lambda: peer.lennard_jones_pair(displacement, sigma=real(1.1), epsilon=real(0.7), **far),
        "soft_sphere": lambda: peer.soft_sphere_pair(displacement, sigma=real(1.6), epsilon=real(0.7), alpha=real(2.0)),
        "morse": lambda: peer.morse_pair(displacement, sigma=real(1.1), epsilon=real(0.7), alpha=real(3.5), **far),
    }[style]()
    text = f'units = "reduced"\n[[potential]]\nstyle = "{style}"\n[potential.parameters.Ar]\n{FORMS[style]}\n'
    force_field = parse_native(text, "test.toml")
    system = build_system(cluster(), force_field)
    energy = energy_function(system)
    x = system.positions
    v = jnp.asarray(np.random.default_rng(4).normal(size=x.shape))

    def ours(x: jax.Array) -> jax.Array:
        return energy(x, force_field.parameters)

    assert float(ours(x)) == pytest.approx(float(reference(x)), rel=1e-12)
    for product in (lambda f: jax.grad(f)(x), lambda f: jax.jvp(jax.grad(f), (x,), (v,))[1]):
        expected = product(reference)
        assert np.abs(product(ours) - expected).max() <= 1e-11 * np.abs(expected).max()
