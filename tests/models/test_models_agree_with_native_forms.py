"""A potential written as a user's function is the native one: energies, forces, stresses, Hessian products, minima and their responses."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from derivatives import hessian_product, mixed_reverse
from sample_models import SW_NATIVE, lj_model, sw_model
from small_systems import (
    FORCE_FIELDS,
    STRUCTURES,
    cluster,
    crystal,
    force_field,
    gradient,
    strain_gradient,
    strained,
    structure,
    theta_gradient,
    value,
)

from md_sensitivity.building import build_system
from md_sensitivity.implicit import equilibrium_jacobian, equilibrium_vjp
from md_sensitivity.minimization import minimize
from md_sensitivity.system import energy_function

STRAIN = np.array([[0.01, 0.004, 0.0], [0.004, -0.02, 0.003], [0.0, 0.003, 0.015]])


def only_a(of):
    return structure(of.positions, "A" * of.size, of.cell if of.pbc.any() else None)


MODELS = {
    "whole": (lambda: lj_model(atomwise=False), FORCE_FIELDS["lennard_jones"], lambda of: of),
    "atoms": (lambda: lj_model(atomwise=True), FORCE_FIELDS["lennard_jones"], lambda of: of),
    "angles": (sw_model, SW_NATIVE, only_a),
}


def both(case: str, of, **options):
    make, text, changed = MODELS[case]
    found = []
    for field in (make(), force_field(text)):
        system = build_system(changed(of), field, **options)
        found.append((energy_function(system), system.positions, jax.tree.map(jnp.asarray, field.parameters)))
    return found


def named(case: str, theta) -> dict[str, np.ndarray]:
    """Derivatives by the native name, in the shape of the native form."""
    label = next(iter(theta))
    found = {name.removeprefix("pairs."): np.asarray(leaf) for name, leaf in theta[label].items()}
    return found if case != "angles" else {name: found[name] for name in ("A", "B", "a", "sigma", "lambda", "epsilon")}


@pytest.mark.parametrize("shape", STRUCTURES)
@pytest.mark.parametrize("case", MODELS)
def test_energies_and_derivatives(case: str, shape: str) -> None:
    (model, x, theta), (native, _, native_theta) = both(case, STRUCTURES[shape]())
    v = np.random.default_rng(0).normal(size=x.shape)
    for function, more in ((value, ()), (gradient, ()), (hessian_product, (v,)), (strained, (STRAIN,)), (strain_gradient, (STRAIN,))):
        expected = np.asarray(function(native, x, native_theta, *more))
        assert np.asarray(function(model, x, theta, *more)) == pytest.approx(expected, rel=1e-10, abs=1e-10 * np.abs(expected).max())
    for function, more in ((theta_gradient, ()), (mixed_reverse, (v,))):
        expected = named(case, function(native, x, native_theta, *more))
        found = named(case, function(model, x, theta, *more))
        for name in found:
            assert found[name] == pytest.approx(expected[name].reshape(found[name].shape), rel=1e-9, abs=1e-10), name


@pytest.mark.parametrize("case", MODELS)
def test_minima_and_their_responses(case: str) -> None:
    found, start = [], None
    for energy, x, theta in reversed(both(case, cluster())):
        # The model starts at the native minimum: on the way rounding turns a free cluster.
        equilibrium = minimize(energy, x if start is None else start, theta, fmax=1e-11)
        start = equilibrium.x
        label = next(iter(theta))
        basis = {label: {name: jnp.zeros((3, *leaf.shape)) for name, leaf in theta[label].items()}}
        name = next(each for each in basis[label] if each.endswith("sigma"))
        basis[label][name] = jnp.eye(3)[:, : theta[label][name].shape[0]] if theta[label][name].ndim else jnp.array([1.0, 0.0, 0.0])
        forward = equilibrium_jacobian(equilibrium, basis)
        adjoint = equilibrium_vjp(equilibrium, jnp.asarray(np.random.default_rng(1).normal(size=(1, *x.shape))))
        found.append((np.asarray(equilibrium.x), np.asarray(forward.value), named(case, adjoint.value)))
    (native_x, native_forward, native_adjoint), (x, forward, adjoint) = found
    assert x == pytest.approx(native_x, abs=1e-9)
    assert forward == pytest.approx(native_forward, abs=1e-8 * np.abs(native_forward).max())
    for name in adjoint:
        expected = native_adjoint[name].reshape(adjoint[name].shape)
        assert adjoint[name] == pytest.approx(expected, rel=1e-7, abs=1e-8), name


@pytest.mark.parametrize("case", ["whole", "atoms"])
def test_padding_is_nothing(case: str) -> None:
    (model, x, theta), _ = both(case, crystal())
    (padded, y, _), _ = both(case, crystal(), padded=True)
    assert len(y) == (len(x) if case == "whole" else 64)
    assert float(value(padded, y, theta)) == pytest.approx(float(value(model, x, theta)), rel=1e-12)
    found = np.asarray(gradient(padded, y, theta))
    assert found[: len(x)] == pytest.approx(np.asarray(gradient(model, x, theta)), rel=1e-9, abs=1e-10) and not found[len(x) :].any()


@pytest.mark.parametrize("case", MODELS)
def test_an_atom_by_itself_has_no_neighbors_and_no_nan(case: str) -> None:
    lone = structure(np.array([[0.0, 0, 0], [2.5, 0, 0], [5.0, 0, 0], [40.0, 0, 0]]), "AAAA")
    (model, x, theta), (native, _, native_theta) = both(case, lone)
    v = np.random.default_rng(0).normal(size=x.shape)
    for function, more in ((value, ()), (gradient, ()), (hessian_product, (v,))):
        expected = np.asarray(function(native, x, native_theta, *more))
        assert np.asarray(function(model, x, theta, *more)) == pytest.approx(expected, rel=1e-10, abs=1e-10)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(mixed_reverse(model, x, theta, v)))
