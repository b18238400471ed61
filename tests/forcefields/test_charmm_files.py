"""CHARMM's PSF and parameter files: numbers, names, and energies against OpenMM's reader of the same files."""

from __future__ import annotations

import warnings
from itertools import combinations
from pathlib import Path
from typing import Any

import charmm_files
import jax.numpy as jnp
import numpy as np
import pytest

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import ForceField, read_force_field
from md_sensitivity.forcefields.charmm import read_charmm
from md_sensitivity.potentials.base import BondedForm, distance_of
from md_sensitivity.types import Structure
from md_sensitivity.units import COULOMB, KILOJOULE_PER_MOLE

NBFIX = "O   HA3   -0.15   2.9   -0.07   2.6\nNH1  HB1   -0.05   2.8"
GROUPS = {"HarmonicBond": 0, "HarmonicAngle": 1, "PeriodicTorsion": 2, "UreyBradley": 3, "HarmonicImproper": 4, "CMAP": 5}
"""Terms and the force groups that OpenMM's reader gives them; 6 is nonbonded."""


def plain_energies(field: ForceField, of: Structure) -> dict[str, float]:
    """Energy of each term [eV] by loops over what the typing lists, without neighbor tables."""
    assert field.typing is not None
    found = field.typing(of)
    energies = {}
    for term in field.terms:
        values = {}
        for spec in term.form.parameters:
            given = term.constants[spec.name] if spec.option else field.parameters[term.label][spec.name]
            array = np.asarray(given) * field.units.factor(spec.energy, spec.length, spec.angle)
            values[spec.name] = array if spec.count is None else array.reshape(len(term.rows["scale"]), -1)
        if isinstance(term.form, BondedForm):
            tuples = found.tuples[term.label]
            steps = np.diff(of.positions[tuples.atoms], axis=1)
            vectors = tuple(tuple(jnp.asarray(steps[:, k, c]) for c in range(3)) for k in range(steps.shape[1]))
            p = {name: jnp.asarray(array[tuples.rows]) for name, array in values.items()}
            energies[term.label] = float(jnp.sum(term.form.energy(vectors, p, term.options)))
            continue
        types = [found.names[term.label][kind] for kind in found.kinds]
        special = {tuple(sorted(pair)): row for pair, row in zip(found.pairs[term.label].atoms.tolist(), found.pairs[term.label].rows, strict=True)}
        total = 0.0
        for i, j in special if term.listed_only else combinations(range(of.size), 2):
            row = special.get((i, j))
            share = 1.0 if row is None else 0.0 if row < 0 else field.parameters[term.label]["scale14"][row]
            d2 = float(np.sum((of.positions[i] - of.positions[j]) ** 2))
            total += share * _pair(term, values, types[i], types[j], d2)
        energies[term.label] = total
    return energies


def _pair(term: Any, values: dict[str, np.ndarray], a: str, b: str, d2: float) -> float:
    rows = {types: k for k, types in enumerate(next(iter(term.rows.values())))}
    if term.label == "Coulomb":
        return float(COULOMB * values["q"][rows[a,]] * values["q"][rows[b,]] / np.sqrt(d2))
    row = rows.get((a, b), rows.get((b, a)))
    if row is not None:
        rmin, epsilon = values["rmin_half"][row], values["epsilon"][row]
    else:
        one, two = rows[a,], rows[b,]
        rmin = 0.5 * (values["rmin_half"][one] + values["rmin_half"][two])
        epsilon = np.sqrt(values["epsilon"][one] * values["epsilon"][two])
    return float(term.form.energy(distance_of(jnp.asarray(d2)), {"rmin_half": rmin, "epsilon": epsilon}, {}))


def openmm_energies(topology: Path, numbers: Path, positions: np.ndarray) -> dict[int, float]:
    """Energy of each force group [eV]."""
    openmm = pytest.importorskip("openmm")
    from openmm import app, unit

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        system = app.CharmmPsfFile(str(topology)).createSystem(app.CharmmParameterSet(str(numbers)))
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(positions / 10)
    states = {group: context.getState(getEnergy=True, groups={group}) for group in range(7)}
    per_mole = unit.kilojoule_per_mole
    return {group: state.getPotentialEnergy().value_in_unit(per_mole) * KILOJOULE_PER_MOLE for group, state in states.items()}


@pytest.mark.parametrize("flavor", ["xplor", "charmm", "ext"])
@pytest.mark.parametrize("options", [{}, {"e14fac": 0.8, "nbfix": NBFIX}], ids=["plain", "nbfix"])
def test_each_term_agrees_with_openmm(flavor: str, options: dict[str, Any], tmp_path: Path) -> None:
    topology, numbers = charmm_files.write(tmp_path, flavor, **options)
    of = charmm_files.structure()
    ours, theirs = plain_energies(read_charmm(topology, [numbers]), of), openmm_energies(topology, numbers, of.positions)
    for label, group in GROUPS.items():
        assert ours[label] == pytest.approx(theirs[group], rel=1e-8, abs=1e-10)
    nonbonded = ours["LennardJones"] + ours["LennardJones14"] + ours["Coulomb"]
    assert nonbonded == pytest.approx(theirs[6], rel=1e-8)
