"""A system whose atoms are split over four devices is the same system: energies, forces, minima and derivatives, and smaller shares."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import build, close, force_field, gradient, mixed, structure, theta_gradient, value

import md_sensitivity as mds
from md_sensitivity import pipeline
from md_sensitivity.analysis import relaxation
from md_sensitivity.analysis.certificate import error_estimate
from md_sensitivity.analysis.spotcheck import rebuilder
from md_sensitivity.building import build_system
from md_sensitivity.curvature.products import hessian_product
from md_sensitivity.footprint import Size, on_device
from md_sensitivity.implicit import equilibrium_jacobian, equilibrium_vjp
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.neighbors import ROWS, row_count
from md_sensitivity.sharding import LARGE, devices_for, memories, mesh_of
from md_sensitivity.system import EnergyFunction, energy_function
from md_sensitivity.types import Structure

DEVICES = 4
ARGON = '[[potential]]\nstyle = "lennard_jones"\ncutoff = 6.0\n[potential.parameters.A]\nsigma = 3.4\nepsilon = 0.0104\n'
SILICON = """[[potential]]
style = "stillinger_weber"
[potential.parameters.A-A-A]
epsilon = 2.1683
sigma = 2.0951
a = 1.8
lambda = 21.0
gamma = 1.2
costheta0 = -0.333333333333
A = 7.049556277
B = 0.6022245584
p = 4.0
q = 0.0
"""
DISCS = 'units = "reduced"\n[[potential]]\nstyle = "soft_sphere"\n[potential.parameters.A]\nsigma = 1.0\nepsilon = 1.0\n'
FCC = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
DIAMOND = np.concatenate([FCC, FCC + 0.25])


def lattice(basis: np.ndarray, cells: tuple[int, int, int], a: float) -> tuple[np.ndarray, np.ndarray]:
    """Rattled positions and cell."""
    corners = np.stack(np.meshgrid(*map(np.arange, cells), indexing="ij"), axis=-1).reshape(-1, 1, 3)
    x = ((corners + basis) * a).reshape(-1, 3)
    return x + np.random.default_rng(0).normal(scale=0.03, size=x.shape), np.diag(cells) * a


def argon() -> Structure:
    """A crystal of 4000 sites with a vacancy, without which nothing would respond to parameters."""
    x, cell = lattice(FCC, (10, 10, 10), 5.25)
    return structure(x[1:], "A" * (len(x) - 1), cell)


def silicon() -> Structure:
    """216 sites with a vacancy."""
    x, cell = lattice(DIAMOND, (3, 3, 3), 5.43)
    return structure(x[1:], "A" * (len(x) - 1), cell)


def alloy() -> Structure:
    """Two types and a vacancy: 239 atoms, which are padded to 256."""
    x, cell = lattice(FCC, (3, 4, 5), 3.5)
    types = np.random.default_rng(1).choice(["A", "B"], size=len(x) - 1)
    return structure(x[1:], "".join(types), cell)


class Case(NamedTuple):
    """A system on one device and the same on four."""

    plain: EnergyFunction
    split: EnergyFunction
    x: jax.Array
    theta: Any


SYSTEMS: dict[str, tuple[str, Callable[[], Structure], bool]] = {
    "lennard_jones": (ARGON, argon, False),
    "stillinger_weber": (SILICON, silicon, False),
    "two_types_padded": (mixed("lorentz-berthelot"), alloy, True),
}


@cache
def case(name: str) -> Case:
    text, of, padded = SYSTEMS[name]
    plain, x, theta = build(text, of(), padded=padded)
    return Case(plain, plain.sharded(jax.devices()[:DEVICES]), np.asarray(x), theta)


@cache
def minimum(name: str) -> Equilibrium:
    """The minimum, found on four devices."""
    c = case(name)
    # By one method: three-body terms take long to compile.
    return minimize(c.split, c.x, c.theta, minimizer="newton" if name == "stillinger_weber" else "lbfgs+newton")


def on_one_device(name: str) -> Equilibrium:
    """The same minimum, with an energy on one device."""
    found = minimum(name)
    x = np.asarray(found.x)
    energy = case(name).plain.updated(x, found.theta)
    return replace(found, x=jnp.asarray(x), energy=energy, modes=jax.tree.map(np.asarray, found.modes))


def basis(theta: Any) -> Any:
    """All directions in parameter space."""
    flat, unravel = jax.flatten_util.ravel_pytree(theta)
    return jax.vmap(unravel)(jnp.eye(flat.size))


def shares(array: jax.Array) -> list[int]:
    """Number of rows on each device."""
    assert len(array.sharding.device_set) == DEVICES
    return [part.data.shape[0] for part in array.addressable_shards]


@jax.jit
def derivatives(energy: EnergyFunction, x: jax.Array, theta: Any) -> tuple[jax.Array, Any]:
    """Energy of a strained system, and its gradients with respect to positions, parameters and strain."""
    strain = jnp.diag(jnp.array([0.01, 0.0, -0.02]))
    return jax.value_and_grad(energy.strained, argnums=(0, 1, 2))(x, theta, strain)


def is_split(energy: EnergyFunction) -> bool:
    """Whether each device has exactly its share of all neighbor tables."""
    tables = [term.neighbors for term in energy.system.terms]
    arrays = [array for table in tables for array in (table.index, table.reverse) if array is not None]
    return bool(arrays) and all(shares(array) == [len(array) // DEVICES] * DEVICES for array in arrays)


@pytest.mark.parametrize("name", SYSTEMS)
def test_sharding_keeps_energies_and_forces(name: str) -> None:
    plain, split, x, theta = case(name)
    (one, by_one), (four, by_four) = derivatives(plain, x, theta), derivatives(split, x, theta)
    assert float(four) == pytest.approx(float(one), rel=1e-12)
    for expected, found in zip(by_one, by_four, strict=True):  # ∂E/∂x, ∂E/∂θ, ∂E/∂strain
        assert close(expected, found, 1e-12)


@pytest.mark.parametrize("name", ["lennard_jones", "two_types_padded"])
def test_sharding_keeps_products_with_the_hessian(name: str) -> None:
    plain, split, x, theta = case(name)
    v = np.random.default_rng(2).normal(size=x.shape) * np.asarray(plain.system.free)
    product = jax.jit(hessian_product)
    found = product(split, x, theta, v)
    assert close(product(plain, x, theta, v), found, 1e-12)
    stored = jax.jit(lambda energy: energy.assembled(x, theta))(split)
    packed = stored.pack(v.reshape(1, -1))
    assert close(stored.unpack(stored.product(packed)).reshape(v.shape), found, 1e-12)
    for part in stored.pairs:
        for block in part.block:
            assert shares(block) == [len(block) // DEVICES] * DEVICES


@pytest.mark.parametrize("name", SYSTEMS)
def test_sharding_leaves_each_device_its_share(name: str) -> None:
    plain, split, x, theta = case(name)
    assert is_split(split)
    moved = x + np.random.default_rng(3).normal(scale=0.02, size=x.shape) * np.asarray(plain.system.free)
    rebuilt = split.updated(moved, theta)
    for energy in (rebuilt, rebuilt.tightened(moved, theta), rebuilt.stabilized(moved, theta), plain.like(rebuilt), minimum(name).energy):
        assert is_split(energy)
    assert all(shares(bond.acting) == [len(bond.acting) // DEVICES] * DEVICES for bond in split.bonds(x, theta))
    assert float(value(rebuilt, moved, theta)) == pytest.approx(float(value(plain.updated(moved, theta), moved, theta)), rel=1e-12)
    text, of, padded = SYSTEMS[name]
    fresh = energy_function(build_system(of(), force_field(text), padded=padded, devices=jax.devices()[:DEVICES]))
    assert is_split(fresh) and float(value(fresh, x, theta)) == float(value(split, x, theta))


def test_sharding_sends_positions_and_forces_only() -> None:
    _, split, x, theta = case("lennard_jones")
    text = gradient.lower(split, x, theta).compile().as_text()
    sizes = [int(np.prod([int(n) for n in shape.split(",")])) for shape in re.findall(r"= \w+\[([\d,]+)\]\S* all-gather", text)]
    rows, width = split.system.terms[0].neighbors.index.shape
    assert sizes and max(sizes) <= 3 * rows < rows * width // DEVICES


@pytest.mark.parametrize("name", SYSTEMS)
def test_sharding_keeps_minima_and_their_derivatives(name: str) -> None:
    split, plain = minimum(name), on_one_device(name)
    assert split.status == "minimum" and split.x.sharding.is_fully_replicated
    assert split.value == pytest.approx(float(value(plain.energy, plain.x, plain.theta)), rel=1e-12)
    directions = basis(split.theta)
    found, expected = equilibrium_jacobian(split, directions), equilibrium_jacobian(plain, directions)
    sizes = np.linalg.norm(np.asarray(expected.solution), axis=1)
    errors = np.linalg.norm(np.asarray(found.solution) - np.asarray(expected.solution), axis=1)
    scales = np.abs(jax.flatten_util.ravel_pytree(split.theta)[0])
    estimate = error_estimate(split, found, scales)
    assert estimate is not None and estimate < 1e-4
    moving = sizes * scales > 1e-8 * np.max(sizes * scales)
    assert np.all(errors[moving] <= estimate * sizes[moving])
    cotangent = np.random.default_rng(4).normal(size=split.x.shape)
    adjoint = equilibrium_vjp(split, cotangent).value
    forward = np.tensordot(np.asarray(found.value).reshape(len(sizes), -1), cotangent.ravel(), axes=1)
    assert close(jax.flatten_util.ravel_pytree(adjoint)[0], forward, 10 * estimate)


def test_sharding_solves_many_right_hand_sides_one_block_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    found = minimum("two_types_padded")
    monkeypatch.setattr("md_sensitivity.compilation.ThreadPoolExecutor", None)
    few = equilibrium_jacobian(found, basis(found.theta))
    many = equilibrium_jacobian(found, jax.tree.map(lambda leaf: jnp.concatenate([leaf] * 5), basis(found.theta)), solver="cg")
    assert len(many.solution) == 20 and np.all(many.residual < 1e-9)
    assert close(np.tile(np.asarray(few.solution), (5, 1)), many.solution, 1e-7)


def test_sharding_keeps_sensitivities() -> None:
    split, plain = minimum("two_types_padded"), on_one_device("two_types_padded")
    # At a minimum the energy depends on parameters directly only.
    found = mds.sensitivity(mds.observable("energy"), split.energy, split)
    assert close(found.total, theta_gradient(plain.energy, plain.x, plain.theta), 1e-8)


def test_sharding_refuses_traced_rebuilds() -> None:
    _, split, x, theta = case("two_types_padded")
    with pytest.raises(mds.MdSensitivityError, match="within traced code"):
        jax.jit(lambda theta: mds.relaxed_positions(split, x, theta))(theta)


def test_sharding_removes_the_same_contacts() -> None:
    rng = np.random.default_rng(5)
    points = np.concatenate([rng.uniform(0.0, 13.0, size=(150, 2)), np.zeros((150, 1))], axis=1)
    of = structure(points[:, :3] * [1, 1, 0], "A" * 150, np.diag([13.0, 13.0, 9.0]), (True, True, False))
    plain, x, theta = build(DISCS, of, dimensions=2)
    split = plain.sharded(jax.devices()[:DEVICES])
    one, four = plain.stabilized(x, theta), split.stabilized(x, theta)
    assert is_split(four)
    removed = [np.asarray(energy.system.terms[0].neighbors.removed) for energy in (one, four)]
    assert 0 < removed[0].sum() < 150 and np.array_equal(*removed)
    later = plain.like(four).updated(x, theta)
    assert is_split(later) and float(value(later, x, theta)) == pytest.approx(float(value(one, x, theta)), rel=1e-12)


@pytest.mark.parametrize("atoms", [1, 7, 64, 65, 255, 256, 257, 4000, 100_000])
@pytest.mark.parametrize("devices", [1, 2, 4, 7])
def test_sharding_gives_devices_equal_blocks_of_rows(atoms: int, devices: int) -> None:
    rows = row_count(atoms, devices)
    share = rows // devices
    assert rows >= atoms and rows % devices == 0 and (share <= ROWS or share % ROWS == 0)
    assert rows - atoms < ROWS * devices


class _Device(NamedTuple):
    platform: str


def test_sharding_is_chosen_for_large_systems_on_several_accelerators() -> None:
    gpus = [_Device("gpu")] * 3
    assert devices_for(LARGE, gpus) == tuple(gpus)
    assert devices_for(LARGE - 1, gpus) is None
    assert devices_for(LARGE, gpus[:1]) is None
    assert devices_for(LARGE, [_Device("cpu")] * 4) is None
    assert devices_for(10 * LARGE) is None  # those of this process are simulated


def test_sharding_divides_the_memory_of_tables_and_blocks() -> None:
    size = Size(atoms=10**6, pairs=80 * 10**6, entries=96 * 10**6, edges=0, solves=1, stored=True)
    without = replace(size, entries=0)
    assert 4 * (on_device(replace(size, shares=4)) - on_device(without)) == on_device(size) - on_device(without)
    assert memories(mesh_of(jax.devices())) == (1 if jax.default_backend() == "cpu" else len(jax.devices()))


def test_sharding_is_recorded_in_results(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (pipeline, relaxation):
        monkeypatch.setattr(module, "devices_for", lambda atoms: tuple(jax.devices()[:DEVICES]))
    text, of, _ = SYSTEMS["two_types_padded"]
    options = pipeline.Options(parameters=("*.A.sigma",), check=0)
    assert is_split(energy_function(relaxation.system_for(of(), force_field(text), options)))
    result = pipeline.analyze(of(), force_field(text), options)
    assert result.document.status == "minimum" and result.document.certificate.passed
    assert f"atoms split over {DEVICES}" in result.document.provenance.device


def test_sharding_is_kept_by_spot_checks() -> None:
    text, of, _ = SYSTEMS["two_types_padded"]
    found = minimum("two_types_padded")
    assert is_split(rebuilder(of(), force_field(text), found, 3)(found.theta))
