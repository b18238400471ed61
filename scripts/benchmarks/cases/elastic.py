"""Elastic constants of silicon with all their parameter derivatives, against the relaxation of cell and atoms before them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np

import md_sensitivity as mds
from benchmarks.measure import Measure, compared
from benchmarks.run import Case, Run, within
from benchmarks.timing import alternate, once
from md_sensitivity.types import Structure

INPUT = Path(__file__).resolve().parents[3] / "inputs" / "silicon_crystal"
FIGURE, LIMIT = "ours / relaxation", 2.0
SMALL, LARGE = 8, 216


def crystal(size: int) -> Structure:
    """So many atoms of silicon in cubic cells, rattled."""
    import ase.build

    atoms = ase.build.bulk("Si", a=5.5, cubic=True).repeat([round((size / 8) ** (1 / 3))] * 3)
    atoms.positions += np.random.default_rng(size).uniform(-0.02, 0.02, atoms.positions.shape)
    return Structure.from_ase(atoms)


def measure(run: Run) -> Iterator[Measure]:
    """Displacements under six strains, 36 constants, and third derivatives along ten parameters; all eigenvalues are part of the peer."""
    force_field, constants = mds.read_force_field(INPUT / "force_field.toml"), mds.observable("elastic_constants")
    theta = force_field.parameters
    for size in run.sizes_of((SMALL, LARGE), (SMALL, LARGE)):
        key = f"elastic/{size}"
        run.say(f"  {key}")
        enthalpy = mds.enthalpy_function(mds.build_system(crystal(size), force_field))
        found = mds.minimize(enthalpy, enthalpy.start, theta)
        taken = alternate(
            {
                "relaxation": once(lambda e=enthalpy: mds.minimize(e, e.start, theta).x),
                "elastic": once(lambda e=enthalpy, f=found: jax.tree.leaves(mds.sensitivity(constants, e, f, mode="forward").total)),
            },
            run.repetitions,
            run.say,
        )
        yield compared(
            key,
            FIGURE,
            ours=taken["elastic"],
            peer=taken["relaxation"],
            limit=within(size, LIMIT, SMALL, LARGE),
            note=f"{min(taken['elastic']):.2f} s, relaxation in {found.steps} steps {min(taken['relaxation']):.2f} s",
            details={},
        )


ELASTIC = Case(name="elastic", description="elastic constants with all parameter derivatives", measure=measure)
