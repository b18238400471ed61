"""The one structure of commands that take only one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from md_sensitivity.errors import UsageError

if TYPE_CHECKING:
    from md_sensitivity.types import Structure


def read_one(values: Mapping[str, Any]) -> Structure:
    """The structure that the options of a command name, with the chosen atoms frozen."""
    from md_sensitivity.batch.reading import read_selected

    structures = read_selected(values["structure"], reader=values["reader"], index=values["index"], fix=values.get("fix", ""))
    if len(structures) != 1:
        raise UsageError(f"--index {values['index']} names {len(structures)} frames of {values['structure']}; give one")
    return structures[0]
