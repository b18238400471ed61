"""Files of potentials that other programs use, told by the end of their names, each read by a module of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shown
from md_sensitivity.forcefields.data import TypeTuple
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.forcefields.lammps_eam import parse_funcfl, parse_setfl
from md_sensitivity.forcefields.lammps_eam_tokens import folded_funcfl, folded_setfl, funcfl_tokens, setfl_tokens
from md_sensitivity.forcefields.lammps_snap import parse_snap, snap_tokens
from md_sensitivity.forcefields.lammps_triplets import COLUMNS, TITLES, parse_triplets
from md_sensitivity.forcefields.lammps_words import Token, triple_tokens
from md_sensitivity.potentials.base import COULOMB, EmbeddedForm, Form, ManyBodyForm
from md_sensitivity.potentials.eam import EAM, EAM_FS, EAM_FUNCFL
from md_sensitivity.potentials.edip import EDIP
from md_sensitivity.potentials.snap import SNAP
from md_sensitivity.potentials.stillinger_weber import STILLINGER_WEBER
from md_sensitivity.potentials.tersoff import TERSOFF
from md_sensitivity.potentials.tersoff_mod import TERSOFF_MOD, TERSOFF_MODC
from md_sensitivity.potentials.vashishta import VASHISHTA
from md_sensitivity.registry import Registry
from md_sensitivity.units import LAMMPS_METAL_COULOMB, LAMMPS_REAL_COULOMB


class SourceText(NamedTuple):
    """One file: its text, and where it is."""

    text: str
    path: Path

    @property
    def where(self) -> str:
        """The file as messages name it."""
        return shown(self.path)


FileValues = dict[tuple[TypeTuple, str], np.ndarray]
"""(types, parameter) → its numbers."""


@dataclass(frozen=True, kw_only=True)
class PotentialFile:
    """What the files of one potential say.

    Attributes:
        form: functional form.
        units: name after `UNITS:`, in lower case; "" where there is none.
        entries: type tuple → parameter → value, or values of a series, in the order of the file.
        options: values of the form's options.
    """

    form: Form
    units: str = ""
    entries: Mapping[TypeTuple, Mapping[str, Any]]
    options: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PotentialFormat:
    """A kind of potential file.

    Attributes:
        suffix: end of the name, in lower case.
        style: the style that TOML names it with.
        several: whether several files make one potential.
        parts: how many files one potential has, where readers look for the others beside the first if they are not named.
        parse: files → content; raises InputError with file, line and reason.
        tokens: text of a file that `parse` reads → its numbers that are parameters, in the order of the text, so that files can be
            written with other values; None where they cannot.
        folded: values of all parameters → of those that the file holds, for files that have no place for some, such as scales of tables;
            raises UsageError where the file cannot hold them.
        beside: suffix of a file without parameters that must stand beside it under the same name; "" where there is none.
    """

    name: str
    description: str
    suffix: str
    style: str
    several: bool = False
    parts: int = 1
    parse: Callable[[tuple[SourceText, ...]], PotentialFile]
    tokens: Callable[[str], Iterable[Token]] | None = None
    folded: Callable[[FileValues], FileValues] | None = None
    beside: str = ""


def _parse_triplets(files: tuple[SourceText, ...], *, form: ManyBodyForm) -> PotentialFile:
    content = parse_triplets(files[0].text, files[0].where, form.name)
    # Numbers of LAMMPS's files are to give LAMMPS's energies, hence its own rounded constant.
    constant = LAMMPS_REAL_COULOMB if content.units == "real" else LAMMPS_METAL_COULOMB
    options = {COULOMB.name: constant} if COULOMB in form.options else {}
    return PotentialFile(form=form, units=content.units, entries=content.entries, options=options)


def _of_triplets(suffix: str, form: ManyBodyForm) -> PotentialFormat:
    """The kind of LAMMPS file that gives numbers for triples of elements."""
    return PotentialFormat(
        name=f"lammps{suffix.replace('.', '-')}",
        description=f"LAMMPS {TITLES[form.name]} potential file",
        suffix=suffix,
        style=form.name,
        parse=partial(_parse_triplets, form=form),
        tokens=partial(triple_tokens, columns=COLUMNS[form.name], without=("tol", *(spec.name for spec in form.parameters if spec.option))),
    )


def _parse_funcfl(files: tuple[SourceText, ...]) -> PotentialFile:
    content = parse_funcfl({file.where: file.text for file in files})
    return PotentialFile(form=EAM_FUNCFL, units=content.units, entries=content.entries, options=content.options)


def _parse_setfl(files: tuple[SourceText, ...], *, form: EmbeddedForm) -> PotentialFile:
    content = parse_setfl(files[0].text, files[0].where, of_pairs=form is EAM_FS)
    return PotentialFile(form=form, units=content.units, entries=content.entries, options=content.options)


def _parse_snap(files: tuple[SourceText, ...]) -> PotentialFile:
    coefficients = files[0]
    path = coefficients.path.with_suffix(".snapparam")
    parameters = files[1] if len(files) > 1 else SourceText(read_text(path).text, path)
    content = parse_snap(coefficients.text, coefficients.where, parameters.text, parameters.where)
    return PotentialFile(form=SNAP, units=content.units, entries=content.entries, options=content.options)


POTENTIAL_FILES: Registry[PotentialFormat] = Registry(
    "potential file",
    (
        _of_triplets(".sw", STILLINGER_WEBER),
        _of_triplets(".tersoff", TERSOFF),
        _of_triplets(".tersoff.mod", TERSOFF_MOD),
        _of_triplets(".tersoff.modc", TERSOFF_MODC),
        _of_triplets(".vashishta", VASHISHTA),
        _of_triplets(".edip", EDIP),
        PotentialFormat(
            name="lammps-eam",
            description="LAMMPS EAM tables of an element (funcfl)",
            suffix=".eam",
            style="eam",
            several=True,
            parse=_parse_funcfl,
            tokens=funcfl_tokens,
            folded=folded_funcfl,
        ),
        PotentialFormat(
            name="lammps-eam-alloy",
            description="LAMMPS EAM tables of several elements (setfl)",
            suffix=".eam.alloy",
            style="eam",
            parse=partial(_parse_setfl, form=EAM),
            tokens=partial(setfl_tokens, of_pairs=False),
            folded=folded_setfl,
        ),
        PotentialFormat(
            name="lammps-eam-fs",
            description="LAMMPS EAM tables of Finnis-Sinclair kind",
            suffix=".eam.fs",
            style="eam",
            parse=partial(_parse_setfl, form=EAM_FS),
            tokens=partial(setfl_tokens, of_pairs=True),
            folded=folded_setfl,
        ),
        PotentialFormat(
            name="lammps-snap",
            description="LAMMPS SNAP coefficient file, with the .snapparam file of the same name beside it",
            suffix=".snapcoeff",
            parts=2,
            style="snap",
            parse=_parse_snap,
            tokens=snap_tokens,
            beside=".snapparam",
        ),
    ),
)


def format_of(path: Path) -> PotentialFormat | None:
    """The kind of a potential file; None where its name tells none."""
    name = path.name.lower()
    found = [kind for kind in POTENTIAL_FILES.values() if name.endswith(kind.suffix)]
    return max(found, key=lambda kind: len(kind.suffix), default=None)


def read_potential_files(paths: tuple[Path, ...], form: Form) -> PotentialFile:
    """Content of the files of one potential of a given style.

    Raises:
        InputError: where a file is not one of that style, or cannot be read.
    """
    kinds = {format_of(path) for path in paths}
    own = [kind for kind in POTENTIAL_FILES.values() if kind.style == form.name]
    if not own:
        raise InputError(f"{form.name} is not read from a file")
    kind = next(iter(kinds))
    if len(kinds) > 1 or kind not in own:
        for path in paths:
            read_text(path)  # whatever is wrong with it, its name is the lesser fault
        raise InputError(f"files of {form.name} end with {' or '.join(kind.suffix for kind in own)}")
    return read_as(kind, paths)


def read_as(kind: PotentialFormat, paths: tuple[Path, ...]) -> PotentialFile:
    """Content of files of one kind, which make one potential."""
    return parsed_as(kind, tuple(SourceText(read_text(path).text, path) for path in paths))


def parsed_as(kind: PotentialFormat, files: tuple[SourceText, ...]) -> PotentialFile:
    """The same of files that have been read; one that must stand beside them is looked for if it is not among them."""
    if len(files) > 1 and not kind.several and len(files) != kind.parts:
        raise InputError(f"a potential of {kind.suffix} files is one file, not {len(files)}")
    content = kind.parse(files)
    if content.units not in ("", "metal", "real"):
        raise InputError(f"{files[0].where}: units {quotation(content.units)} of the file's first line are neither metal nor real")
    return content
