"""The distance between the ends of a chain, of a peptide with CHARMM's potentials."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import charmm_files
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from observed import at, direction_of, measured, minimum_along, peptide
from small_systems import close, difference, random_like

from md_sensitivity.analysis.sensitivity import parts
from md_sensitivity.building import build_system
from md_sensitivity.errors import UsageError
from md_sensitivity.forcefields import read_force_field
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.neighbors import SMALLEST_PADDED
from md_sensitivity.observables import observable
from md_sensitivity.system import energy_function

SPECS = ("end_to_end", "end_to_end:4-15")


@cache
def relaxed() -> Equilibrium:
    energy = energy_function(build_system(charmm_files.structure(), peptide()))
    return minimize(energy, energy.system.positions, peptide().parameters, fmax=1e-10)


@cache
def moved(step: float) -> Equilibrium:
    return minimum_along(relaxed(), step)


@pytest.mark.parametrize("spec", SPECS)
def test_it_is_the_distance_between_the_outermost_heavy_atoms(spec: str) -> None:
    whole = charmm_files.structure()
    first, last = (int(word) for word in spec.partition(":")[2].split("-")) if ":" in spec else (0, whole.size - 1)
    heavy = [atom for atom in range(first, last + 1) if whole.numbers[atom] != 1]
    wanted = np.linalg.norm(whole.positions[heavy[-1]] - whole.positions[heavy[0]])
    assert float(measured(spec, at(whole, peptide()), whole)) == pytest.approx(wanted, rel=1e-14)


@pytest.mark.parametrize("spec", SPECS)
def test_padding_changes_nothing(spec: str) -> None:
    of = charmm_files.structure()
    plain, padded = at(of, peptide()), at(of, peptide(), padded=True)
    assert len(padded.x) == SMALLEST_PADDED > of.size
    assert measured(spec, plain, of) == pytest.approx(measured(spec, padded, of), rel=1e-14)
    slopes = [
        np.asarray(jax.grad(lambda x, state=state: observable(spec, of).bind(state)(state.energy, x, state.theta))(jnp.asarray(state.x)))
        for state in (plain, padded)
    ]
    assert close(slopes[0], slopes[1][: of.size], 1e-13) and not np.any(slopes[1][of.size :])


@pytest.mark.parametrize("spec", SPECS)
def test_first_derivatives_by_position_are_differences(spec: str) -> None:
    of = charmm_files.structure()
    state = at(of, peptide())
    bound, x = observable(spec, of).bind(state), jnp.asarray(state.x)
    v = random_like(x, 3)
    forward = jax.jvp(lambda y: bound(state.energy, y, state.theta), (x,), (v,))[1]
    assert close(forward, difference(lambda h: bound(state.energy, x + h * v, state.theta), 1e-4), 1e-8)
    assert close(jnp.vdot(jax.grad(lambda y: bound(state.energy, y, state.theta))(x), v), forward, 1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("spec", SPECS)
def test_derivatives_through_the_minimum_are_those_of_reminimized_differences(spec: str) -> None:
    equilibrium, of = relaxed(), charmm_files.structure()
    assert equilibrium.status == "minimum"
    bound = observable(spec, of).bind(equilibrium)
    directions = jax.tree.map(lambda d: jnp.asarray(d)[None], direction_of(relaxed()))
    totals = []
    for mode in ("forward", "adjoint"):
        found = parts((bound,), equilibrium, directions, mode=mode)
        assert not np.any(found.direct[0])
        totals.append(np.asarray(found.relaxation[0][0]))
    assert abs(totals[0]) > 1e-3 and close(totals[0], totals[1], 1e-9)
    assert close(totals[0], difference(lambda h: measured(spec, moved(h), of), 1e-4), 2e-5)


def test_a_chain_across_the_cell_is_as_long_as_the_whole_one() -> None:
    whole = charmm_files.structure()
    heavy = np.flatnonzero(whole.numbers != 1)
    wanted = np.linalg.norm(whole.positions[heavy[-1]] - whole.positions[heavy[0]])
    assert float(measured("end_to_end", at(whole, peptide()), whole)) == pytest.approx(wanted, rel=1e-14)
    cell = 0.7 * wanted * np.eye(3)   # so short that the nearest image of the end is not the end of the chain
    folded = replace(whole, cell=cell, pbc=np.ones(3, dtype=bool), positions=whole.positions % np.diag(cell))
    state = at(whole, peptide())
    system = replace(state.energy.system, positions=jnp.asarray(folded.positions), cell=jnp.asarray(cell), pbc=(True,) * 3)
    state = replace(state, x=system.positions, energy=replace(state.energy, system=system))
    assert float(measured("end_to_end", state, folded)) == pytest.approx(wanted, rel=1e-12)


def test_ends_that_no_bonds_join_are_refused() -> None:
    two = charmm_files.waters(np.array([[0.0, 0.0, 0.0], [2.8, 0.1, -0.1]]), np.stack([np.eye(3)] * 2))
    with TemporaryDirectory() as folder:
        field = read_force_field(charmm_files.write_waters(Path(folder), 2))
    with pytest.raises(UsageError, match="no bonds lead from atom 0 to atom 3"):
        measured("end_to_end", at(two, field), two)
