"""Forms of listed atoms that GROMACS's files need, against others that say the same."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from md_sensitivity.potentials.base import distance_of
from md_sensitivity.potentials.fourier_torsion import FOURIER_TORSION
from md_sensitivity.potentials.internal import torsion
from md_sensitivity.potentials.lennard_jones import LENNARD_JONES
from md_sensitivity.potentials.lennard_jones_c6_c12 import LENNARD_JONES_C6_C12
from md_sensitivity.potentials.listed_lennard_jones import LISTED_LENNARD_JONES, LISTED_LENNARD_JONES_C6_C12
from md_sensitivity.potentials.torsions import RYCKAERT_BELLEMANS

RNG = np.random.default_rng(11)
VECTORS = tuple(tuple(jnp.asarray(RNG.normal(size=5)) for _ in range(3)) for _ in range(3))


def test_fourier_torsions_are_ryckaert_bellemans_torsions() -> None:
    f1, f2, f3, f4 = 0.3, -0.2, 0.7, 0.11
    own = FOURIER_TORSION.energy(VECTORS, {"F1": f1, "F2": f2, "F3": f3, "F4": f4}, {})
    phi = np.asarray(torsion(*VECTORS))
    closed = 0.5 * (f1 * (1 + np.cos(phi)) + f2 * (1 - np.cos(2 * phi)) + f3 * (1 + np.cos(3 * phi)) + f4 * (1 - np.cos(4 * phi)))
    assert np.asarray(own) == pytest.approx(closed, rel=1e-13)
    c = {"c0": f2 + 0.5 * (f1 + f3), "c1": 0.5 * (3 * f3 - f1), "c2": 4 * f4 - f2, "c3": -2 * f3, "c4": -4 * f4, "c5": 0.0}
    assert np.asarray(RYCKAERT_BELLEMANS.energy(VECTORS, c, {})) == pytest.approx(np.asarray(own), rel=1e-12)


def test_all_ways_to_write_lennard_jones_agree() -> None:
    sigma, epsilon = 1.1, 0.4
    square = sum(part * part for part in VECTORS[0])
    d, p = distance_of(square), {"sigma": sigma, "epsilon": epsilon}
    powers = {"C6": 4 * epsilon * sigma**6, "C12": 4 * epsilon * sigma**12}
    expected = np.asarray(LENNARD_JONES.energy(d, p, {}))
    for found in (
        LENNARD_JONES_C6_C12.energy(d, powers, {}),
        LISTED_LENNARD_JONES.energy(VECTORS[:1], p, {}),
        LISTED_LENNARD_JONES_C6_C12.energy(VECTORS[:1], powers, {}),
    ):
        assert np.asarray(found) == pytest.approx(expected, rel=1e-12)
