"""Nothing that depends on θ is settled when a system is built, and an energy that may miss a neighbor is NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import (
    FORCE_FIELDS,
    STRUCTURES,
    build,
    close,
    crystal,
    force_field,
    gradient,
    mixed,
    sampled,
    shaped,
    structure,
    theta_gradient,
    value,
)

from md_sensitivity.bound import range_of
from md_sensitivity.building import build_system
from md_sensitivity.forcefields import native_toml
from md_sensitivity.potentials.mixing import MIXING_RULES
from md_sensitivity.potentials.truncation import TRUNCATIONS
from md_sensitivity.system import SKIN, energy_function

LENNARD_JONES = {
    f"{mixing}, {truncation}": mixed(mixing, truncation, "[potential.parameters.A-B]\nepsilon = 0.31\n" if mixing == "geometric" else "")
    for mixing in MIXING_RULES
    for truncation in TRUNCATIONS
}
TEXTS = {**FORCE_FIELDS, **LENNARD_JONES}


def changed(text: str, seed: int) -> tuple[str, Any]:
    """The force field rewritten with other values, and these values."""
    field = force_field(text)
    rng = np.random.default_rng(seed)
    theta = jax.tree.map(lambda v: np.asarray(v * (1.0 + 0.02 * rng.uniform(-1, 1, size=v.shape))), field.parameters)
    return native_toml(field.with_parameters(theta)), theta


@pytest.mark.parametrize("name", [*sampled(FORCE_FIELDS), *LENNARD_JONES])
def test_other_values_given_to_an_old_system_are_those_of_a_rebuilt_one(name: str) -> None:
    old, x, _ = build(TEXTS[name], crystal())
    text, theta = changed(TEXTS[name], 3)
    new, _, same = build(text, crystal())
    assert jax.tree.all(jax.tree.map(np.array_equal, theta, same))
    assert close(value(old, x, theta), value(new, x, same), 1e-13)
    assert close(gradient(old, x, theta), gradient(new, x, same), 1e-12)
    assert close(theta_gradient(old, x, theta), theta_gradient(new, x, same), 1e-12)


@pytest.mark.parametrize(("potential", "shape"), shaped(sampled(FORCE_FIELDS)))
def test_an_energy_is_nan_once_an_atom_left_the_skin_and_updating_cures_it(potential: str, shape: str) -> None:
    energy, x, theta = build(FORCE_FIELDS[potential], STRUCTURES[shape]())
    skin = 0.5 * (float(energy.system.terms[0].neighbors.radius) / (1 + SKIN)) * SKIN
    direction = jnp.array([0.6, 0.0, 0.8])
    inside, outside = (x.at[1].add(part * skin * direction) for part in (0.999, 1.001))
    assert float(energy.room(x, theta)) == pytest.approx(skin, rel=1e-12)
    assert np.isfinite(value(energy, inside, theta)) and np.isfinite(gradient(energy, inside, theta)).all()
    assert np.isnan(value(energy, outside, theta)) and np.isnan(gradient(energy, outside, theta)).all()
    fresh = energy.updated(outside, theta)
    assert np.isfinite(value(fresh, outside, theta))
    # Where both are valid they agree.
    assert close(value(energy.updated(inside, theta), inside, theta), value(energy, inside, theta), 1e-13)


WIDER: dict[str, Callable[[dict[str, jax.Array], float], dict[str, jax.Array]]] = {
    "soft_sphere": lambda p, factor: {**p, "sigma": p["sigma"] * factor},
    "finnis_sinclair": lambda p, factor: {**p, "c": p["c"] * factor, "d": p["d"] * factor},
    "stillinger_weber": lambda p, factor: {**p, "a": p["a"] * factor},
    "snap": lambda p, factor: {**p, "radius": p["radius"] * factor},
    "tersoff": lambda p, factor: {**p, "R": p["R"] * factor, "D": p["D"] * factor},
    "tersoff_mod": lambda p, factor: {**p, "R": p["R"] * factor, "D": p["D"] * factor},
    "tersoff_modc": lambda p, factor: {**p, "R": p["R"] * factor, "D": p["D"] * factor},
    "vashishta": lambda p, factor: {**p, "rc": p["rc"] * factor, "r0": p["r0"] * factor},
    "edip": lambda p, factor: {**p, "cutoffA": p["cutoffA"] * factor},
}


def test_each_form_with_a_range_of_its_own_is_widened_here() -> None:
    energies = {name: build(text, crystal()) for name, text in FORCE_FIELDS.items()}
    slopes = {name: jax.grad(lambda t, e=energy: range_of(e.system.terms[0], t))(theta) for name, (energy, _, theta) in energies.items()}
    moving = {name for name, slope in slopes.items() if any(np.asarray(leaf).any() for leaf in jax.tree.leaves(slope))}
    assert moving == set(WIDER)


@pytest.mark.parametrize("potential", WIDER)
def test_an_energy_is_nan_once_its_range_outgrew_the_table_and_updating_cures_it(potential: str) -> None:
    energy, x, theta = build(FORCE_FIELDS[potential], crystal())
    inside, outside = ({potential: WIDER[potential](theta[potential], 1 + SKIN * part)} for part in (0.999, 1.001))
    assert np.isfinite(value(energy, x, inside))
    assert np.isnan(value(energy, x, outside)) and np.isnan(gradient(energy, x, outside)).all()
    fresh = energy.updated(x, outside)
    rebuilt = energy_function(build_system(crystal(), force_field(FORCE_FIELDS[potential]).with_parameters(outside)))
    assert close(value(fresh, x, outside), value(rebuilt, x, outside), 1e-13)
    assert close(value(energy, x, inside), value(energy.updated(x, inside), x, inside), 1e-13)


update_and_evaluate = jax.jit(lambda e, x, theta: e.updated(x, theta)(x, theta))


@pytest.mark.parametrize("potential", sampled(FORCE_FIELDS))
def test_updating_within_traced_code_is_updating(potential: str) -> None:
    energy, x, theta = build(FORCE_FIELDS[potential], crystal())
    moved = x + 0.5 * jnp.asarray(np.random.default_rng(2).normal(size=x.shape))
    fresh = energy.updated(moved, theta)
    assert np.isnan(value(energy, moved, theta))
    assert fresh.system.terms[0].neighbors.index.shape == energy.system.terms[0].neighbors.index.shape
    assert close(update_and_evaluate(energy, moved, theta), value(fresh, moved, theta), 1e-13)


def test_updating_within_traced_code_is_nan_where_the_table_overflows() -> None:
    chain = structure(np.arange(12)[:, None] * np.array([4.0, 0.0, 0.0]), "AB" * 6)
    energy, x, theta = build(FORCE_FIELDS["lennard_jones"], chain)
    assert np.isfinite(update_and_evaluate(energy, x, theta))
    crushed = 0.11 * x
    assert energy.updated(crushed, theta).system.terms[0].neighbors.index.shape == (12, 16)
    assert np.isfinite(value(energy.updated(crushed, theta), crushed, theta))
    assert np.isnan(update_and_evaluate(energy, crushed, theta))


def test_a_position_that_is_not_finite_gives_nan() -> None:
    energy, x, theta = build(FORCE_FIELDS["lennard_jones"], crystal())
    assert np.isnan(value(energy, x.at[2, 1].set(jnp.nan), theta))
    assert np.isnan(value(energy, x.at[2, 1].set(jnp.inf), theta))
