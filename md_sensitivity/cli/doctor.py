"""`md-sensitivity doctor`: does it compute right here?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from md_sensitivity.cli import edge, options
from md_sensitivity.cli.runs import console_of

SELF_CHECK_FAILED = 7


@click.command()
@options.options(*options.PROCESS, *options.TALK)
def doctor(**values: Any) -> int:
    """Check versions, devices and computations.

    Versions, devices, precision, known-bad versions, and self-tests of compiled programs against references.

    Exits with 7 where something is wrong.
    """
    from md_sensitivity.cli.tables import print_json, print_table
    from md_sensitivity.doctor import diagnose, surroundings

    console = console_of(values)
    edge.prepare(console, threads=values["threads"], device=values["device"], gpu_memory=values["gpu_memory"])
    facts = surroundings()
    findings = diagnose(console)
    healthy = all(finding.passed for finding in findings)
    if values["as_json"]:
        print_json({"schema": "md-sensitivity/doctor/1", "passed": healthy, "facts": facts, "checks": [asdict(each) for each in findings]})
    else:
        print_table(["what", "here"], [[name, text] for name, text in facts.items()])
        click.echo()
        print_table(["check", "outcome", "detail"], [[each.name, "ok" if each.passed else "FAILED", each.detail] for each in findings])
    return 0 if healthy else SELF_CHECK_FAILED
