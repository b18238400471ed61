"""Pairs that bonds take out of the neighbors, and what is left of them: energies by hand, images, tables built anew, derivatives."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from derivatives import assert_right_first, assert_right_second, hessian_product
from molecules import BONDS, TYPES, bound, cmap_field, molecule
from small_systems import close, force_field, random_like, structure, theta_gradient, value

from md_sensitivity.analysis.spotcheck import _written_and_read
from md_sensitivity.curvature.operators import BLOCKS, choose_hessian
from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.forcefields import acting_rows, native_toml
from md_sensitivity.reports.force_field import write_force_field
from md_sensitivity.types import Structure

SIGMA, EPSILON, CHARGE = {"A": 1.9, "B": 2.2}, {"A": 0.05, "B": 0.08}, {"A": 0.4, "B": -0.3}
COULOMB = 1e10 * 1.602176634e-19 / (4 * np.pi * 8.8541878128e-12)


def text(style: str, more: str = "") -> str:
    values = {
        "lennard_jones": lambda t: f"sigma = {SIGMA[t]}\nepsilon = {EPSILON[t]}",
        "coulomb": lambda t: f"q = {CHARGE[t]}",
    }[style]
    mixing = 'mixing = "lorentz-berthelot"' if style == "lennard_jones" else ""
    tables = "".join(f"[potential.parameters.{t}]\n{values(t)}\n" for t in "AB")
    return f'[[potential]]\nstyle = "{style}"\n{mixing}\n{more}\n{tables}'


def phi(style: str, a: str, b: str, r: float) -> float:
    if style == "coulomb":
        return COULOMB * CHARGE[a] * CHARGE[b] / r
    s, e = (SIGMA[a] + SIGMA[b]) / 2, np.sqrt(EPSILON[a] * EPSILON[b])
    return float(4 * e * ((s / r) ** 12 - (s / r) ** 6))


def bonds_apart(of: Structure) -> np.ndarray:
    """Number of bonds between atoms by the method of Floyd and Warshall, shape=(n, n)."""
    far = np.full((of.size, of.size), 99)
    np.fill_diagonal(far, 0)
    for i, j in of.bonds:
        far[i, j] = far[j, i] = 1
    for k in range(of.size):
        far = np.minimum(far, far[:, k : k + 1] + far[k : k + 1])
    return far


def share(apart: int, exclude: int, scale14: float) -> float:
    """Which part of a pair is left."""
    return 1.0 if apart > exclude else scale14 if apart == 3 else 0.0


RING = replace(molecule(2), bonds=np.array([*BONDS, (0, 3)]))
"""With a ring, in which atoms are joined by ways of different lengths."""


@pytest.mark.parametrize("of", [molecule(), RING], ids=["branched", "ring"])
@pytest.mark.parametrize(("exclude", "scale14"), [(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.0), (3, 0.4), (3, -0.2)])
@pytest.mark.parametrize("style", ["lennard_jones", "coulomb"])
def test_energies_are_sums_over_the_pairs_that_are_left(style: str, exclude: int, scale14: float, of: Structure) -> None:
    more = f"exclude = {exclude}\n" + (f"scale14 = {scale14}" if scale14 else "")
    energy, x, theta = bound(force_field(text(style, more)), of)
    apart, total = bonds_apart(of), 0.0
    for i in range(of.size):
        for j in range(i):
            r = float(np.linalg.norm(of.positions[i] - of.positions[j]))
            total += share(apart[i, j], exclude, scale14) * phi(style, TYPES[i], TYPES[j], r)
    assert float(value(energy, x, theta)) == pytest.approx(total, rel=1e-12)
    # Padding, and tables built anew elsewhere.
    assert float(value(energy.updated(x, theta), x, theta)) == pytest.approx(total, rel=1e-12)
    assert float(value(energy.tightened(x, theta), x, theta)) == pytest.approx(total, rel=1e-12)
    padded, longer, _ = bound(force_field(text(style, more)), of, padded=True)
    assert float(value(padded, longer, theta)) == pytest.approx(total, rel=1e-12)


CELLS = {
    "wide": np.diag([14.0, 15.0, 16.0]),
    "narrow": np.array([[6.1, 0, 0], [1.0, 6.3, 0], [-1.2, 0.9, 6.0]]),
    "skewed": np.array([[6.1, 0, 0], [13.2, 6.3, 0], [-13.4, 13.5, 6.0]]),
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("scale14", [0.0, 0.4])
def test_in_a_crystal_the_nearest_image_alone_is_taken_out(cell: str, scale14: float) -> None:
    lattice, cutoff = CELLS[cell], 7.0
    of, apart = molecule(), bonds_apart(molecule())
    torn = of.positions + np.random.default_rng(1).integers(-2, 3, size=(of.size, 3)) @ lattice
    scaled = f"scale14 = {scale14}" if scale14 else ""
    more = f'cutoff = {cutoff}\ntruncation = "none"\nexclude = 3\n{scaled}'
    crystal = replace(of, positions=torn, cell=lattice, pbc=np.ones(3, dtype=bool))
    energy, x, theta = bound(force_field(text("lennard_jones", more)), crystal)
    images = np.array(list(product(range(-12, 13), repeat=3))) @ lattice
    total = 0.0
    for i in range(of.size):
        for j in range(i + 1):
            r = np.sort(np.linalg.norm(of.positions[i] - of.positions[j] + images, axis=1))
            weight = 0.5 if i == j else 1.0
            nearest, others = (r[0], r[1:]) if i != j else (np.inf, r[1:])
            left = share(apart[i, j], 3, scale14)
            within = nearest < cutoff or apart[i, j] == 3
            total += left * phi("lennard_jones", TYPES[i], TYPES[j], nearest) if i != j and within else 0.0
            total += weight * sum(phi("lennard_jones", TYPES[i], TYPES[j], each) for each in others if each < cutoff)
    assert float(value(energy, x, theta)) == pytest.approx(total, rel=1e-11)
    # Another image of an atom from the start, another image in motion: the same pairs are meant.
    moved = x + 0.05 * random_like(x, 2)
    fresh = energy.updated(moved, theta)
    again, y, _ = bound(force_field(text("lennard_jones", more)), replace(crystal, positions=np.asarray(moved)))
    assert close(value(fresh, moved, theta), value(again, y, theta), 1e-12)


def everything() -> str:
    return text("lennard_jones", "exclude = 3\nscale14 = 0.5") + text("coulomb", "exclude = 3\nscale14 = 0.8333")


def test_derivatives_are_differences_and_shares_are_parameters() -> None:
    energy, x, theta = bound(force_field(everything()), molecule())
    assert theta["coulomb"]["scale14"].shape == (1,)
    assert_right_first(energy, x, theta, step=1e-4, tolerance=1e-7)
    assert_right_second(energy, x, theta, step=1e-4)
    slopes = theta_gradient(energy, x, theta)
    assert abs(float(slopes["coulomb"]["scale14"][0])) > 1e-3 and abs(float(slopes["lennard_jones"]["scale14"][0])) > 1e-6
    v = random_like(x, 2)
    stored, name, _ = choose_hessian(energy, x, theta)
    assert name == BLOCKS and stored is not None
    assert close(stored.unpack(stored.product(stored.pack(v.reshape(1, -1)))).reshape(x.shape), hessian_product(energy, x, theta, v), 1e-12)


def test_pairs_three_bonds_apart_are_finite_at_short_range() -> None:
    x = np.array([[0.0, 0, 0], [1.2, 0, 0], [1.2, 1.2, 0], [0.0, 0.7, 0]])
    of = replace(structure(x, "AAAA"), bonds=np.array([(0, 1), (1, 2), (2, 3)]))
    energy, x, theta = bound(force_field(everything()), of)
    wanted = 0.5 * phi("lennard_jones", "A", "A", 0.7) + 0.8333 * phi("coulomb", "A", "A", 0.7)
    assert float(value(energy, x, theta)) == pytest.approx(wanted, rel=1e-12)
    assert np.all(np.isfinite(hessian_product(energy, x, theta, random_like(x, 1))))


def test_a_share_acts_where_there_are_pairs_three_bonds_apart() -> None:
    field = force_field(everything())
    names = {field.table.names[i] for i in acting_rows(field, molecule())}
    assert {"lennard_jones.scale14", "coulomb.scale14", "coulomb.A.q"} <= names
    small = replace(structure(np.eye(3), "ABA"), bonds=np.array([(0, 1), (1, 2)]))
    assert not any("scale14" in field.table.names[i] for i in acting_rows(field, small))


def rows_of(field: Any) -> list[tuple[str, str]]:
    return [(row.name, row.unit) for row in field.table.rows]


def test_what_is_excluded_is_written_back() -> None:
    more = "exclude = 3\nscale14 = { value = 0.5, std = 0.1, bounds = [0, 1], fixed = true }"
    for given in (text("lennard_jones", more), text("coulomb", "exclude = 2"), everything()):
        field = force_field(given)
        again = force_field(native_toml(field))
        assert again.table == field.table and again.terms == field.terms
    field = force_field(text("lennard_jones", more))
    assert ("lennard_jones.scale14", "1") in rows_of(field)
    row = next(row for row in field.table.rows if row.name == "lennard_jones.scale14")
    assert (row.types, row.value, row.std, row.bounds, row.fixed) == ((), 0.5, 0.1, (0.0, 1.0), True)


def test_a_share_may_follow_another_and_be_in_a_group() -> None:
    tied = text("lennard_jones", 'exclude = 3\nscale14 = { tie = "coulomb.scale14", scale = 0.6 }')
    other = text("coulomb", 'exclude = 3\nscale14 = { value = 0.5, group = "shares" }')
    field = force_field(tied + other)
    assert field.parameters["lennard_jones"]["scale14"] == pytest.approx(0.3)
    assert [field.table.names[i] for i in field.table.matching(["group:shares"])] == ["coulomb.scale14"]
    again = force_field(native_toml(field))
    assert again.table == field.table


SW = '[[potential]]\nstyle = "stillinger_weber"\nexclude = 3\n[potential.parameters.A-A-A]\nepsilon = 1\n'
BOND = '[[potential]]\nstyle = "harmonic_bond"\n{}\n[potential.parameters.A-A]\nk = 1\nr0 = 1\n'
TORSION = '[[potential]]\nstyle = "periodic_torsion"\n[potential.parameters.{}]\nk = 1\nphase = 0\n{}\n'


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (text("coulomb", "exclude = 4"), "exclude = 4 must be a number of bonds: 0, 1, 2 or 3"),
        (text("coulomb", "exclude = 1.5"), "exclude = 1.5 must be"),
        (text("coulomb", "exclude = -1"), "exclude = -1 must be"),
        (text("coulomb", "exclude = true"), "exclude"),
        (text("coulomb", 'exclude = "3"'), "exclude"),
        (text("coulomb", "scale14 = 0.5"), "add it"),
        (text("coulomb", "exclude = 2\nscale14 = 0.5"), "exclude = 3"),
        (text("coulomb", "exclude = 3\nscale14 = nan"), "scale14"),
        (text("coulomb", 'exclude = 3\nscale14 = "half"'), "scale14"),
        (text("coulomb", "exclude = 3\nscale14 = { std = 1 }"), "scale14: has no value"),
        (text("coulomb", "exclude = 3\nscale14 = { value = 0.5, colour = 1 }"), "colour"),
        (SW, "is no pair potential"),
        (BOND.format("exclude = 3"), "is no pair potential"),
        (BOND.format("scale14 = 0.5"), "add it|no pair"),
        (BOND.format("cutoff = 3"), "takes no cutoff"),
        (BOND.format("cutoffs = { A-A = 0 }"), "acts between bonded atoms"),
        (BOND.format('mixing = "geometric"'), "has not"),
        (BOND.format("").replace("A-A", "A"), "types of harmonic_bond are written like C-N"),
        (BOND.format("") + "[potential.parameters.A-B]\nk = 1\nr0 = 1\n[potential.parameters.B-A]\nk = 1\nr0 = 1\n", "same types"),
        (TORSION.format("A-A-A", "n = 3"), "written like C-N-C-N"),
        (TORSION.format("A-A-A-A", ""), "misses n"),
        (TORSION.format("A-A-A-A", "n = 2.5"), "n = 2.5: must be"),
        (TORSION.format("A-A-A-A", "n = -1"), "n = -1: must be"),
        (TORSION.format("A-A-A-A", "n = { value = 3 }"), "n"),
        (TORSION.format("A-A-A-B", "n = 3") + "[potential.parameters.B-A-A-A]\nk = 1\nphase = 0\nn = 1\n", "same types"),
    ],
)
def test_what_makes_no_sense_is_refused(given: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        force_field(given)


def test_chains_of_the_same_types_in_another_order_are_two() -> None:
    angle = '[[potential]]\nstyle = "harmonic_angle"\n[potential.parameters.A-B-A]\nk = 1\ntheta0 = 100\n'
    field = force_field(angle + "[potential.parameters.A-A-B]\nk = 2\ntheta0 = 110\n")
    assert field.table.names[2] == "harmonic_angle.A-A-B.k"
    assert force_field(native_toml(field)).table == field.table


def test_the_line_with_the_fewest_wildcards_wins_and_ties_are_refused() -> None:
    four = replace(structure(molecule().positions[:4], "ABBA"), bonds=np.array([(0, 1), (1, 2), (2, 3)]))

    def made(*keys: str) -> float:
        tables = "".join(f"[potential.parameters.{key}]\nk = {2.0**place}\nphase = 0\nn = 0\n" for place, key in enumerate(keys))
        return float(value(*bound(force_field('[[potential]]\nstyle = "periodic_torsion"\n' + tables), four))) / 2

    assert made("X-X-X-X") == 1
    assert made("X-X-X-X", "X-B-B-X") == 2
    assert made("X-X-X-X", "X-B-B-X", "A-B-B-A") == 4
    assert made("X-X-X-X", "X-A-A-X") == 1
    assert made("X-A-A-X") == 0
    with pytest.raises(InputError, match=r"both .* fit A-B-B-A"):
        made("X-B-B-A", "A-B-X-A")


def test_a_structure_without_bonds_and_a_form_without_atoms_are_refused() -> None:
    with pytest.raises(InputError, match="give a format that lists bonds"):
        bound(force_field(BOND.format("")), structure(np.eye(3), "AAA"))
    values = [0.0] * 16
    cmap = f'[[potential]]\nstyle = "cmap"\nsize = 4\n[potential.parameters.A-A-A-A-A-A-A-A]\nenergy = {values}\n'
    with pytest.raises(InputError, match="needs a topology"):
        bound(force_field(cmap), molecule())
    # Without bonds nothing is excluded.
    energy, x, theta = bound(force_field(text("coulomb", "exclude = 3")), structure(np.eye(3), "AAA"))
    assert float(value(energy, x, theta)) == pytest.approx(3 * phi("coulomb", "A", "A", np.sqrt(2)), rel=1e-12)


def test_a_force_field_with_a_topology_of_no_file_is_not_written_and_is_checked_as_it_is(tmp_path: Path) -> None:
    field = cmap_field()
    for name, message in (("x.toml", "that no file says, and cannot be written"), ("x.prmtop", "are not written anew")):
        with pytest.raises(UsageError, match=message):
            write_force_field(field, tmp_path / name)
    with pytest.raises(UsageError, match="cannot be written"):
        native_toml(field)
    assert not list(tmp_path.iterdir())
    assert _written_and_read(field) is field
