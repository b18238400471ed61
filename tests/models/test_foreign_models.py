"""What a user's model is given and gives: derivatives of functions of all atoms, names, units, validity, and what is refused."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import assert_right_first, assert_right_second, assert_right_strain
from sample_models import CUTOFF, lengths, lj_atoms, lj_model, lj_whole, messages, network, network_model, pairs_of, smooth_end
from small_systems import (
    CELL,
    STRUCTURES,
    along,
    crystal,
    difference,
    gradient,
    inner,
    random_like,
    strain_gradient,
    strained,
    structure,
    value,
)

import md_sensitivity as mds
from md_sensitivity.errors import InputError, PrecisionError, UsageError
from md_sensitivity.forcefields import native_toml
from md_sensitivity.implicit import equilibrium_vjp
from md_sensitivity.pipeline import Options, analyze
from md_sensitivity.units import KILOCALORIE_PER_MOLE

STRAIN = np.array([[0.01, 0.004, 0.0], [0.004, -0.02, 0.003], [0.0, 0.003, 0.015]])


def bound(field: mds.ForceField, of: Any) -> tuple[Any, jax.Array, Any]:
    system = mds.build_system(of, field)
    return mds.energy_function(system), system.positions, jax.tree.map(jnp.asarray, field.parameters)


@pytest.mark.parametrize("shape", STRUCTURES)
def test_a_network_of_messages_has_right_derivatives(shape: str) -> None:
    energy, x, theta = bound(network_model(), STRUCTURES[shape]())
    for check in (assert_right_first, assert_right_strain, assert_right_second):
        check(energy, x, theta)
    assert np.asarray(gradient(energy, x, theta)).sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-10)


def test_small_cells_hold_what_their_copies_hold() -> None:
    one = crystal()
    shifts = np.stack(np.meshgrid(*[np.arange(2)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) @ CELL
    eight = structure(np.concatenate([one.positions + shift for shift in shifts]), "ABBA" * 8, 2 * CELL)
    for field in (network_model(), lj_model(atomwise=False)):
        energy, x, theta = bound(field, one)
        copies, y, _ = bound(field, eight)
        assert float(value(copies, y, theta)) == pytest.approx(8 * float(value(energy, x, theta)), rel=1e-12)
        assert np.asarray(gradient(copies, y, theta))[:4] == pytest.approx(np.asarray(gradient(energy, x, theta)), abs=1e-9)


def from_cell(params: Any, positions: jax.Array, species: jax.Array, cell: jax.Array, neighbors: Any) -> jax.Array:
    """Reads positions and cell, and nothing of the vectors."""
    d = positions[neighbors.atom] - positions[:, None]
    d = d - jnp.round(d @ jnp.linalg.inv(cell)) @ cell
    safe = jnp.where(neighbors.mask[..., None], d, jnp.array([1.0, 0.0, 0.0]))
    return lj_whole(params, positions, species, cell, neighbors._replace(vectors=safe))


def test_positions_and_cell_are_strained_together() -> None:
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.arange(5)] * 3, indexing="ij"), axis=-1).reshape(-1, 3) * 2.6
    of = structure(grid + rng.normal(scale=0.1, size=grid.shape), "ABBAA" * 25, np.eye(3) * 13.0)
    found = []
    for function in (lj_whole, from_cell):
        field = mds.model_force_field(function, pairs_of("lennard_jones"), cutoff=CUTOFF, species=("A", "B"))
        energy, x, theta = bound(field, of)
        found.append([np.asarray(f(energy, x, theta, STRAIN)) for f in (strained, strain_gradient)])
    for a, b in zip(*found, strict=True):
        assert a == pytest.approx(b, rel=1e-10, abs=1e-9)


def test_energy_is_not_a_number_where_a_neighbor_may_be_missing() -> None:
    energy, x, theta = bound(network_model(), STRUCTURES["cluster"]())
    far = x.at[0].add(jnp.array([1.5, 0.0, 0.0]))
    assert np.isnan(float(value(energy, far, theta))) and np.isnan(np.asarray(gradient(energy, far, theta))).all()
    fresh, _, _ = bound(network_model(), structure(np.asarray(far), "ABAABBA"))
    assert float(value(energy.updated(far, theta), far, theta)) == pytest.approx(float(value(fresh, far, theta)), rel=1e-12)


def test_numbers_have_names_that_patterns_choose() -> None:
    field = network_model()
    names = field.table.names
    assert names[:2] == ("net.embedding.0", "net.embedding.1") and "net.layers.1.edge.11" in names
    assert len(field.table.matching(["net.layers.0.*"])) == 12 + 16 + 4
    assert names[field.table.matching(["net.layers.1.shift.3", "net.last.?"])[-1]] == "net.layers.1.shift.3"
    assert mds.model_force_field(lj_whole, {"x": 2.0}, cutoff=1.0, species="A").table.names == ("model.x",)
    assert mds.model_force_field(lj_whole, np.ones(2), cutoff=1.0, species="A").table.names == ("model.values.0", "model.values.1")
    again = mds.model_parameters(field)
    assert jax.tree.all(jax.tree.map(np.array_equal, again, network()))
    stacked = mds.model_parameters(field, jax.tree.map(lambda leaf: np.stack([leaf] * 3), field.parameters))
    assert stacked["layers"][0]["edge"].shape == (3, 3, 4)
    moved = field.with_parameters(jax.tree.map(lambda leaf: 2.0 * leaf, field.parameters))
    assert np.array_equal(mds.model_parameters(moved)["last"], 2.0 * network()["last"])


def test_units_of_the_model_are_converted() -> None:
    p = pairs_of("lennard_jones")
    nanometers = {"pairs": {"epsilon": p["pairs"]["epsilon"] / (KILOCALORIE_PER_MOLE / 4.184), "sigma": p["pairs"]["sigma"] / 10}}

    def in_nanometers(params: Any, species: jax.Array, neighbors: Any) -> jax.Array:
        larger = {"pairs": {"epsilon": params["pairs"]["epsilon"], "sigma": 10 * params["pairs"]["sigma"]}}
        return lj_atoms(larger, species, neighbors._replace(vectors=10 * neighbors.vectors))

    other = mds.model_force_field(in_nanometers, nanometers, cutoff=CUTOFF / 10, species=("A", "B"), units="gromacs", atomwise=True)
    (a, x, s), (b, _, t) = bound(other, crystal()), bound(lj_model(atomwise=True), crystal())
    assert np.asarray(gradient(a, x, s)) == pytest.approx(np.asarray(gradient(b, x, t)), rel=1e-10, abs=1e-10)


def test_a_jump_at_the_cutoff_is_watched_for() -> None:
    for atomwise, function in ((True, lj_atoms), (False, lj_whole)):
        field = mds.model_force_field(
            function, pairs_of("lennard_jones"), cutoff=CUTOFF, species=("A", "B"), atomwise=atomwise, smooth=False
        )
        energy, x, theta = bound(field, STRUCTURES["cluster"]())
        (gaps,) = energy.kink_gaps(x, theta)
        distances = np.linalg.norm(np.asarray(x)[:, None] - np.asarray(x)[None], axis=-1)
        nearest = np.min(np.abs(distances[np.triu_indices(7, 1)] - CUTOFF))
        assert float(jnp.min(jnp.abs(gaps))) == pytest.approx(nearest, rel=1e-9)
        assert bound(lj_model(atomwise=atomwise), STRUCTURES["cluster"]())[0].kink_gaps(x, theta) == ()


def many(params: Any, species: jax.Array, neighbors: Any) -> jax.Array:
    """Morse pairs, which hold the atoms, and a network of the distances."""
    r = lengths(neighbors)
    end = jnp.where(neighbors.mask, smooth_end(r, 3.0, 4.5), 0.0)
    inputs = jnp.sum(jnp.exp(-4.0 * (r[..., None] - jnp.linspace(2.0, 4.0, 8)) ** 2) * end[..., None], axis=1)
    state = jnp.tanh(jnp.tanh(inputs @ params["first"]) @ params["second"])
    fall = jnp.exp(-1.4 * (r - 2.6))
    return 0.5 * jnp.sum((fall**2 - 2.0 * fall) * end, axis=1) + 0.02 * state @ params["last"]


def test_a_hundred_thousand_weights_in_the_adjoint_mode() -> None:
    rng, width = np.random.default_rng(0), 312
    params = {"first": rng.normal(size=(8, width)), "second": rng.normal(size=(width, width)) / width**0.5, "last": rng.normal(size=width)}
    field = mds.model_force_field(many, params, cutoff=4.5, species=("A", "B"), atomwise=True)
    assert len(field.table) > 1e5
    of = STRUCTURES["cluster"]()
    energy, x, theta = bound(field, of)
    equilibrium = mds.minimize(energy, x, theta)
    found = mds.sensitivity(mds.observable("radius_of_gyration"), energy, equilibrium)
    assert found.mode == "adjoint"
    cotangent = jax.grad(lambda y: jnp.sqrt(jnp.mean(jnp.sum((y - y.mean(axis=0)) ** 2, axis=1))))(equilibrium.x)
    by_hand = equilibrium_vjp(equilibrium, cotangent[None]).value["model"]["second"][0]
    assert found.total["model"]["second"] == pytest.approx(np.asarray(by_hand), rel=1e-6, abs=1e-10)
    result = analyze(of, field, Options(mode="adjoint", parameters=("model.first.*",), observables=("radius_of_gyration",)))
    assert result.document.certificate is not None and result.document.certificate.passed
    assert len(result.document.parameters) == 8 * width


def test_a_model_is_fitted_like_any_force_field() -> None:
    trimer = structure(np.array([[0.0, 0.0, 0.0], [2.4, 0.0, 0.0], [1.2, 2.1, 0.0]]), "AAA")
    field = mds.model_force_field(
        lj_whole, {"pairs": {"epsilon": np.full(1, 0.5), "sigma": np.full(1, 2.3)}}, cutoff=CUTOFF, species=("A",)
    )
    targets = [mds.Target(trimer, "energy", -3.0, std=0.01), mds.Target(trimer, "distance:0-1", 2.5, std=0.005)]
    fit = mds.fit(targets, field)
    fitted = mds.model_parameters(fit.force_field)["pairs"]
    assert fitted["epsilon"] == pytest.approx([1.0], rel=1e-7) and fitted["sigma"] == pytest.approx([2.5 / 2 ** (1 / 6)], rel=1e-7)


def test_positions_can_be_relaxed_within_other_code() -> None:
    energy, x, theta = bound(lj_model(atomwise=False), STRUCTURES["cluster"]())

    def size(t: Any) -> jax.Array:
        y = mds.relaxed_positions(energy, x, t)
        return jnp.sum((y[0] - y[1]) ** 2)

    slope = jax.grad(size)(theta)
    direction = random_like(theta, 3, relative=True)
    expected = difference(lambda h: size(along(theta, direction, h)), 1e-4)
    assert inner(slope, direction) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"energy": 3}, "must be a function"),
        ({"cutoff": -1.0}, "cutoff must be a positive number"),
        ({"cutoff": float("inf")}, "cutoff must be a positive number"),
        ({"species": ()}, "species must be names"),
        ({"species": ("A", "A")}, "has a name twice"),
        ({"units": "metel"}, "did you mean"),
        ({"name": "a.b"}, "is called with letters"),
        ({"params": {}}, "holds no array"),
        ({"params": {"n": np.arange(3)}}, "holds int64, no floats"),
        ({"params": {"w": np.array([1.0, np.nan])}}, "not finite"),
        ({"params": {"a b": np.ones(1)}}, "no blanks"),
        ({"params": {"a.b": np.ones(1), "a": {"b": np.ones(1)}}}, "two arrays have this path"),
    ],
)
def test_what_cannot_be_used_is_refused(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {"energy": messages, "params": network(), "cutoff": CUTOFF, "species": ("A", "B")} | changes
    with pytest.raises(InputError, match=message):
        mds.model_force_field(arguments.pop("energy"), arguments.pop("params"), **arguments)


def test_what_does_not_fit_is_refused() -> None:
    field = network_model()
    with pytest.raises(InputError, match=r"no parameters for net\.C.*knows A, B"):
        mds.build_system(structure(np.eye(3) * 2.5, "ACC"), field)
    with pytest.raises(UsageError, match="no force-field file can hold a foreign model"):
        native_toml(field)
    with pytest.raises(UsageError, match="holds no model"):
        mds.model_parameters(mds.ForceField(name="x", units=field.units, terms=(), parameters={}, table=field.table))
    for function, error, message in (
        (lambda p, x, s, c, n: x, UsageError, r"must have the shape \(\) or \(7,\), not \(7, 3\)"),
        (lambda p, x, s, c, n: jnp.sum(p["w"]).astype(jnp.float32), PrecisionError, "is float32"),
    ):
        energy, x, theta = bound(
            mds.model_force_field(function, {"w": np.ones(2)}, cutoff=3.0, species=("A", "B")), STRUCTURES["cluster"]()
        )
        with pytest.raises(error, match=message):
            value(energy, x, theta)
