"""One force evaluation against LAMMPS and against jax-md: single species, 78 neighbors, a fixed neighbor list, float64."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks import jax_md_peer, lammps_peer, ours
from benchmarks.materials import MATERIALS
from benchmarks.measure import Measure, compared, skipped
from benchmarks.run import Case, Run, within
from benchmarks.systems import ALLOY, ARGON, MIDDLE, SMALL, crystal
from benchmarks.timing import Sample, alternate, many
from md_sensitivity.forcefields import read_force_field
from md_sensitivity.system import SKIN

AT_MOST_LAMMPS, AT_LEAST_JAX_MD = 1.5, 5.0
SAME_FORCE = 1e-9
"""Largest difference of two forces, relative to the largest of them, for which the two codes compute the same potential."""
_SAMPLE_STEPS = 100


def _agreement(mine: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.max(np.abs(mine - theirs)) / np.max(np.abs(theirs)))


def against_lammps(run: Run) -> Iterator[Measure]:
    """∂E/∂x, with E and without, against the time that LAMMPS's own clock gives to the pair style."""
    for size in run.sizes_of((SMALL, MIDDLE)):
        keys = [f"force-lammps/{size}", f"force-energy-lammps/{size}", f"force-alloy-lammps/{size}"]
        if "lammps" in run.missing:
            yield skipped(keys[0], "ours / LAMMPS", run.missing["lammps"], within(size, AT_MOST_LAMMPS))
            continue
        limits = (within(size, AT_MOST_LAMMPS), within(size, AT_MOST_LAMMPS), None)
        notes = ("force alone", "force and energy", "force alone, four species with 10 pairs of values")
        for key, limit, note in zip(keys, limits, notes, strict=True):
            run.say(f"  {key}")
            yield _one_against_lammps(run, key, size, limit, note)


def _one_against_lammps(run: Run, key: str, size: int, limit: float | None, note: str) -> Measure:
    with_energy, alloy = key.startswith("force-energy"), key.startswith("force-alloy")
    bound = ours.bind(crystal(size, ALLOY if alloy else ARGON))
    with lammps_peer.lammps(bound.made, ours.LIST_SKIN) as peer:
        agreement = _agreement(-np.asarray(ours.force(bound)()), peer.forces())
        steps = max(1, _SAMPLE_STEPS * SMALL // size)
        whole: list[float] = []

        def theirs() -> float:
            pair, step = peer.pair_time(steps, energy=with_energy)
            whole.append(step)
            return pair

        mine = ours.force_and_energy(bound) if with_energy else ours.force(bound)
        times = alternate({"ours": many(mine), "LAMMPS": theirs}, run.repetitions, run.say)
    return compared(
        key,
        "ours / LAMMPS",
        ours=times["ours"],
        peer=times["LAMMPS"],
        limit=limit,
        note=f"{note}; ours {1e9 * min(times['ours']) / size:.0f}, LAMMPS {1e9 * min(times['LAMMPS']) / size:.0f} ns per atom at best",
        fault="" if agreement <= SAME_FORCE else f"the two compute different forces (relative difference {agreement:.1e})",
        details={"force_difference": agreement, "lammps_whole_step_s": whole[1:]},
    )


def of_materials(run: Run) -> Iterator[Measure]:
    """∂E/∂x of many-body potentials, read from the same files, against the time that LAMMPS's own clock gives to the pair style."""
    for material in MATERIALS:
        made = material.crystal()
        key = f"force-materials/{material.name}"
        if "lammps" in run.missing:
            yield skipped(key, "ours / LAMMPS", run.missing["lammps"], material.limit)
            continue
        run.say(f"  {key}")
        bound = ours.bind(made, read_force_field(material.force_field))
        with lammps_peer.lammps(made, SKIN * material.reach, material.commands()) as peer:
            agreement = _agreement(-np.asarray(ours.force(bound)()), peer.forces())
            sides: dict[str, Sample] = {"ours": many(ours.force(bound)), "LAMMPS": lambda peer=peer: peer.pair_time(10)[0]}
            times = alternate(sides, run.repetitions, run.say)
        best = {name: 1e9 * min(found) / made.size for name, found in times.items()}
        yield compared(
            key,
            "ours / LAMMPS",
            ours=times["ours"],
            peer=times["LAMMPS"],
            limit=material.limit,
            note=f"{made.size} atoms; ours {best['ours']:.0f}, LAMMPS {best['LAMMPS']:.0f} ns per atom at best",
            fault="" if agreement <= SAME_FORCE else f"the two compute different forces (relative difference {agreement:.1e})",
            details={"force_difference": agreement},
        )


def against_jax_md(run: Run) -> Iterator[Measure]:
    """∂E/∂x alone against the faster of jax-md's formats, which is found in the same run."""
    for size in run.sizes_of((SMALL, MIDDLE)):
        key = f"force-jax-md/{size}"
        limit = within(size, AT_LEAST_JAX_MD)
        if "jax-md" in run.missing:
            yield skipped(key, "jax-md / ours", run.missing["jax-md"], limit)
            continue
        run.say(f"  {key}")
        bound = ours.bind(crystal(size))
        sides: dict[str, Sample] = {"ours": many(ours.force(bound))}
        for name in jax_md_peer.FORMATS:
            sides[name] = many(jax_md_peer.force(bound.made, name, ours.LIST_SKIN))
        times = alternate(sides, run.repetitions, run.say)
        best = min(jax_md_peer.FORMATS, key=lambda name: sorted(times[name])[len(times[name]) // 2])
        yield compared(
            key,
            "jax-md / ours",
            ours=times["ours"],
            peer=times[best],
            limit=limit,
            speedup=True,
            note=f"best format {best}",
            details={name: list(times[name]) for name in jax_md_peer.FORMATS},
        )


FORCE_MATERIALS = Case(name="force-materials", description="forces of many-body potentials against serial LAMMPS", measure=of_materials)
FORCE_LAMMPS = Case(name="force-lammps", description="one force evaluation against serial LAMMPS", measure=against_lammps)
FORCE_JAX_MD = Case(name="force-jax-md", description="one force evaluation against the best list of jax-md", measure=against_jax_md)
