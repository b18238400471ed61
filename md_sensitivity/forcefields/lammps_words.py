"""What LAMMPS potential files have in common."""

from __future__ import annotations

import re


def units_of(text: str) -> str:
    """Name after `UNITS:` in the first line, in lower case; "" where there is none."""
    found = re.search(r"UNITS:\s*(\S+)", text.split("\n", 1)[0])
    return found.group(1).lower() if found else ""
