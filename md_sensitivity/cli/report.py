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
    from md_sensitivity.errors import InputError
    from md_sensitivity.reports import WRITERS, write_result, write_summary
    from md_sensitivity.reports.load import load_named, load_one, result_folders

    console = console_of(values, bar=True)
    formats = values["formats"] or None
    for name in formats or ():
        WRITERS.find(name)
    folder = Path(values["directory"])
    single = (folder / "result.json").is_file()
    folders = result_folders(folder)
    documents, written, without, code = [], [], 0, 0
    with console:
        for place, each in enumerate(folders):
            console.update(each.name, place / len(folders))
            try:
                documents.append(load_named(each))
                if formats is None and not (each / "arrays.npz").exists():
                    without += 1
                else:
                    written += write_result(load_one(each), each.resolve().parent, formats)
            except InputError as error:  # a damaged result does not stop the others
                console.error(str(error))
                code = error.exit_code
    if not single:
        written.append(write_summary(documents, folder))
    for path in written if len(folders) <= SHOWN else written[-1:]:
        console.info(f"wrote {path}")
    if without:
        console.info(f"{without} of {len(folders)} were written without the format npz: their reports stay as they are")
    return code
