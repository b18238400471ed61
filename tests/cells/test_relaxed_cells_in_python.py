"""Gradients through a relaxed cell, with JAX's own transformations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cell_cases import load_cell
from small_systems import difference

import md_sensitivity as mds

CASE = load_cell("lj_argon_pressure")


def enthalpy(scale: float) -> Any:
    of = replace(CASE.structure, cell=scale * CASE.cell, positions=scale * CASE.positions)
    return mds.enthalpy_function(mds.build_system(of, CASE.force_field), pressure=CASE.pressure)


def volume(scale: float) -> Any:
    function = enthalpy(scale)
    return lambda theta: function.volume(mds.relaxed_positions(function, function.start, theta, fmax=1e-10))


def theta() -> Any:
    return jax.tree.map(jnp.asarray, CASE.force_field.parameters)


@pytest.mark.parametrize("scale", [1.03, 0.99])
def test_the_cell_is_told_in_the_coordinates_of_the_function_that_was_given(scale: float) -> None:
    function = enthalpy(scale)
    x = mds.relaxed_positions(function, function.start, theta())
    assert np.abs(np.asarray(function.cell(x)) - CASE.cell).max() < 1e-9
    fresh = function.updated(x, theta())
    assert float(fresh(x, theta())) == pytest.approx(CASE.reference["enthalpy"], abs=1e-11)


def test_gradients_of_volumes_are_those_of_lammps() -> None:
    found = jax.grad(volume(1.03))(theta())["lennard_jones"]
    reference, _ = CASE.slopes("volume")
    by_name = dict(zip(CASE.columns(), reference, strict=True))
    for name in ("sigma", "epsilon"):
        assert float(found[name][0]) == pytest.approx(by_name[f"lennard_jones.Ar.{name}"], rel=1e-8)


@pytest.mark.slow
def test_gradients_work_in_compiled_and_mapped_code_and_to_second_order() -> None:
    of = volume(1.003)
    plain = jax.grad(of)(theta())
    compiled = jax.jit(jax.grad(of))(theta())
    several = jax.vmap(of)(jax.tree.map(lambda leaf: jnp.stack([leaf, 1.0005 * leaf]), theta()))
    assert float(several[0]) == pytest.approx(CASE.reference["volume"], rel=1e-9)
    assert float(several[1]) == pytest.approx(float(of(jax.tree.map(lambda leaf: 1.0005 * leaf, theta()))), rel=1e-9)
    assert all(np.allclose(a, b, rtol=1e-8) for a, b in zip(jax.tree.leaves(plain), jax.tree.leaves(compiled), strict=True))

    def of_sigma(sigma: Any) -> Any:
        return of({"lennard_jones": {**theta()["lennard_jones"], "sigma": sigma[None]}})

    sigma = theta()["lennard_jones"]["sigma"][0]
    by_differences = difference(lambda h: jax.grad(of_sigma)(sigma + h), 1e-3)
    assert float(jax.grad(jax.grad(of_sigma))(sigma)) == pytest.approx(float(by_differences), rel=1e-6)


@pytest.mark.slow
def test_a_minimum_that_compiled_code_cannot_reach_is_no_number_and_neither_is_its_gradient() -> None:
    # Neighbor tables of compiled code keep their width: a cell that shrinks by a tenth has more neighbors than they hold.
    of = volume(1.1)
    value, slope = jax.jit(jax.value_and_grad(of))(theta())
    assert np.isnan(float(value)) and all(np.isnan(leaf).all() for leaf in jax.tree.leaves(slope))
