"""Force-field files → ForceField."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from md_sensitivity.errors import InputError
from md_sensitivity.files import printable, shown
from md_sensitivity.forcefields.assemble import force_field_of
from md_sensitivity.forcefields.assignment import acting_rows, assignment_of
from md_sensitivity.forcefields.data import ForceField, ParameterRow, Parameters, ParameterTable, Term
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.forcefields.lammps_input import parse_lammps_input
from md_sensitivity.forcefields.molecules import MOLECULAR_FORMATS, MolecularFormat, read_files
from md_sensitivity.forcefields.native import parse_native
from md_sensitivity.forcefields.potential_files import POTENTIAL_FILES, PotentialFormat, SourceText, parsed_as
from md_sensitivity.forcefields.typing import species_of
from md_sensitivity.forcefields.uses import Use, uses_of
from md_sensitivity.forcefields.write import native_toml
from md_sensitivity.registry import Registry
from md_sensitivity.units import LAMMPS_UNIT_SYSTEMS

__all__ = [
    "FORCE_FIELD_FORMATS",
    "ForceField",
    "ParameterRow",
    "ParameterTable",
    "Parameters",
    "Term",
    "Use",
    "acting_rows",
    "assignment_of",
    "native_toml",
    "parse_native",
    "read_force_field",
    "species_of",
    "uses_of",
]


@dataclass(frozen=True, kw_only=True)
class ForceFieldFormat:
    """A kind of force-field file, told by the end of its name, or by its beginning.

    Attributes:
        suffix: end of the name, in lower case.
        also: other ends.
        prefix: beginning of names; "" where it tells nothing.
        locate: which file a path means; its own name where there is such a file.
    """

    name: str
    description: str
    suffix: str
    also: tuple[str, ...] = ()
    prefix: str = ""
    read: Callable[[str, Path], ForceField]
    locate: Callable[[str], Path] = Path


def _read_molecular(kind: MolecularFormat, text: str, path: Path) -> ForceField:
    return read_files(kind, [path])


def _read_native(text: str, path: Path) -> ForceField:
    return parse_native(text, shown(path), path.parent)


def _read_potential_file(kind: PotentialFormat, text: str, path: Path) -> ForceField:
    content = parsed_as(kind, (SourceText(text, path),))
    units = LAMMPS_UNIT_SYSTEMS[content.units or "metal"]
    return force_field_of(content.form, content.entries, content.options, units, name=printable(path.stem), source=shown(path))


FORCE_FIELD_FORMATS: Registry[ForceFieldFormat] = Registry(
    "force-field format",
    (
        ForceFieldFormat(name="native", description="native TOML force field", suffix=".toml", read=_read_native),
        *(
            ForceFieldFormat(name=kind.name, description=kind.description, suffix=kind.suffix, read=partial(_read_potential_file, kind))
            for kind in POTENTIAL_FILES.values()
        ),
        ForceFieldFormat(
            name="lammps-input",
            description="pair_style and pair_coeff lines of a LAMMPS input (units metal, real or lj), or coefficients in a data file",
            suffix=".in",
            also=(".lmp", ".lammps", ".snap", ".include", ".data"),
            prefix="in.",
            read=parse_lammps_input,
        ),
        *(
            ForceFieldFormat(
                name=kind.name,
                description=kind.description,
                suffix=kind.suffixes[0],
                also=kind.suffixes[1:],
                read=partial(_read_molecular, kind),
                locate=partial(kind.locate, Path()),
            )
            for kind in MOLECULAR_FORMATS.values()
        ),
    ),
)


def read_force_field(path: str | Path) -> ForceField:
    """Read a force field; its format is told by the end of the name.

    Args:
        path: native TOML (`.toml`), a potential file of LAMMPS, whose elements are matched by symbol, a LAMMPS input, or a molecular
            force field.

    Returns:
        The force field; parameters in the file's own units.

    Raises:
        InputError: with file, place and reason.
    """
    path = Path(path)
    name = path.name.lower()
    # Of several ends that fit, the longest says most: `.eam.alloy` is no `.alloy`. Ends say more than beginnings.
    ends = [(end, kind) for kind in FORCE_FIELD_FORMATS.values() for end in (kind.suffix, *kind.also) if name.endswith(end)]
    found = max(ends, key=lambda each: len(each[0]))[1] if ends else None
    found = found or next((kind for kind in FORCE_FIELD_FORMATS.values() if kind.prefix and name.startswith(kind.prefix)), None)
    if found is not None:
        path = found.locate(str(path))
        content = read_text(path)
        return replace(found.read(content.text, path), path=str(path), sha256=content.sha256)
    read_text(path)     # whatever is wrong with it, its name is the lesser fault
    endings = ", ".join(end for kind in FORCE_FIELD_FORMATS.values() for end in (kind.suffix, *kind.also))
    raise InputError(f"{shown(path)}: unknown kind of force-field file; its name must end with one of {endings}, or begin with in.")
