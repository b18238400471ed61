"""Nothing is NaN or infinite where atoms are alone, in line, exactly at the ends of an interaction, or missing from a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import ANYWHERE, FORCE_FIELDS, PERIODIC, build, random_like, sampled, structure

from md_sensitivity.bound import coefficients
from md_sensitivity.neighbors import build_table
from md_sensitivity.potentials import POTENTIALS
from md_sensitivity.potentials.base import PairForm

SEPARATION = {
    "soft_sphere": 3.0, "stillinger_weber": 3.7, "tersoff": 3.14, "tersoff_mod": 3.14, "tersoff_modc": 3.14, "vashishta": 3.25, "edip": 3.3,
}  # fmt: skip
"""Where the range of A-A (or contact) ends, for forms with a range of their own."""


TERSOFF_ENDS = (lambda p: p["R"][0] - p["D"][0], lambda p: p["R"][0] + p["D"][0])
FROM_TO = {
    "tersoff": TERSOFF_ENDS,
    "tersoff_mod": TERSOFF_ENDS,
    "tersoff_modc": TERSOFF_ENDS,
    "vashishta": (lambda p: p["r0"][0], lambda p: p["rc"][0]),
    "edip": (lambda p: p["cutoffC"][0], lambda p: p["cutoffA"][0]),
}
"""Where an A-A pair begins to let go, and where it ends."""


def everything(energy: Any, x: jax.Array, theta: Any, v: jax.Array, d: Any) -> Any:
    """Value, first, second and third derivatives by x and θ, forward over reverse and reverse over reverse."""
    e, (g, t) = jax.value_and_grad(energy, argnums=(0, 1))(x, theta)
    reverse = jax.grad(lambda y, s: jnp.vdot(jax.grad(energy)(y, s), v), argnums=(0, 1))
    by_x, by_theta = reverse(x, theta)
    third = jax.jvp(reverse, (x, theta), (v, d))[1]
    return e, g, t, by_x, by_theta, third


compiled = jax.jit(everything)
first_and_mixed = jax.jit(
    lambda energy, x, theta, v: (jax.value_and_grad(energy)(x, theta), jax.jvp(lambda y: jax.grad(energy, argnums=1)(y, theta), (x,), (v,)))
)


def assert_finite(energy: Any, x: jax.Array, theta: Any) -> None:
    found = compiled(energy, x, theta, random_like(x, 1), random_like(theta, 2))
    for leaf in jax.tree.leaves(found):
        assert np.all(np.isfinite(leaf))


def ends_of(potential: str) -> dict[str, float]:
    """Distances of an A-A pair at which something begins or ends."""
    if potential == "soft_sphere":
        return {"contact": 3.1}
    if potential == "zbl":
        return {"outer": 4.5, "inner": 2.9, "just inside": np.nextafter(4.5, 0), "just outside": np.nextafter(4.5, 6)}
    if potential == "stillinger_weber":
        theta = build(FORCE_FIELDS[potential], structure(np.zeros((1, 3)), "A"))[2]["stillinger_weber"]
        reach = float(theta["a"][0] * theta["sigma"][0])
        return {"range": reach, "just inside": reach - 1e-9, "numerical end": reach - 2e-3 * float(theta["sigma"][0])}
    if potential == "snap":
        return {"range": 3.74, "just inside": np.nextafter(3.74, 0), "just outside": np.nextafter(3.74, 6)}
    if potential == "finnis_sinclair":
        return {"range of the density": 4.256, "range of the pair energy": 4.031, "just inside": 4.256 - 1e-9}
    if potential.startswith("eam") and potential != "eam_zhou":
        return {"cutoff": 5.3, "just inside": np.nextafter(5.3, 0), "just outside": np.nextafter(5.3, 6), "knot": 3 * 1.064}
    if potential in FROM_TO:
        theta = build(FORCE_FIELDS[potential], structure(np.zeros((1, 3)), "A"))[2][potential]
        begin, end = (float(of(theta)) for of in FROM_TO[potential])
        near = {"just before the beginning": begin - 1e-9, "just after the beginning": begin + 1e-9, "just inside": end - 1e-9}
        return {"beginning": begin, "end": end, "a breath inside": float(np.nextafter(end, 0)), **near}
    return {"cutoff": 5.3, "switch_from": 4.2, "just inside": np.nextafter(5.3, 0), "just outside": np.nextafter(5.3, 6)}


@pytest.mark.parametrize("potential", sampled(ANYWHERE))
def test_all_derivatives_are_finite(potential: str) -> None:
    # Four atoms each time, and one table width, so that one compiled program serves all geometries.
    far = np.array([[0.0, 0, 0], [100.0, 0, 0], [0, 100.0, 0], [0, 0, 100.0]])
    line = np.array([[0.0, 0, 0], [2.5, 0, 0], [5.0, 0, 0], [7.5, 0, 0]])
    folded = np.array([[0.0, 0, 0], [1.7, 0, 0], [3.3, 0, 0], [0.0, 50, 0]])  # angles of 0° as well as of 180°
    geometries = {"line": line, "folded": folded, "isolated": far}
    for name, r in ends_of(potential).items():
        geometries[name] = np.array([[0.0, 0, 0], [r, 0, 0], [0, r, 0], [0, 0, 60.0]])
    shared = None
    for name, positions in geometries.items():
        energy, x, theta = build(FORCE_FIELDS[potential], structure(positions, "AAAA"))
        shared = shared or energy
        # All tables are one table wide: rows beyond the neighbors are padding.
        energy = replace(shared, system=replace(shared.system, positions=x)).updated(x, theta)
        table = energy.system.terms[0].neighbors
        assert table.index.shape == (4, 8 if table.reverse is None else 16), name
        assert_finite(energy, x, theta)
        if name == "isolated":
            e, g, *_ = compiled(energy, x, theta, random_like(x, 1), random_like(theta, 2))
            form, term = POTENTIALS[potential], energy.system.terms[0]
            alone = 0.0
            if isinstance(form, PairForm) and form.self_energy is not None:
                alone = 4.0 * float(form.self_energy(coefficients(term, theta), dict(term.options))[0])
            assert float(e) == pytest.approx(alone, rel=1e-14) and not np.asarray(g).any()


@pytest.mark.parametrize("potential", sampled(ANYWHERE))
def test_padding_changes_nothing(potential: str) -> None:
    positions = np.array([[0.0, 0, 0], [2.4, 0.1, 0], [0.3, 2.6, 0.2], [1.2, 1.4, 2.1]])
    energy, x, theta = build(FORCE_FIELDS[potential], structure(positions, "ABBA"))
    term = energy.system.terms[0]
    old = term.neighbors
    wide = build_table(positions, np.eye(3), (False,) * 3, float(old.radius), reverse=old.reverse is not None, width=24)
    padded = replace(energy, system=replace(energy.system, terms=(replace(term, neighbors=wide),)))
    v = random_like(x, 1)
    found = [jax.tree.leaves(first_and_mixed(which, x, theta, v)) for which in (energy, padded)]
    for a, b in zip(*found, strict=True):
        assert np.allclose(a, b, rtol=1e-12, atol=1e-12 * max(1.0, float(jnp.abs(a).max())))


STRONG = [name for name, form in POTENTIALS.items() if isinstance(form, PairForm) and name not in ("zbl", *PERIODIC)]


@pytest.mark.parametrize("potential", STRONG)
def test_an_interaction_of_strength_zero_is_none_and_has_derivatives(potential: str) -> None:
    energy, x, theta = build(FORCE_FIELDS[potential], structure(np.array([[0.0, 0, 0], [2.4, 0, 0], [0, 2.5, 0], [0, 0, 90]]), "AABA"))
    spec = [spec.name for spec in POTENTIALS[potential].parameters if spec.energy == 1 or spec.charge == 1]
    off = {potential: {name: jnp.zeros_like(v) if name in spec else v for name, v in theta[potential].items()}}
    e, *_ = compiled(energy, x, off, random_like(x, 1), random_like(theta, 2))
    assert float(e) == 0.0
    assert_finite(energy, x, off)
    assert not any(np.asarray(bonds.acting).any() for bonds in energy.bonds(x, off))


SILICON = """
[[potential]]
style = "stillinger_weber"
[potential.parameters.Si-Si-Si]
epsilon = 2.1683
sigma = 2.0951
a = 1.8
lambda = 21.0
gamma = 1.2
costheta0 = -0.3333333333333333
A = 7.049556277
B = 0.6022245584
p = 4.0
q = 0.0
"""


def test_a_perfect_silicon_crystal_in_blocks_of_rows_has_its_closed_form() -> None:
    # Beyond one block of rows, and with few neighbors: compiled code for such tables once ended the process.
    side = 4 / np.sqrt(3) * 2 ** (1 / 6) * 2.0951
    base = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0], [1, 1, 1], [1, 3, 3], [3, 1, 3], [3, 3, 1]]) / 4
    corners = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    positions = side * (corners + base).reshape(-1, 3)
    crystal = structure(positions, ["Si"] * len(positions), 3 * side * np.eye(3), (True,) * 3)
    energy, x, theta = build(SILICON, crystal)
    energy = energy.tightened(x, theta)
    value, slope = jax.jit(jax.value_and_grad(energy))(x, theta)
    assert float(value) == pytest.approx(-2 * 2.1683 * len(positions), rel=1e-9)
    assert float(jnp.abs(slope).max()) < 1e-9
