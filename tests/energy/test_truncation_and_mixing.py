"""How pair energies end at the cutoff, and what unlike pairs take from like ones, against their definitions."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import PERIODIC, build, close, mixed, structure, theta_gradient, value

from md_sensitivity.potentials import POTENTIALS
from md_sensitivity.potentials.base import PairForm
from md_sensitivity.potentials.mixing import MIXING_RULES
from md_sensitivity.potentials.truncation import TRUNCATIONS

CUTOFF, START = 5.0, 4.0
VALUES = {
    "lennard_jones": {"sigma": 3.4, "epsilon": 0.3},
    "lennard_jones_rmin": {"rmin_half": 1.9, "epsilon": 0.3},
    "morse": {"D": 0.3, "alpha": 1.1, "r0": 3.6},
    "buckingham": {"A": 900.0, "rho": 0.35, "C": 60.0},
    "mie": {"epsilon": 0.3, "sigma": 3.4, "n": 9.5, "m": 5.0},
    "born_mayer_huggins": {"A": 0.2, "rho": 0.35, "sigma": 2.9, "C": 60.0, "D": -90.0},
    "yukawa": {"A": 7.0, "kappa": 0.4},
    "inverse_power": {"epsilon": 0.3, "sigma": 3.4, "n": 6.5},
    "coulomb": {"q": 0.6},
}
CUT = [name for name, form in POTENTIALS.items() if isinstance(form, PairForm) and form.natural_range is None and name not in PERIODIC]


def closed_form(potential: str, r: float) -> float:
    """φ(r) as the literature writes it, in plain Python."""
    p = VALUES[potential]
    if potential == "lennard_jones":
        return 4 * p["epsilon"] * ((p["sigma"] / r) ** 12 - (p["sigma"] / r) ** 6)
    if potential == "lennard_jones_rmin":
        return p["epsilon"] * ((2 * p["rmin_half"] / r) ** 12 - 2 * (2 * p["rmin_half"] / r) ** 6)
    if potential == "morse":
        return p["D"] * ((1 - np.exp(-p["alpha"] * (r - p["r0"]))) ** 2 - 1)
    if potential == "mie":
        n, m = p["n"], p["m"]
        return n / (n - m) * (n / m) ** (m / (n - m)) * p["epsilon"] * ((p["sigma"] / r) ** n - (p["sigma"] / r) ** m)
    if potential == "born_mayer_huggins":
        return p["A"] * np.exp((p["sigma"] - r) / p["rho"]) - p["C"] / r**6 + p["D"] / r**8
    if potential == "yukawa":
        return p["A"] / r * np.exp(-p["kappa"] * r)
    if potential == "inverse_power":
        return p["epsilon"] * (p["sigma"] / r) ** p["n"]
    if potential == "coulomb":
        return 1e10 * 1.602176634e-19 / (4 * np.pi * 8.8541878128e-12) * p["q"] ** 2 / r
    return p["A"] * np.exp(-r / p["rho"]) - p["C"] / r**6


def slope(potential: str, r: float, h: float = 1e-3) -> float:
    f = {k: closed_form(potential, r + k * h) for k in (-2, -1, 1, 2)}
    return (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * h)


def expected(potential: str, truncation: str, r: float) -> float:
    """The truncated energy by its definition."""
    if r >= CUTOFF:
        return 0.0
    phi = closed_form(potential, r)
    if truncation in ("shift", "force-shift"):
        phi -= closed_form(potential, CUTOFF)
    if truncation == "force-shift":
        phi -= (r - CUTOFF) * slope(potential, CUTOFF)
    if truncation == "switch" and r > START:
        t = (r - START) / (CUTOFF - START)
        phi *= 1 - 10 * t**3 + 15 * t**4 - 6 * t**5
    return phi


def dimer(potential: str, truncation: str) -> tuple[Any, Any]:
    """(E, θ) of two atoms 4 Å apart; the neighbor table reaches a little beyond the cutoff."""
    switch = f"switch_from = {START}\n" if truncation == "switch" else ""
    values = "".join(f"{name} = {v}\n" for name, v in VALUES[potential].items())
    head = f'[[potential]]\nstyle = "{potential}"\ncutoff = {CUTOFF}\ntruncation = "{truncation}"\n'
    text = f"{head}{switch}[potential.parameters.A]\n{values}"
    energy, _, theta = build(text, structure(np.array([[0.0, 0, 0], [4.0, 0, 0]]), "AA"))
    return energy, theta


def at(energy: Any, theta: Any, r: jax.Array) -> jax.Array:
    return energy(jnp.zeros((2, 3)).at[1, 0].set(r), theta)


def fresh(energy: Any, theta: Any, r: float) -> Any:
    return energy.updated(jnp.zeros((2, 3)).at[1, 0].set(r), theta)


derivatives = jax.jit(
    lambda energy, theta, r: (
        at(energy, theta, r),
        jax.grad(at, argnums=2)(energy, theta, r),
        jax.grad(jax.grad(at, argnums=2), argnums=2)(energy, theta, r),
    )
)


@pytest.mark.parametrize("potential", CUT)
@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_a_truncated_energy_is_its_definition(potential: str, truncation: str) -> None:
    energy, theta = dimer(potential, truncation)
    for r in (2.9, 3.7, 3.999, 4.001, 4.5, 4.93, 4.9999, 5.0, 5.0001, 5.2):
        found = float(derivatives(fresh(energy, theta, r), theta, r)[0])
        assert found == pytest.approx(expected(potential, truncation, r), rel=1e-11, abs=1e-13), r


@pytest.mark.parametrize("potential", CUT)
@pytest.mark.parametrize("truncation", TRUNCATIONS)
def test_as_many_derivatives_are_continuous_at_the_cutoff_as_the_table_says(potential: str, truncation: str) -> None:
    energy, theta = dimer(potential, truncation)
    eps = 1e-7
    inside = [float(d) for d in derivatives(fresh(energy, theta, CUTOFF - eps), theta, CUTOFF - eps)]
    outside = [float(d) for d in derivatives(fresh(energy, theta, CUTOFF + eps), theta, CUTOFF + eps)]
    assert outside == [0.0, 0.0, 0.0]
    smooth = TRUNCATIONS[truncation].smooth
    for order, jump in enumerate(inside):
        assert (abs(jump) < 1e-5) == (order <= smooth), (order, jump)


@pytest.mark.parametrize("potential", CUT)
def test_nothing_jumps_where_the_switch_begins(potential: str) -> None:
    energy, theta = dimer(potential, "switch")
    below, above = (derivatives(fresh(energy, theta, START + s * 1e-7), theta, START + s * 1e-7) for s in (-1, 1))
    for one, other in zip(below, above, strict=True):
        assert abs(float(one) - float(other)) < 1e-5


def test_the_switch_begins_at_nine_tenths_unless_told() -> None:
    text = '[[potential]]\nstyle = "lennard_jones"\ncutoff = 5.0\n[potential.parameters.A]\nsigma = 3.4\nepsilon = 0.3\n'
    energy, x, theta = build(text, structure(np.array([[0.0, 0, 0], [4.7, 0, 0]]), "AA"))
    assert energy.system.terms[0].truncation == "switch"
    t = (4.7 - 4.5) / 0.5
    switch = 1 - t**3 * (10 - 15 * t + 6 * t**2)
    assert float(value(energy, x, theta)) == pytest.approx(closed_form("lennard_jones", 4.7) * switch, rel=1e-12)


MEANS = {"arithmetic": lambda a, b: (a + b) / 2, "geometric": lambda a, b: np.sqrt(a * b)}
RULES = {
    "lorentz-berthelot": ("arithmetic", "geometric"),
    "geometric": ("geometric", "geometric"),
    "arithmetic": ("arithmetic", "arithmetic"),
}
PAIR = np.array([[0.0, 0, 0], [2.5, 0, 0]])


def test_each_mixing_rule_is_defined_here() -> None:
    assert set(RULES) == set(MIXING_RULES) and set(VALUES) == set(CUT)


@pytest.mark.parametrize("rule", MIXING_RULES)
def test_unlike_pairs_take_the_means_of_like_ones(rule: str) -> None:
    energy, x, theta = build(mixed(rule, "none"), structure(PAIR, "AB"))
    sigma, epsilon = (MEANS[mean](a, b) for mean, (a, b) in zip(RULES[rule], ((2.3, 2.1), (0.4, 0.5)), strict=True))
    s6 = (sigma / 2.5) ** 6
    assert float(value(energy, x, theta)) == pytest.approx(4 * epsilon * (s6 * s6 - s6), rel=1e-13)
    # ∂E/∂ε_A by the chain rule
    by_epsilon = theta_gradient(energy, x, theta)["lennard_jones"]["epsilon"]
    chain = 0.5 if RULES[rule][1] == "arithmetic" else 0.5 * np.sqrt(0.5 / 0.4)
    assert float(by_epsilon[0]) == pytest.approx(4 * (s6 * s6 - s6) * chain, rel=1e-12)


@pytest.mark.parametrize("rule", MIXING_RULES)
def test_a_pair_that_is_given_replaces_its_means_one_parameter_at_a_time(rule: str) -> None:
    energy, x, theta = build(mixed(rule, "none", "[potential.parameters.B-A]\nsigma = 2.4\n"), structure(PAIR, "AB"))
    epsilon = MEANS[RULES[rule][1]](0.4, 0.5)
    s6 = (2.4 / 2.5) ** 6
    assert float(value(energy, x, theta)) == pytest.approx(4 * epsilon * (s6 * s6 - s6), rel=1e-13)
    slopes = theta_gradient(energy, x, theta)["lennard_jones"]
    assert not np.asarray(slopes["sigma"])[:2].any() and float(slopes["sigma"][2]) != 0


@pytest.mark.parametrize("rule", MIXING_RULES)
def test_like_pairs_are_not_mixed_even_at_zero(rule: str) -> None:
    energy, x, theta = build(mixed(rule, "none"), structure(PAIR, "AA"))
    off = {"lennard_jones": {**theta["lennard_jones"], "epsilon": theta["lennard_jones"]["epsilon"].at[0].set(0.0)}}
    s6 = (2.3 / 2.5) ** 6
    assert float(value(energy, x, off)) == 0.0
    # √(εε) has a derivative at ε = 0 after all: it is 1.
    assert close(theta_gradient(energy, x, off)["lennard_jones"]["epsilon"], np.array([4 * (s6 * s6 - s6), 0.0]), 1e-12)


def test_several_potentials_add_up() -> None:
    one = mixed("arithmetic", "shift")
    other = (
        '[[potential]]\nstyle = "morse"\ncutoff = 5.3\n'
        + "".join(f"[potential.parameters.{types}]\nD = 0.3\nalpha = 1.2\nr0 = 2.5\n" for types in ("A-A", "A-B", "B-B"))
    )
    of = structure(PAIR, "AB")
    energies = [float(value(*build(text, of))) for text in (one, other, one + other)]
    assert energies[2] == pytest.approx(energies[0] + energies[1], rel=1e-14)
