"""LAMMPS atom styles: which column of a data file means what."""

from __future__ import annotations

from md_sensitivity.errors import InputError
from md_sensitivity.structures.numerals import is_integer
from md_sensitivity.structures.source import printable

STYLES = {
    "atomic": (1, 2, 5), "charge": (1, 3, 6), "bond": (2, 3, 6), "angle": (2, 3, 6), "molecular": (2, 3, 6), "full": (2, 4, 7),
    "sphere": (1, 4, 7), "ellipsoid": (1, 4, 7), "dipole": (1, 3, 9), "dpd": (1, 3, 6), "mdpd": (1, 3, 6), "peri": (1, 4, 7),
    "spin": (1, 2, 9), "hybrid": (1, 2, 5),
}  # fmt: skip
"""Atom style → column of the type, first column of the coordinates, number of columns; then perhaps three image flags."""


def atom_style(where: str, comment: str, rows: list[list[str]], *, count: int, labels: set[str], bonded: bool) -> tuple[str, list[str]]:
    """Atom style from the comment after `Atoms`, else from what the columns hold; and a note in the latter case.

    Args:
        where: the file, for messages.
        comment: what follows `Atoms #`.
        rows: words of the section's lines, equally many in each.
        count: number of atom types.
        labels: type labels.
        bonded: whether the file has bonds.
    """
    if comment:
        if comment.split()[0] in STYLES:
            return comment.split()[0], []
        raise InputError(f"{where}: atom style {printable(comment[:40])!r} after `Atoms` is not supported; known: {', '.join(STYLES)}")

    def may_be_types(column: int) -> bool:
        return all(row[column] in labels or (is_integer(row[column]) and 1 <= int(row[column]) <= count) for row in rows)

    width = len(rows[0])
    body = width - 3 if width >= 8 and has_image_flags(rows) else width
    candidates = {5: ("atomic",), 6: ("charge", "molecular"), 7: ("full",)}.get(body, ())
    fitting = [style for style in candidates if may_be_types(STYLES[style][0])]
    if fitting == ["charge", "molecular"] and bonded:
        fitting = ["molecular"]
    if len(fitting) != 1:
        reason = "may be of style " + " or ".join(fitting) if fitting else "fit no atom style"
        raise InputError(f"{where}: the {width} columns of section Atoms {reason}; write the style as a comment, `Atoms # charge`")
    return fitting[0], [f"atom style {fitting[0]} follows from the columns"]


def has_image_flags(rows: list[list[str]]) -> bool:
    """Whether the last three words of every row are integers."""
    return all(is_integer(word) for row in rows for word in row[-3:])
