"""Crystals whose lattice and elastic constants are known in closed form, or from the literature."""

from __future__ import annotations

import numpy as np
import pytest
from cell_cases import load_cell
from relaxed_cells import derivatives, equilibrium, measured

LITERATURE = {
    # name: length of a over that of the first lattice vector, a [Å], E/atom [eV], C11, C12, C44, C44 of clamped ions [GPa]
    "sw_silicon_primitive": (np.sqrt(2.0), 5.430949778462, -2 * 2.1683, (151.42448, 76.42209, 56.44934), 109.75648),
    "tersoff_silicon": (1.0, 5.431230748, -4.630412163, (121.70479, 85.80851, 10.30983), 92.33690),
    "eam_copper": (1.0, 3.614925066, -3.540218330, (169.87678, 122.58485, 76.20615), None),
}


def _cubic(c: np.ndarray) -> tuple[float, float, float]:
    """C11, C12, C44 of a cubic crystal in any orientation: from its bulk modulus and the two shear moduli among its eigenvalues."""
    weight = np.sqrt(np.outer([1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2]))
    values = np.linalg.eigvalsh(weight * c)
    bulk = c[:3, :3].sum() / 9.0
    rest = np.sort(np.delete(values, np.argmin(np.abs(values - 3 * bulk))))
    # Twofold 2C′ = C11 − C12, threefold 2C44.
    two, three = (rest[:2].mean(), rest[2:].mean()) if np.ptp(rest[:2]) + np.ptp(rest[2:]) < np.ptp(rest[:3]) + np.ptp(rest[3:]) else (
        rest[3:].mean(), rest[:3].mean()
    )  # fmt: skip
    return bulk + two * 2.0 / 3.0, bulk - two / 3.0, three / 2.0


@pytest.mark.parametrize("name", [n if n.startswith("sw") else pytest.param(n, marks=pytest.mark.slow) for n in LITERATURE])
def test_lattice_and_elastic_constants_are_those_of_the_literature(name: str) -> None:
    ratio, a, energy, constants, clamped = LITERATURE[name]
    found = equilibrium(name)
    atoms = load_cell(name).structure.size
    assert measured("lattice", found)[0] * ratio == pytest.approx(a, rel=2e-10)
    assert measured("energy", found) / atoms == pytest.approx(energy, abs=6e-10)
    # LAMMPS's own unit of pressure is 8e-8 off.
    c = _cubic(measured("elastic_constants", found))
    assert c == pytest.approx(constants, rel=2e-5 if name == "eam_copper" else 3e-7)
    if clamped is not None:
        assert _cubic(measured("born_elastic_constants", found))[2] == pytest.approx(clamped, rel=3e-7)
    bulk = (c[0] + 2 * c[1]) / 3
    assert measured("bulk_modulus", found) == pytest.approx(bulk, rel=1e-9)
    voigt, pure = (c[0] - c[1] + 3 * c[2]) / 5, (c[0] - c[1]) / 2
    shear = 0.5 * (voigt + 5 * pure * c[2] / (2 * c[2] + 3 * pure))
    assert measured("shear_modulus", found) == pytest.approx(shear, rel=1e-9)
    assert measured("young_modulus", found) == pytest.approx(9 * bulk * shear / (3 * bulk + shear), rel=1e-9)
    assert measured("poisson_ratio", found) == pytest.approx((3 * bulk - 2 * shear) / (6 * bulk + 2 * shear), rel=1e-9)
    assert measured("elastic_stability", found) == pytest.approx(2 * min(pure, c[2]), rel=1e-9)


def test_silicon_scales_with_its_length_and_its_energy() -> None:
    case, found = load_cell("sw_silicon_primitive"), equilibrium("sw_silicon_primitive")
    columns = [name.rsplit(".", 1)[1] for name in case.columns()]
    epsilon, sigma, strength = columns.index("epsilon"), columns.index("sigma"), columns.index("lambda")
    value = measured("elastic_constants", found)
    _, slopes = derivatives(found, ("lattice", "elastic_constants", "energy", "volume"), case.directions())
    lattice, lengths = slopes["lattice"], measured("lattice", found)[:3]
    assert np.allclose(lattice[sigma, :3], lengths / 2.0951, rtol=1e-9) and np.abs(lattice[sigma, 3:]).max() < 1e-8
    for name in ("epsilon", "lambda", "gamma"):
        if name in columns:
            assert np.abs(lattice[columns.index(name)]).max() < 1e-8
    largest = np.abs(value).max()
    assert np.abs(slopes["elastic_constants"][epsilon] * 2.1683 - value).max() < 1e-9 * largest
    assert np.abs(slopes["elastic_constants"][sigma] * 2.0951 + 3 * value).max() < 1e-9 * largest
    assert slopes["energy"][epsilon] == pytest.approx(-4.0, rel=1e-10) and abs(slopes["energy"][sigma]) < 1e-9
    step = 1e-3
    plus, minus = (_cubic(value + sign * step * slopes["elastic_constants"][strength]) for sign in (1, -1))
    by_strength = (np.array(plus) - np.array(minus)) / (2 * step)
    assert by_strength == pytest.approx([2.38102842, -1.19051419, 2.02312750], rel=1e-6)


@pytest.mark.slow
def test_argon_without_pressure_feels_its_epsilon_in_no_length() -> None:
    case, found = load_cell("lj_argon_krypton_ordered"), equilibrium("lj_argon_krypton_ordered")
    names, values = case.columns(), dict(zip(case.force_field.table.names, case.force_field.table.values, strict=True))
    _, slopes = derivatives(found, ("lattice", "volume", "elastic_constants"), case.directions())
    scaled = [k for k, name in enumerate(names) if name.endswith("epsilon")]
    for spec, rule in (("lattice", 0.0), ("volume", 0.0), ("elastic_constants", 1.0)):
        value = measured(spec, found)
        total = sum(float(values[names[k]]) * slopes[spec][k] for k in scaled)
        assert np.abs(total - rule * value).max() < 1e-9 * np.abs(value).max()
