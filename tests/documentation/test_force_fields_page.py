"""The force field of docs/force_fields.md is one, and has the free parameters that the page says."""

from __future__ import annotations

import re
from pathlib import Path

from md_sensitivity.forcefields import native_toml, parse_native
from md_sensitivity.forcefields.expressions import FUNCTIONS
from md_sensitivity.forcefields.numbers import LONG_KEYS
from md_sensitivity.forcefields.potential_files import POTENTIAL_FILES

TEXT = (Path(__file__).parents[2] / "docs" / "force_fields.md").read_text()


def test_the_example_has_the_parameters_that_the_page_says() -> None:
    example = re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL)[0]
    field = parse_native(example, "page.toml")
    free = [row.name for row in field.table.rows if row.free]
    assert free == ["variable.size", "variable.ratio", "lennard_jones.Ar.epsilon"]
    assert all(f"`{name}`" in TEXT for name in free)
    assert parse_native(native_toml(field), "page.toml").table == field.table


def test_keys_functions_and_files_stand_on_the_page() -> None:
    assert all(f"`{word}`" in TEXT for word in (*LONG_KEYS, *FUNCTIONS))
    assert all(f"`{kind.suffix}`" in TEXT for kind in POTENTIAL_FILES.values() if kind.tokens is not None)
