"""`md-sensitivity show`: a finished analysis on the terminal."""

from __future__ import annotations

from typing import Any

import click

from md_sensitivity.cli import options


@click.command()
@click.argument("directory", metavar="DIR")
@options.options(options.as_json)
def show(**values: Any) -> int:
    """Terminal table of a finished analysis.

    DIR is the output folder of a run, or the folder of one structure in it.
    """
    from md_sensitivity.reports import load_documents

    results = load_documents(values["directory"])
    if values["as_json"]:
        from md_sensitivity.cli.runs import result_documents
        from md_sensitivity.cli.tables import print_json

        print_json({"schema": "md-sensitivity/results/1", "output": values["directory"], "results": result_documents(results)})
    else:
        from md_sensitivity.reports import print_results

        print_results(results)
    return 0
