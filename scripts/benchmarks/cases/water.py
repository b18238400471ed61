"""The gradient of one distance in a box of water for all parameters by one adjoint solve, against the minimization before it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

import md_sensitivity as mds
from benchmarks.measure import Measure, compared, skipped
from benchmarks.run import Case, Run, within
from benchmarks.timing import alternate, many, once
from md_sensitivity.compilation import program
from md_sensitivity.curvature.products import gradient
from md_sensitivity.forcefields import ForceField, parse_native
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.types import Structure

ROOT = Path(__file__).resolve().parents[3]
INPUT = ROOT / "inputs" / "water_box"
TEXT = """
[molecules]
files = ["tip3p.xml"]
cutoff = 9.0
switch_from = 8.0
"""
FIGURE, LIMIT = "ours / minimization", 0.5
MIDDLE, LARGE = 1536, 12288
_gradient = program(gradient)


def repeated(box: Structure, times: int) -> Structure:
    """A box so many times along each edge."""
    shifts = np.array(list(np.ndindex(*(times,) * 3))) @ box.cell
    copies = len(shifts)
    return replace(
        box,
        positions=(box.positions[None] + shifts[:, None]).reshape(-1, 3),
        types=box.types * copies,
        numbers=np.tile(box.numbers, copies),
        masses=np.tile(box.masses, copies),
        fixed=np.tile(box.fixed, (copies, 1)),
        cell=box.cell * times,
        bonds=np.concatenate([box.bonds + k * box.size for k in range(copies)]),
        atom_names=box.atom_names * copies,
        residue_names=box.residue_names * copies,
        residue_numbers=tuple(k * box.size + number for k in range(copies) for number in box.residue_numbers),
        chain_names=box.chain_names * copies,
        path="",
        sha256="",
    )


def measure(run: Run) -> Iterator[Measure]:
    """Minimization starts from copies of a box that was relaxed with another cutoff; derivatives include everything after it."""
    for size in run.sizes_of((MIDDLE, LARGE), (MIDDLE,)):
        key = f"adjoint-water/{size}"
        if importlib.util.find_spec("openmm") is None:
            yield skipped(key, FIGURE, "OpenMM, whose force field of water is read, is not installed", LIMIT)
            continue
        run.say(f"  {key}")
        yield _of_size(key, size, run)


def _of_size(key: str, size: int, run: Run) -> Measure:
    box = mds.read_structure(INPUT / "structure.pdb")
    relaxed = np.asarray(_minimized(box, mds.read_force_field(INPUT / "force_field.toml")).x)
    structure = repeated(replace(box, positions=relaxed), round((size / box.size) ** (1 / 3)))
    force_field = parse_native(TEXT, "benchmark")
    found = _minimized(structure, force_field)
    energy, x, theta = found.energy, found.x, found.theta
    distance = mds.observable("distance:0-3")
    taken = alternate(
        {
            "force": many(lambda: _gradient(energy, x, theta)),
            "minimization": once(lambda: _minimized(structure, force_field).x),
            "adjoint": once(lambda: jax.tree.leaves(mds.sensitivity(distance, energy, found, mode="adjoint").total)),
        },
        run.repetitions,
        run.say,
    )
    force, adjoint = min(taken["force"]), min(taken["adjoint"])
    return compared(
        key,
        FIGURE,
        ours=taken["adjoint"],
        peer=taken["minimization"],
        limit=within(structure.size, LIMIT, MIDDLE, LARGE),
        note=f"{found.steps} steps; as long as {adjoint / force:.0f} forces of {1e3 * force:.0f} ms",
        details={"force": list(taken["force"])},
    )


def _minimized(structure: Structure, force_field: ForceField) -> Equilibrium:
    system = mds.build_system(structure, force_field)
    return mds.minimize(mds.energy_function(system), system.positions, force_field.parameters, curvature=False)


WATER = Case(name="adjoint-water", description="adjoint gradient of a distance in water with particle-mesh Ewald", measure=measure)
