"""docs/reference.md names what the code has, and nothing it has not."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
import pytest

import md_sensitivity
from md_sensitivity import errors
from md_sensitivity.analysis.result import ResultDocument
from md_sensitivity.cli import group
from md_sensitivity.observables import OBSERVABLES
from md_sensitivity.potentials import POTENTIALS
from md_sensitivity.reports import WRITERS

TEXT = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()


def commands() -> dict[str, click.Command]:
    context = click.Context(group)
    return {name: group.get_command(context, name) for name in group.list_commands(context)}


def test_all_commands_are_documented() -> None:
    for name in commands():
        assert re.search(rf"^\| `{name}[ `]", TEXT, flags=re.MULTILINE), name


def test_options_of_analyze_are_those_of_the_table() -> None:
    section = TEXT.split("### Options of `analyze`")[1].split("### Exit codes")[0]
    documented = set(re.findall(r"`(--[a-z-]+)", section)) - {"--unroll"}
    options = [p for p in commands()["analyze"].params if isinstance(p, click.Option)]
    offered = {name for p in options for name in (*p.opts, *p.secondary_opts) if name.startswith("--")}
    assert documented == offered - {"--help", "--quiet", "--verbose"}


@pytest.mark.parametrize("name", list(OBSERVABLES))
def test_observables_stand_with_their_units(name: str) -> None:
    written = OBSERVABLES[name].form.replace("|", r"\|")  # within a table of Markdown
    assert f"\n| `{written}` | {OBSERVABLES[name].unit} |" in TEXT


@pytest.mark.parametrize("name", list(POTENTIALS))
def test_potentials_stand_with_their_parameters(name: str) -> None:
    row = re.search(rf"^\| `{name}` \| (.*?) \|", TEXT, flags=re.MULTILINE)
    assert row
    listed = re.findall(r"`([\w.]+)`", re.sub(r"\(.*?\)", "", row.group(1)))
    assert listed == [spec.name for spec in POTENTIALS[name].parameters]


def test_result_json_has_the_documented_keys() -> None:
    schema = TEXT.split("`result.json`:")[1].split("Derivatives stand")[0]

    def keys(kind: type) -> set[str]:
        found: set[str] = set()
        for field in msgspec.structs.fields(kind):
            found.add(field.encode_name)
            for inner in within(field.type):
                found |= keys(inner)
        return found

    def within(kind: Any) -> list[type]:
        """Structures that a type is made of."""
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return [kind]
        return [inner for part in get_args(kind) for inner in within(part)]

    documented = set(re.findall(r'"([a-z_0-9]+)"', schema)) - {"minimum", "unconverged", "failed"}
    assert keys(ResultDocument) - documented <= {"standard_deviation"}
    assert documented <= keys(ResultDocument)


def test_exit_codes_and_files_are_documented() -> None:
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.MdSensitivityError)}
    for code in codes | {0, 5}:
        assert re.search(rf"^\| {code} \|", TEXT, flags=re.MULTILINE), code
    for writer in WRITERS.values():
        assert writer.filename in TEXT


def test_documented_python_names_exist() -> None:
    for name in set(re.findall(r"mds\.(\w+)", TEXT)):
        assert hasattr(md_sensitivity, name), name
