"""`md-sensitivity report`: the reports of a finished analysis once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from md_sensitivity.cli import options
from md_sensitivity.cli.runs import SHOWN, console_of


@click.command()
@click.argument("directory", metavar="DIR")
@options.options(options.formats, options.quiet, options.verbose)
def report(**values: Any) -> int:
    """Write the reports of a finished analysis again.

    Also in other formats than before.

    DIR is the output folder of a run, or the folder of one structure in it. In the folder of a run, summary.csv is written anew over
    all structures, whichever shard they were of.

    \b
    md-sensitivity report outputs
    md-sensitivity report outputs/crystal --format pdb
    """
    from md_sensitivity.reports import WRITERS, load_documents, write_result, write_summary
    from md_sensitivity.reports.load import load_one

    console = console_of(values, bar=True)
    formats = values["formats"] or None
    for name in formats or ():
        WRITERS.find(name)
    folder = Path(values["directory"])
    single = (folder / "result.json").is_file()
    results = load_documents(folder)
    parent = folder.resolve().parent if single else folder
    written: list[Path] = []
    with console:
        for place, each in enumerate(results):
            console.update(each.name, place / len(results))
            written += write_result(load_one(parent / each.name), parent, formats)
    if not single:
        written.append(write_summary(results, parent))
    for path in written if len(results) <= SHOWN else written[-1:]:
        console.info(f"wrote {path}")
    return 0
