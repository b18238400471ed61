"""Products with stored Hessians against derivatives of the gradient, and the coarse space that preconditions with them."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase.build import bulk
from small_systems import FORCE_FIELDS, STRUCTURES, build, sampled, shaped, structure

from md_sensitivity.curvature import preconditioners
from md_sensitivity.curvature.coarse import coarse_space, wave_vectors
from md_sensitivity.curvature.operators import BLOCKS, HESSIANS, PRODUCTS, choose_hessian
from md_sensitivity.curvature.products import hessian_product
from md_sensitivity.curvature.solvers import SOLVERS
from md_sensitivity.curvature.solvers.base import CONVERGED
from md_sensitivity.energy import as_energy
from md_sensitivity.errors import UsageError
from md_sensitivity.implicit import equilibrium as responses
from md_sensitivity.implicit import equilibrium_jacobian, equilibrium_vjp
from md_sensitivity.minimization import minimize
from md_sensitivity.stored import StoredHessian
from md_sensitivity.structures.validate import validated
from md_sensitivity.types import Structure


@pytest.mark.parametrize(("potential", "shape"), shaped(sampled(FORCE_FIELDS)))
def test_stored_blocks_are_the_derivative_of_the_gradient(potential: str, shape: str) -> None:
    energy, x, theta = build(FORCE_FIELDS[potential], STRUCTURES[shape]())
    if potential in ("stillinger_weber", "snap") and shape == "crystal":  # denser than these forms are made for: too many neighbors
        diamond = bulk("Si", cubic=True, a=5.8).repeat((2, 1, 1))
        noise = 0.15 * np.random.default_rng(0).normal(size=(16, 3))
        energy, x, theta = build(FORCE_FIELDS[potential], structure(diamond.positions + noise, "AABABBAB" * 2, np.array(diamond.cell)))
    stored, name, _ = choose_hessian(energy, x, theta)
    assert name == BLOCKS and stored is not None
    # As many vectors as fill one group of the kernel, and some more.
    v = jnp.asarray(np.random.default_rng(1).normal(size=(6, x.size)))
    found = stored.unpack(stored.product(stored.pack(v)))
    wanted = jnp.stack([hessian_product(energy, x, theta, row.reshape(x.shape)).reshape(-1) for row in v])
    assert np.abs(np.asarray(found - wanted)).max() < 1e-12 * float(jnp.abs(wanted).max())
    assert np.array_equal(stored.unpack(stored.pack(v)), v)
    single = stored.unpack(stored.lowered().product(stored.pack(v).astype(jnp.float32)))
    assert single.dtype == jnp.float32 and np.abs(np.asarray(single) - np.asarray(wanted)).max() < 1e-5 * float(jnp.abs(wanted).max())


def test_what_cannot_be_stored_is_differentiated_or_refused() -> None:
    # Silicon compressed until each atom has more neighbors than a stored environment may have.
    dense = bulk("Si", cubic=True, a=3.9) * (2, 2, 2)
    silicon = build(FORCE_FIELDS["stillinger_weber"], structure(dense.positions, "A" * len(dense), np.array(dense.cell)))
    stored, name, why = choose_hessian(*silicon)
    assert (stored, name) == (None, PRODUCTS) and "few neighbors" in why
    with pytest.raises(UsageError, match="few neighbors"):
        choose_hessian(*silicon, BLOCKS)
    with pytest.raises(UsageError, match="auto, blocks, products"):
        choose_hessian(*silicon, "sparse")
    assert choose_hessian(as_energy(lambda x, k: k * jnp.sum(x**2)), jnp.ones(3), 1.0)[1] == PRODUCTS
    assert choose_hessian(*build(FORCE_FIELDS["morse"], STRUCTURES["crystal"]()), PRODUCTS)[0] is None


ARGON = """
[[potential]]
style = "lennard_jones"
cutoff = 7.0
mixing = "lorentz-berthelot"
[potential.parameters.A]
sigma = 3.4
epsilon = 0.0104
[potential.parameters.B]
sigma = 3.3
epsilon = 0.012
"""


BASE = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])


@pytest.fixture(scope="module")
def alloy() -> tuple[Any, Any, Any]:
    """A minimized crystal of 500 atoms of two types, some of them frozen, too large for the dense solver; directions and cotangents."""
    cells, rng = 5, np.random.default_rng(3)
    corners = np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    positions = 5.26 * (corners + BASE).reshape(-1, 3) + 0.02 * rng.normal(size=(4 * cells**3, 3))
    n = len(positions)
    crystal = validated(
        Structure(
            name="alloy", positions=positions, types=tuple(rng.choice(["A", "B"], size=n)), numbers=np.full(n, 18),
            cell=5.26 * cells * np.eye(3), pbc=np.ones(3, dtype=bool), masses=np.full(n, 39.9),
            fixed=np.repeat(np.arange(n)[:, None] < 3, 3, axis=1),
        )
    )  # fmt: skip
    energy, x, theta = build(ARGON, crystal)
    found = minimize(energy, x, theta)
    flat, unravel = jax.flatten_util.ravel_pytree(theta)
    return found, jax.vmap(unravel)(jnp.eye(flat.size)), jnp.asarray(rng.normal(size=(6, *x.shape)))


@pytest.mark.parametrize("solver", ["cg", "pcg", "mixed-cg"])
@pytest.mark.parametrize("hessian", HESSIANS)
def test_every_way_to_solve_gives_one_answer_with_the_asked_residual(alloy: tuple[Any, Any, Any], solver: str, hessian: str) -> None:
    found, directions, cotangents = alloy
    forward = equilibrium_jacobian(found, directions, solver=solver, hessian=hessian)
    assert forward.solver == solver and hessian in forward.reason
    assert forward.residual.max() < 2 * responses.TOLERANCE
    reference = equilibrium_jacobian(found, directions, solver="minres", hessian=PRODUCTS)
    assert np.abs(np.asarray(forward.value) - np.asarray(reference.value)).max() < 1e-8 * np.abs(np.asarray(reference.value)).max()
    assert not np.any(np.asarray(forward.value)[:, :3])
    adjoint = equilibrium_vjp(found, cotangents, solver=solver, hessian=hessian)
    assert adjoint.residual.max() < 2 * responses.TOLERANCE
    left = np.einsum("knc,pnc->kp", np.asarray(cotangents), np.asarray(forward.value))
    right = np.concatenate([np.asarray(leaf).reshape(len(cotangents), -1) for leaf in jax.tree.leaves(adjoint.value)], axis=1)
    assert np.abs(left - right).max() < 1e-8 * np.abs(left).max()


@pytest.mark.parametrize(("preconditioner", "share"), [("average crystal", 0.4), ("long waves", 0.8)])
def test_preconditioners_save_iterations(
    alloy: tuple[Any, Any, Any], preconditioner: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if preconditioner == "long waves":
        monkeypatch.setattr(preconditioners, "lattice_response", lambda *_: None)
    found, _, cotangents = alloy
    plain, helped = (equilibrium_vjp(found, cotangents, solver=solver) for solver in ("cg", "pcg"))
    assert preconditioner in helped.reason and "no preconditioner" in plain.reason
    assert helped.residual.max() < 2 * responses.TOLERANCE
    assert helped.iterations < share * plain.iterations


def test_a_coarse_space_is_symmetric_and_positive_and_leaves_frozen_atoms(alloy: tuple[Any, Any, Any]) -> None:
    found = alloy[0]
    stored, _, _ = choose_hessian(found.energy, found.x, found.theta)
    assert stored is not None
    space = coarse_space(stored, np.asarray(found.x), found.energy.frame(found.x), 9)
    v = stored.pack(jnp.asarray(np.random.default_rng(4).normal(size=(4, found.x.size)))) * space.free
    products = np.asarray(space(v)) @ np.asarray(v).T
    assert np.allclose(products, products.T, rtol=1e-10, atol=1e-12) and np.all(np.linalg.eigvalsh(products) > 0)
    assert not np.any(np.asarray(stored.unpack(space(v))).reshape(4, -1, 3)[:, :3])


WIRE, SHEET = np.diag([5.0, 200.0, 5.0]), np.diag([30.0, 40.0, 1e-3])


@pytest.mark.parametrize("cell", [np.diag([3.0, 5.0, 9.0]), np.array([[4.0, 0, 0], [1.9, 4.0, 0], [0.3, -1.7, 6.0]]), WIRE, SHEET])
def test_wave_vectors_are_the_shortest_of_the_reciprocal_lattice(cell: np.ndarray) -> None:
    q = wave_vectors(cell, 20)
    assert q.shape == (20, 3)
    grid = np.stack(np.meshgrid(*[np.arange(-24, 25)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.sort(np.linalg.norm(grid @ (2 * np.pi * np.linalg.inv(cell).T), axis=1))
    assert np.allclose(np.linalg.norm(q, axis=1), lengths[1:41:2], rtol=1e-12)
    assert np.allclose(np.exp(1j * cell @ q.T), 1.0)


def test_single_precision_that_cannot_finish_leaves_the_rest_to_double() -> None:
    # Eigenvalues over nine decades: float32 alone gets nowhere near the goal.
    rng = np.random.default_rng(5)
    frame = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    matrix = jnp.asarray((frame * np.logspace(-6, 3, 40)) @ frame.T)

    class Operator:
        columns = exact = staticmethod(lambda v: v @ matrix)
        lowered = staticmethod(lambda v: v @ matrix.astype(jnp.float32))

        def __call__(self, v: jax.Array) -> jax.Array:
            return matrix @ v

    b = jnp.asarray(rng.normal(size=(3, 40)))
    solution = SOLVERS["mixed-cg"].solve(Operator(), b, 1e-8, 5000)
    assert np.all(np.asarray(solution.status) == CONVERGED) and solution.residual.max() < 1e-8


def test_right_hand_sides_are_divided_among_the_processors_that_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for told, parts in (("1", (1, 1, 2)), ("4", (1, 3, 4))):
        monkeypatch.setenv("NPROC", told)
        assert tuple(responses.streams(count) for count in (3, 10, 20)) == parts
    monkeypatch.delenv("NPROC")
    assert 1 <= responses.streams(1000) <= 1000 and responses.streams(0) == 0


@pytest.mark.parametrize("solver", ["cg", "pcg", "mixed-cg"])
def test_rigid_motions_do_not_spoil_the_sweeps_of_a_soft_wire(solver: str) -> None:
    # Condition number 35,000, and a rotation about the axis besides the translations.
    grid = np.stack(np.meshgrid(np.arange(3), np.arange(45), np.arange(3), indexing="ij"), axis=-1).reshape(-1, 3)
    x = 3.75 * grid + 0.1 * np.random.default_rng(0).normal(size=grid.shape)
    wire = structure(x, "A" * len(x), np.diag([60.0, 45 * 3.75, 60.0]), (False, True, False))
    energy, x, theta = build(ARGON.split("[potential.parameters.B]")[0], wire)
    found = minimize(energy, x, theta)
    cotangents = jnp.asarray(np.random.default_rng(1).normal(size=(7, *x.shape)))
    assert equilibrium_vjp(found, cotangents, solver=solver).residual.max() < 2 * responses.TOLERANCE


def test_stored_blocks_leave_out_what_only_the_skin_holds() -> None:
    # 18 neighbors up to 5.26 Å within the cutoff, 24 more at 6.44 Å within the skin; widths are multiples of eight.
    x = 5.26 * (np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3) + BASE).reshape(-1, 3)
    text = ARGON.split("[potential.parameters.B]")[0].replace("cutoff = 7.0", "cutoff = 6.0")
    energy, x, theta = build(text, structure(x, "A" * len(x), 3 * 5.26 * np.eye(3)))
    assert energy.system.terms[0].neighbors.index.shape[1] == 48
    stored, _, _ = choose_hessian(energy, x, theta)
    assert isinstance(stored, StoredHessian) and stored.pairs[0].index.shape[1] == 24
