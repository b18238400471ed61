#!/usr/bin/env python3
"""Mutation fuzz over everything that reads a user's files: structures, force fields, studies, finished results.

    .venv/bin/python scripts/fuzz.py --cases 2000
    .venv/bin/python scripts/fuzz.py --cases 500 --only structures --seed 7
    .venv/bin/python scripts/fuzz.py --only structures --seed 7 --case 123      # one case again

Valid files (`fuzz_seeds.py`) are damaged at random (`fuzz_mutations.py`) and read. Each must be read right or refused with an error of
md_sensitivity on one line. A hang, a crash, any other exception, and a structure without atoms or with numbers that are not finite
are findings: they are printed with the seed and the number of the case, kept under --keep, and make the exit code 1.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import fuzz_mutations
import fuzz_seeds
import numpy as np

from md_sensitivity.errors import InputError, MdSensitivityError, UsageError

HANG = 20.0
"""Longest time that one small file may take where another process reads it; three times that where this one does [s]."""
MEMORY = 3.0
"""What reading one small file may take [GiB]."""
ACCEPTED, REFUSED = "accepted", "refused"
HANGS, CRASHES, LEAKS, BAD = "hang", "crash", "leaked exception", "bad acceptance"
FINDINGS = (HANGS, CRASHES, LEAKS, BAD)


class Hang(BaseException):
    """A case took longer than `HANG`; no Exception, so that nothing swallows it."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of files.

    Attributes:
        files: valid ones by name.
        read: reads the file of this name in the working folder; returns what is bad about what it accepted, "" for nothing.
        companions: valid files that lie beside it.
    """

    name: str
    files: dict[str, bytes]
    read: Callable[[Path, bool], str]
    companions: dict[str, bytes]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one case."""

    verdict: str
    message: str


# --- readers ---


def read_structures(path: Path, downstream: bool) -> str:
    from md_sensitivity.structures.limits import Limits
    from md_sensitivity.structures.sandbox import read_safely

    faults = [fault(one) for one in read_safely(path, index=":", limits=Limits(seconds=HANG, gibibytes=MEMORY))]
    if downstream:
        faults += [computed(one) for one in read_safely(path, limits=Limits(seconds=HANG, gibibytes=MEMORY))]
    return "; ".join(filter(None, faults))


def fault(structure: Any) -> str:
    """What is wrong with a structure that was accepted, looked at once more and independently."""
    n = len(structure.positions)
    shapes = {"positions": (n, 3), "numbers": (n,), "masses": (n,), "fixed": (n, 3), "cell": (3, 3), "pbc": (3,)}
    checks = {
        "no atoms": n == 0,
        "shapes": any(getattr(structure, name).shape != shape for name, shape in shapes.items()),
        "numbers that are not finite": not all(np.isfinite(getattr(structure, name)).all() for name in ("positions", "masses", "cell")),
        "masses that are not positive": bool((structure.masses <= 0).any()),
        "types": len(structure.types) != n or not all(kind and kind.isprintable() for kind in structure.types),
        "names": any(len(names) not in (0, n) for names in (structure.atom_names, structure.residue_names, structure.chain_names)),
        "bonds": bool(len(structure.bonds)) and not (0 <= structure.bonds.min() and structure.bonds.max() < n),
        "a flat periodic cell": bool(structure.pbc.any()) and np.linalg.matrix_rank(structure.cell[structure.pbc]) < structure.pbc.sum(),
        "unprintable notes": not all(note.isprintable() for note in structure.notes),
    }
    return ", ".join(name for name, wrong in checks.items() if wrong)


def computed(structure: Any) -> str:
    """Energy of what was accepted with soft spheres: a finite number, NaN, or a clean refusal."""
    import jax

    from md_sensitivity.building import build_system
    from md_sensitivity.forcefields import parse_native
    from md_sensitivity.system import energy_function

    kinds = sorted(set(structure.types))
    rows = "".join(f"[potential.parameters.{_quoted(kind)}]\nsigma = 1.0\nepsilon = 1.0\n" for kind in kinds)
    try:
        field = parse_native(f'[[potential]]\nstyle = "soft_sphere"\nmixing = "lorentz-berthelot"\n{rows}', "fuzz.toml")
        system = build_system(structure, field)
    except MdSensitivityError:
        return ""
    with jax.disable_jit():
        energy = float(energy_function(system)(system.positions, field.parameters))
    return "" if np.isfinite(energy) or np.isnan(energy) else f"energy {energy}"


def _quoted(kind: str) -> str:
    return '"' + kind.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read_force_field(path: Path, downstream: bool) -> str:
    from md_sensitivity.forcefields import read_force_field as read

    field = read(path)
    wrong = [row.name for row in field.table.rows if not np.isfinite(row.value) or not row.bounds[0] <= row.value <= row.bounds[1]]
    return f"parameters {wrong}" if wrong or not field.table.rows else ""


def read_study(path: Path, downstream: bool) -> str:
    import click

    from md_sensitivity.cli.analyze import analyze
    from md_sensitivity.cli.config import read_config

    values = read_config(path, click.Context(analyze))
    wrong = [name for name, value in values.items() if isinstance(value, float) and not np.isfinite(value)]
    return f"options {wrong}" if wrong else ""


def read_fit_study(path: Path, downstream: bool) -> str:
    from md_sensitivity.fitting.study import read_study as read

    study = read(path)
    wrong = [target.name for target in study.targets if not np.isfinite(np.asarray(target.value, dtype=float)).all()]
    return f"targets {wrong}" if wrong or not study.targets else ""


def read_forces(path: Path, downstream: bool) -> str:
    from md_sensitivity.fitting.forces_file import read_forces as read

    forces = read(path, fuzz_seeds.cluster().get_chemical_symbols())
    return "" if forces.shape == (7, 3) and np.isfinite(forces).all() else f"forces of shape {forces.shape}"


def read_result(path: Path, downstream: bool) -> str:
    """A folder whose result.json or arrays.npz is damaged, read for `show` and `report`, and written again."""
    import md_sensitivity as mds
    from md_sensitivity.reports import write_result

    result = mds.load(path.parent)
    assert not isinstance(result, list)
    with contextlib.suppress(MdSensitivityError):       # what was accepted may hold numbers that no report can
        write_result(result, path.parent / "again")
    return ""


# --- what is read ---


def kinds() -> list[Kind]:
    """All kinds of files."""
    structures, force_fields = fuzz_seeds.structures(), fuzz_seeds.force_fields()
    beside = {"Si.sw": force_fields["Si.sw"]}
    files = {"structures": (structures, read_structures, {}), "forcefields": (force_fields, read_force_field, beside)}
    studies = {"study.toml": fuzz_seeds.STUDY.encode()}
    fits = {"fit.toml": fuzz_seeds.FIT.encode()}
    around = {name: structures[name] for name in ("crystal.extxyz", "cluster.xyz")} | {"salt.toml": force_fields["salt.toml"]}
    results = fuzz_seeds.results()
    files |= {"studies": (studies, read_study, around), "fits": (fits, read_fit_study, around), "results": (results, read_result, results)}
    files |= {"forces": ({"forces.extxyz": fuzz_seeds.forces()}, read_forces, {})}
    return [Kind(name=name, files=files, read=read, companions=companions) for name, (files, read, companions) in files.items()]


SHARES = {"structures": 0.6, "forcefields": 0.15, "studies": 0.1, "fits": 0.06, "results": 0.06, "forces": 0.03}


# --- cases ---


def made(kind: Kind, seed: int, number: int) -> tuple[str, bytes, list[str]]:
    """Name, content and history of one case; the same for the same seed, kind and number."""
    draw = random.Random(f"{seed}/{kind.name}/{number}")
    names = sorted(kind.files)
    origin = draw.choice(names)
    content, history = fuzz_mutations.mutated(draw, kind.files[origin], kind.files[draw.choice(names)])
    name, compress = (origin, None) if kind.name != "structures" else fuzz_mutations.mutated_name(draw, origin, names)
    return name, content if compress is None else compress(content), [origin, *history]


def tried(kind: Kind, path: Path, downstream: bool) -> Outcome:
    """What becomes of one file."""
    from md_sensitivity.structures import FAULT

    try:
        with time_limited(), warnings.catch_warnings():
            warnings.simplefilter("error")
            bad = kind.read(path, downstream)
    except (InputError, UsageError) as error:
        message = str(error)
        if " takes longer than " in message:
            return Outcome(verdict=HANGS, message=message)
        if " crashed on it " in message:
            return Outcome(verdict=CRASHES, message=message)
        if FAULT in message or "\n" in message or not message.isprintable():
            return Outcome(verdict=LEAKS, message=message)
        return Outcome(verdict=REFUSED, message=message)
    except Hang:
        return Outcome(verdict=HANGS, message=f"more than {HANG:g} s")
    except Exception as error:  # what this program looks for
        return Outcome(verdict=LEAKS, message=f"{type(error).__name__}: {error}")
    return Outcome(verdict=BAD if bad else ACCEPTED, message=bad)


@contextlib.contextmanager
def time_limited() -> Iterator[None]:
    """Raise Hang in this block where it lasts too long; files that another process reads have a limit of their own."""

    def end(number: int, frame: Any) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, 3 * HANG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(kind: Kind, seed: int, numbers: Sequence[int], keep: Path, downstream: bool) -> Counter[str]:
    """Try some cases of one kind; print and keep what is found."""
    verdicts: Counter[str] = Counter()
    for number in numbers:
        name, content, history = made(kind, seed, number)
        with tempfile.TemporaryDirectory(prefix="fuzz_") as folder:
            for companion, text in kind.companions.items():
                (Path(folder) / companion).write_bytes(text)
            (Path(folder) / name).write_bytes(content)
            with working_in(folder):
                outcome = tried(kind, Path(folder) / name, downstream)
        verdicts[outcome.verdict] += 1
        if outcome.verdict in FINDINGS:
            place = keep / f"{kind.name}-{seed}-{number}"
            place.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(content)
            print(f"{outcome.verdict}: {outcome.message[:300]!r}\n    {' '.join(history)} → {place / name}")
            print(f"    again: scripts/fuzz.py --only {kind.name} --seed {seed} --case {number}", flush=True)
    return verdicts


@contextlib.contextmanager
def working_in(folder: str) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the fuzz; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=2000, help="number of damaged files (default: 2000)")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same cases (default: 0)")
    parser.add_argument("--only", choices=sorted(SHARES), help="one kind of files")
    parser.add_argument("--case", type=int, help="this one alone; needs --only")
    parser.add_argument("--downstream", action="store_true", help="compute an energy of each accepted structure, too (slow)")
    parser.add_argument("--keep", type=Path, default=Path("outputs/fuzz"), help="folder for findings (default: outputs/fuzz)")
    chosen = parser.parse_args(arguments)
    if chosen.case is not None and chosen.only is None:
        parser.error("--case needs --only")
    keep, total, began = chosen.keep.resolve(), Counter[str](), time.monotonic()
    print(f"seed {chosen.seed}, {chosen.cases} cases; the same seed gives the same cases")
    verdicts = (ACCEPTED, REFUSED, *FINDINGS)
    print(f"{'':12}" + "".join(f"{verdict:>18}" for verdict in verdicts))
    for kind in kinds():
        share = SHARES[kind.name] if chosen.only is None else float(chosen.only == kind.name)
        numbers = range(round(share * chosen.cases)) if chosen.case is None or not share else [chosen.case]
        found = run(kind, chosen.seed, numbers, keep, chosen.downstream)
        if numbers:
            print(f"{kind.name:12}" + "".join(f"{found[verdict]:>18}" for verdict in verdicts), flush=True)
        total += found
    findings = sum(total[verdict] for verdict in FINDINGS)
    print(f"{'all':12}" + "".join(f"{total[verdict]:>18}" for verdict in verdicts))
    print(f"{sum(total.values())} cases in {time.monotonic() - began:.0f} s: {findings or 'no'} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
