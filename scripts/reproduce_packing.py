#!/usr/bin/env python3
"""The molecular-dynamics experiment of Blondel et al., "Efficient and Modular Implicit Differentiation", arXiv:2105.15183.

    .venv/bin/python scripts/reproduce_packing.py                                        # 40 seeds, jammed, box fixed
    .venv/bin/python scripts/reproduce_packing.py --seeds 20 --packing-fraction 0.86     # near jamming, with rattlers

How do the positions of a packing of soft discs depend on the diameter of half of them? docs/packing.md tells the whole story.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from md_sensitivity.cli import options
from md_sensitivity.cli.console import Console, complain
from md_sensitivity.errors import MdSensitivityError

CONTRADICTION = 7


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.option("--seeds", type=click.IntRange(min=1), default=40, show_default=True, help="Number of random starts: seeds 0, 1, 2 …")
@click.option(
    "--packing-fraction",
    type=click.FloatRange(0.05, 2.0),
    callback=options.finite,
    default=0.98,
    show_default=True,
    help="Area of all discs over that of the box. Packings jam near 0.84.",
)
@click.option("--particles", type=click.IntRange(min=4), default=128, show_default=True, help="Number of discs, half of each kind.")
@click.option(
    "--diameter",
    type=click.FloatRange(0.1, 10.0),
    callback=options.finite,
    default=0.6,
    show_default=True,
    help="θ, of half of the discs; the others have 1.",
)
@click.option(
    "--box",
    type=click.Choice(["fixed", "follows"]),
    default="fixed",
    show_default=True,
    help="Whether the box stays as it is, or follows θ so that the packing fraction stays.",
)
@click.option("--unrolled/--no-unrolled", default=True, show_default=True, help="Also differentiate through the steps of jax-md's FIRE.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    help="Folder. Default: outputs/packing-FRACTION-BOX, such as outputs/packing-0.98-fixed.",
)
@options.options(*options.PROCESS)
def command(
    seeds: int, output: Path | None, unrolled: bool, threads: int | None, device: str, gpu_memory: float | None, **choices: Any
) -> int:
    """Sensitivity of packings of soft discs to the diameter of half of them.

    Each packing is minimized from random positions and differentiated implicitly (CG and BiCGSTAB, forward and adjoint), checked against
    re-minimized central differences that keep the contacts, and differentiated through the steps of FIRE for comparison.

    Writes packing.json, packing_arrows.png and packing_norms.png. Exit codes: 0 ok, 2 usage, 7 a converged seed contradicts its check.
    """
    from md_sensitivity.cli import edge

    console = Console(bar=True)
    edge.prepare(console, threads=threads, device=device, gpu_memory=gpu_memory)  # before anything imports jax
    from packing.setup import Setup, require_sensible

    setup = Setup(**choices)
    require_sensible(setup)
    output = output or Path("outputs") / f"packing-{setup.packing_fraction:g}-{setup.box}"
    with console:
        return _run(setup, seeds, output, unrolled, console)


def _run(setup: Any, seeds: int, output: Path, unrolled: bool, console: Console) -> int:
    from md_sensitivity.reports.atomic import write_atomic
    from md_sensitivity.versions import installed_versions
    from packing.experiment import CONTRADICTED, count, run_seed
    from packing.figures import draw_arrows, draw_norms
    from packing.records import Document
    from packing.summary import numbers, paragraph, table, unrolled_table

    start = time.perf_counter()
    packings = []
    for seed in range(seeds):

        def report(stage: str, seed: int = seed) -> None:
            console.update(f"seed {seed}: {stage}", seed / seeds)

        packings.append(run_seed(setup, seed, unrolled=unrolled, report=report))
    document = Document(
        versions=installed_versions(),
        options={
            "seeds": seeds,
            "packing_fraction": setup.packing_fraction,
            "particles": setup.particles,
            "diameter": setup.diameter,
            "box": setup.box,
            "unrolled": unrolled,
        },
        side=setup.side,
        dilation=setup.dilation,
        summary=numbers(packings),
        seconds=time.perf_counter() - start,
        seeds=[packing.record for packing in packings],
    )
    import msgspec

    numbers_file = write_atomic(output / "packing.json", msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")
    written = [numbers_file]
    for name, draw in {"packing_arrows.png": draw_arrows, "packing_norms.png": draw_norms}.items():
        (output / name).unlink(missing_ok=True)  # a picture of an earlier run would stand beside the numbers of this one
        written += filter(None, [draw(setup, packings, output / name)])
    for text in filter(None, [table(packings), unrolled_table(packings), paragraph(setup, packings)]):
        click.echo(f"{text}\n")
    click.echo(f"{document.seconds:.0f} s; wrote " + ", ".join(str(path) for path in written))
    return CONTRADICTION if count(packings, CONTRADICTED) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the experiment; returns the exit code."""
    try:
        return int(command.main(args=None if arguments is None else list(arguments), standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except MdSensitivityError as error:
        complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        complain("interrupted")
        return 130


if __name__ == "__main__":
    sys.exit(main())
