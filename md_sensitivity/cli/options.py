"""Options that several commands share, each defined once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from md_sensitivity.cli.config import config_option

Decorator = Callable[[Any], Any]


def finite(ctx: click.Context, parameter: click.Parameter, value: float | None) -> float | None:
    """Refuse what the range of a number lets through: infinity."""
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("must be a finite number", ctx, parameter)
    return value


structures = click.argument("structures", nargs=-1, metavar="STRUCTURE...")
force_field = click.option(
    "-f", "--force-field", metavar="PATH", help="Force field: native TOML, or a LAMMPS Stillinger-Weber file (.sw)."
)
output = click.option("-o", "--output", metavar="DIR", default="outputs", show_default=True, help="Output folder.")
parameters = click.option(
    "-p",
    "--parameter",
    "parameters",
    metavar="PATTERN",
    multiple=True,
    help="Glob over parameter names; repeatable. Default: every free parameter that acts on the structure.",
)
observables = click.option(
    "-O",
    "--observable",
    "observables",
    metavar="SPEC",
    multiple=True,
    help="Name or name:arguments, such as distance:0-5 or sasa:protein; repeatable. Default: energy, plus pressure in a periodic cell, or "
    "volume where it relaxes.",
)
references = click.option(
    "--reference",
    "references",
    metavar="PATH",
    multiple=True,
    help="Structure that formation, surface and binding energies are measured from, relaxed like the others; repeatable.",
)
positions = click.option(
    "--positions/--no-positions", default=None, help="Whether to write dx*/dθ of every atom. Default: where the arrays stay small."
)
fmax = click.option(
    "--fmax",
    type=click.FloatRange(min=0, min_open=True),
    callback=finite,
    default=1e-8,
    show_default=True,
    help="Largest force component at the minimum [eV/Å; reduced units: as is].",
)
smax = click.option(
    "--smax",
    type=click.FloatRange(min=0, min_open=True),
    callback=finite,
    default=1e-6,
    show_default=True,
    help="Largest stress component, beyond the pressure, when a cell relaxes [GPa; reduced units: as is].",
)
relax_cell = click.option(
    "--relax-cell",
    type=click.Choice(["isotropic", "full"]),
    default=None,
    help="Relax periodic axes with the atoms: by size alone, or by all strains. Default: the cell is fixed.",
)
pressure = click.option(
    "--pressure",
    metavar="GPA",
    type=float,
    callback=finite,
    default=0.0,
    show_default=True,
    help="Pressure under which the cell relaxes [GPa; N/m in two dimensions; reduced units: as is].",
)
max_steps = click.option(
    "--max-steps", type=click.IntRange(min=1), default=20000, show_default=True, help="Counts every step, the polish included."
)
dimensions = click.option(
    "--dimensions", type=click.Choice(["2", "3"]), default="3", show_default=True, help="2: z is frozen."
)
fix = click.option(
    "--fix",
    metavar="SELECTION",
    default="",
    help="Freeze atoms: 0-based indices and ranges 0,3,7-12, or element:Si, type:A, or an MDTraj expression.",
)
minimizer = click.option(
    "--minimizer", metavar="NAME", default="lbfgs+newton", show_default=True, help="See `md-sensitivity list minimizers`."
)
hessian = click.option(
    "--hessian",
    type=click.Choice(["auto", "blocks", "products"]),
    default="auto",
    show_default=True,
    help="How large systems multiply with the Hessian: stored blocks (pair potentials), or derivatives of the gradient.",
)
precision = click.option(
    "--precision",
    type=click.Choice(["double", "mixed"]),
    default="double",
    show_default=True,
    help="mixed: linear solves of large systems sweep in single precision, to the same certified residual.",
)
solver = click.option("--solver", metavar="NAME", default="auto", show_default=True, help="See `md-sensitivity list solvers`.")
mode = click.option(
    "--mode", type=click.Choice(["auto", "forward", "adjoint"]), default="auto", show_default=True, help="How the derivatives are taken."
)
check = click.option(
    "--check",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Number of parameters to spot-check by re-minimized finite differences; 0 turns it off.",
)
seed = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Seed of everything that is drawn at random."
)
second_order = click.option(
    "--second-order",
    is_flag=True,
    help="Also d²E/dθ², second derivatives of observables, and how far predictions of first and second order hold.",
)
second_order_check = click.option(
    "--second-order-check",
    metavar="N",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Measure these predictions by minimizing again at N perturbations of each parameter; implies --second-order.",
)
reader = click.option(
    "--reader",
    type=click.Choice(["auto", "ase", "mdtraj"]),
    default="auto",
    show_default=True,
    help="Library that reads the structures.",
)
index = click.option(
    "--index",
    metavar="INDEX",
    default=None,
    help="Frame of a trajectory (ASE syntax); a range makes one structure of each. Default: the last.",
)
formats = click.option(
    "--format",
    "formats",
    metavar="NAME",
    multiple=True,
    help="json, csv, html, extxyz, pdb or npz; repeatable. Default: all that apply.",
)
resume = click.option(
    "--resume/--no-resume", default=False, show_default=True, help="Keep finished results of the same inputs, options and versions."
)
shard = click.option("--shard", metavar="I/N", default="1/1", help="Only every N-th structure, beginning with the I-th (1 ≤ I ≤ N).")
dry_run = click.option("--dry-run", is_flag=True, help="Plan, parameters, estimates of memory and time; computes and writes nothing.")
strict = click.option("--strict", is_flag=True, help="Exit with 5 where a structure is unconverged or not a minimum.")
threads = click.option(
    "--threads", type=click.IntRange(1, 4096), default=None, help="Number of threads. Default: SLURM_CPUS_PER_TASK, else all cores."
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "gpu"]),
    default="auto",
    show_default=True,
    help="Where to compute; gpu never falls back to the CPU.",
)
gpu_memory = click.option(
    "--gpu-memory",
    metavar="FRACTION",
    type=click.FloatRange(0, 1, min_open=True),
    callback=finite,
    default=None,
    help="Reserve this part of the GPU's memory at the start and use no more. Default: take what is needed, when it is needed.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout instead of the table.")
quiet = click.option("-q", "--quiet", is_flag=True, help="Errors only on stderr.")
verbose = click.option("-v", "--verbose", count=True, help="Stages and timings on stderr.")

config = config_option

PROCESS: tuple[Decorator, ...] = (threads, device, gpu_memory)
TALK: tuple[Decorator, ...] = (as_json, quiet, verbose)
READ: tuple[Decorator, ...] = (reader, index, fix, dimensions)
MINIMIZE: tuple[Decorator, ...] = (relax_cell, pressure, fmax, smax, max_steps, minimizer)
MANY: tuple[Decorator, ...] = (formats, resume, shard, strict, dry_run, config)


def options(*decorators: Decorator) -> Decorator:
    """All of them, in the order in which `--help` is to show them."""

    def apply(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply
