"""What is measured is what the page says, and the peer that is written here computes the same derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks import ours, sparse_peer
from benchmarks.systems import ALLOY, NEIGHBORS, RATTLE, crystal


def test_crystal() -> None:
    made = crystal(500, ALLOY)
    assert made.size == 500 and len(made.pairs) == 10 and set(made.kinds) == {0, 1, 2, 3}
    assert np.all(made.positions == crystal(500, ALLOY).positions)
    sites = np.round(2 * made.positions / 5.26) * 2.63
    assert np.std(made.positions - sites) == pytest.approx(RATTLE, rel=0.1)
    pairs = sparse_peer.pairs_at(made, made.positions)
    assert len(pairs.r) * 2 == NEIGHBORS * made.size and len(np.unique(pairs.kind)) == 10


def test_sizes_are_those_of_cubes() -> None:
    with pytest.raises(ValueError, match="no fcc cube has 1000 atoms"):
        crystal(1000)


def test_parameters_are_twenty() -> None:
    bound = ours.bind(crystal(500, ALLOY))
    assert len(bound.rows) == 20
    assert {(row.parameter, row.index) for row in bound.rows} == {(name, k) for name in ("sigma", "epsilon") for k in range(10)}
    assert all(row.value == getattr(bound.made, row.parameter)[row.index] for row in bound.rows)
    assert all(leaf.shape == (20, 10) for leaf in bound.directions["lennard_jones"].values())


def test_the_sparse_peer_agrees() -> None:
    bound = ours.bind(crystal(500, ALLOY))
    pairs = sparse_peer.pairs_at(bound.made, bound.made.positions)
    v = np.random.default_rng(1).standard_normal((500, 3))
    from md_sensitivity.curvature.products import hessian_product, mixed_product

    wanted = np.asarray(hessian_product(bound.energy, bound.x, bound.theta, v)).reshape(-1)
    found = sparse_peer.hessian(bound.made, pairs) @ v.reshape(-1)
    assert np.abs(found - wanted).max() <= 1e-12 * np.abs(wanted).max()
    for k in (0, 3):
        direction = {"lennard_jones": {name: leaf[k] for name, leaf in bound.directions["lennard_jones"].items()}}
        column = sparse_peer.mixed_column(bound.made, pairs, bound.rows[k].parameter, bound.rows[k].index)
        expected = np.asarray(mixed_product(bound.energy, bound.x, bound.theta, direction)).reshape(-1)
        assert np.abs(column - expected).max() <= 1e-12 * np.abs(expected).max()
