"""Pairs of types may have cutoffs of their own, and a potential may leave pairs out."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import (
    ANYWHERE,
    FORCE_FIELDS,
    STRUCTURES,
    along,
    build,
    difference,
    force_field,
    gradient,
    random_like,
    sampled,
    theta_gradient,
    value,
)

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import native_toml

LJ = """[[potential]]
style = "lennard_jones"
name = "{name}"
cutoff = {cutoff}
truncation = "{truncation}"
{more}
"""
PAIRS = {"A-A": (2.3, 0.4, 5.3), "A-B": (2.25, 0.3, 4.4), "B-B": (2.1, 0.5, 3.95)}
TRUNCATIONS = ("none", "shift", "force-shift", "switch")
NEVER = {pair: 0 for pair in PAIRS}


def parameters(pairs: list[str]) -> str:
    return "".join(f"[potential.parameters.{pair}]\nsigma = {PAIRS[pair][0]}\nepsilon = {PAIRS[pair][1]}\n" for pair in pairs)


def together(truncation: str) -> str:
    more = "cutoffs = { " + ", ".join(f"{pair} = {cutoff}" for pair, (_, _, cutoff) in PAIRS.items()) + " }"
    return LJ.format(name="lj", cutoff=9.9, truncation=truncation, more=more) + parameters(list(PAIRS))


def apart(truncation: str) -> str:
    """One potential for each pair, which acts on no other."""
    return "".join(
        LJ.format(
            name=f"lj{pair}", cutoff=PAIRS[pair][2], truncation=truncation,
            more="cutoffs = { " + ", ".join(f"{other} = 0" for other in PAIRS if other != pair) + " }",
        )
        + parameters([pair])
        for pair in PAIRS
    )


@pytest.mark.parametrize("truncation", TRUNCATIONS)
@pytest.mark.parametrize("name", STRUCTURES)
def test_cutoffs_of_pairs_are_those_of_potentials_of_one_pair_each(name: str, truncation: str) -> None:
    one, x, theta = build(together(truncation), STRUCTURES[name]())
    many, _, split = build(apart(truncation), STRUCTURES[name]())
    assert value(one, x, theta) == pytest.approx(float(value(many, x, split)), rel=1e-13)
    np.testing.assert_allclose(gradient(one, x, theta), gradient(many, x, split), rtol=0, atol=1e-12)
    found = theta_gradient(one, x, theta)["lj"]["sigma"]
    np.testing.assert_allclose(found, [theta_gradient(many, x, split)[f"lj{pair}"]["sigma"][0] for pair in PAIRS], rtol=1e-11)


@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_derivatives_with_cutoffs_of_pairs(truncation: str) -> None:
    energy, x, theta = build(apart(truncation), STRUCTURES["crystal"]())
    v, direction = random_like(x, 3), random_like(theta, 4, relative=True)
    slope = difference(lambda t: value(energy, x + t * v, theta), 1e-4)
    assert jnp.vdot(gradient(energy, x, theta), v) == pytest.approx(float(slope), rel=1e-7)
    mixed = difference(lambda t: gradient(energy, x, along(theta, direction, t)), 1e-4)
    forward = jax.jvp(lambda t: gradient(energy, x, t), (theta,), (direction,))[1]
    np.testing.assert_allclose(forward, mixed, atol=1e-7 * np.max(np.abs(mixed)))
    curvature = difference(lambda t: gradient(energy, x + t * v, theta), 1e-4)
    product = jax.jvp(lambda x: gradient(energy, x, theta), (x,), (v,))[1]
    np.testing.assert_allclose(product, curvature, atol=1e-6 * np.max(np.abs(curvature)))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(theta_gradient(energy, x, theta)))


@pytest.mark.parametrize("style", sampled(ANYWHERE))
def test_a_type_that_a_potential_leaves_out_might_as_well_not_be_there(style: str) -> None:
    """Atoms of type B are removed from the structure, or the potential does not act on them."""
    text = FORCE_FIELDS[style]
    settings = text.replace('"\n', '"\ncutoffs = { A-B = 0, B-B = 0 }\n', 1)
    whole = STRUCTURES["cluster"]()
    chosen = np.array([kind == "A" for kind in whole.types])
    energy, x, theta = build(settings, whole)
    part = replace(
        whole, positions=whole.positions[chosen], types=("A",) * int(chosen.sum()), numbers=whole.numbers[chosen],
        masses=whole.masses[chosen], fixed=whole.fixed[chosen],
    )
    assert np.all(np.asarray(gradient(energy, x, theta))[~chosen] == 0)
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(theta_gradient(energy, x, theta)))
    alone, y, _ = build(text, part)
    assert value(energy, x, theta) == pytest.approx(float(value(alone, y, theta)), rel=1e-12)
    np.testing.assert_allclose(np.asarray(gradient(energy, x, theta))[chosen], gradient(alone, y, theta), atol=1e-12)


@pytest.mark.parametrize("text", [together("switch"), apart("shift")])
def test_cutoffs_of_pairs_are_written_back(text: str) -> None:
    field = force_field(text)
    again = force_field(native_toml(field))
    assert [term.cutoffs for term in again.terms] == [term.cutoffs for term in field.terms]
    assert [term.switches for term in again.terms] == [term.switches for term in field.terms]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("cutoffs = 3", "cutoffs must be a table"),
        ("cutoffs = { A = 3 }", "'A' is no pair of types"),
        ("cutoffs = { A-B = 3, B-A = 3 }", "two entries for B-A"),
        ("cutoffs = { A-B = -3 }", "cutoffs.A-B = -3 must be at least 0"),
        ("cutoffs = { A-B = 3 }\nswitches = { A-B = 3 }", "must be less than the pair's cutoff"),
        ("switches = { A-B = 3 }", "needs an entry in cutoffs"),
    ],
)
def test_bad_cutoffs_of_pairs_are_refused(more: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        force_field(LJ.format(name="lj", cutoff=5.0, truncation="switch", more=more) + parameters(["A-A"]))
