"""Where in the structure: figures for the most responsive parameters, atoms that respond most, norms of all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from md_sensitivity.analysis.result import ParameterInfo, Result
from md_sensitivity.reports.html.picture import Picture, picture
from md_sensitivity.reports.html.profile import profile
from md_sensitivity.reports.ranking import most_responsive, relative_response
from md_sensitivity.reports.text import per

FIGURES = 3
ATOMS = 8
NORM_ROWS = 300
ROUNDING = 1e-6
"""Responses smaller than this fraction of the largest get no figure."""
STEP = 0.01
"""Relative change of a parameter that figures show."""


@dataclass(frozen=True, kw_only=True)
class AtomRow:
    """One atom: index, type, residue and name in the file, |dx/dθ|, and its displacement for the step of the figures [Å]."""

    index: int
    kind: str
    name: str
    size: float
    displacement: float


@dataclass(frozen=True, kw_only=True)
class Focus:
    """One parameter: its figures and the atoms that respond most.

    Attributes:
        unit: unit of |dx/dθ|.
        largest: displacement of the atom that moves most for the step of the figures [Å].
        half: number of atoms that respond at least half as much as that one.
    """

    parameter: ParameterInfo
    unit: str
    picture: Picture
    profile: Markup
    atoms: list[AtomRow]
    largest: float
    half: int


@dataclass(frozen=True, kw_only=True)
class NormRow:
    """Norms of dx*/dθ over all coordinates for one parameter; None where the derivative does not exist."""

    parameter: ParameterInfo
    unit: str
    l1: float | None
    l2: float | None
    max: float | None
    atom: str


@dataclass(frozen=True, kw_only=True)
class ResponseSection:
    """The whole section; without figures where positions were not differentiated or nothing moves."""

    focuses: list[Focus]
    norms: list[NormRow]
    named: bool
    step: float
    length: str


def response_section(result: Result) -> ResponseSection | None:
    """Everything that the section shows; None where there are no norms."""
    document = result.document
    if document.position_norm is None or not document.parameters:
        return None
    length = "reduced" if document.force_field.units == "reduced" else "Å"
    labels = atom_labels(result)
    chosen = _visible(result) if "dpositions" in result.arrays else []
    return ResponseSection(
        focuses=[_focus(result, p, labels, length) for p in chosen],
        norms=_norms(result, labels, length),
        named=bool(result.structure.residue_names or result.structure.atom_names),
        step=STEP,
        length=length,
    )


def _visible(result: Result) -> list[int]:
    """Parameters worth a figure: the most responsive ones, without those whose response is zero but for rounding."""
    response = relative_response(result.document)
    chosen = most_responsive(result.document, FIGURES)
    return [p for p in chosen if (response[p] or 0.0) > ROUNDING * (response[chosen[0]] or 0.0)]


def atom_labels(result: Result) -> list[str]:
    """`LYS 12 NZ` where there are residues, `atom 216 (Si)` otherwise."""
    structure = result.structure
    if not structure.residue_names:
        return [f"atom {i} ({kind})" for i, kind in enumerate(structure.types)]
    return [_atom_name(result, i) for i in range(structure.size)]


def _atom_name(result: Result, atom: int) -> str:
    """Chain, residue name and number, and atom name, as far as the file has them."""
    structure = result.structure
    sources = (structure.chain_names, structure.residue_names, structure.residue_numbers, structure.atom_names)
    return " ".join(str(source[atom]) for source in sources if source and str(source[atom]).strip())


def _focus(result: Result, p: int, labels: list[str], length: str) -> Focus:
    parameter, structure = result.document.parameters[p], result.structure
    response = np.asarray(result.arrays["dpositions"][p])
    size = np.linalg.norm(response, axis=1)
    step = STEP * abs(parameter.value)
    strongest = np.argsort(-size, kind="stable")[:ATOMS]
    unit = per(length, parameter.unit)
    rows = [
        AtomRow(
            index=int(i),
            kind=structure.types[i],
            name=_atom_name(result, int(i)),
            size=float(size[i]),
            displacement=float(size[i]) * step,
        )
        for i in strongest
        if size[i] > 0
    ]
    return Focus(
        parameter=parameter,
        unit=unit,
        picture=picture(structure, result.arrays["positions"], result.arrays["cell"], STEP * parameter.value * response, labels, length),
        profile=profile(size, unit, labels),
        atoms=rows,
        largest=float(size.max()) * step,
        half=int(np.count_nonzero(size >= 0.5 * size.max())),
    )


def _norms(result: Result, labels: list[str], length: str) -> list[NormRow]:
    """All parameters by their response to a relative change."""
    norm = result.document.position_norm
    assert norm is not None
    responsive = most_responsive(result.document)
    known = set(responsive)
    order = [*responsive, *(p for p in range(len(norm.l2)) if p not in known)]
    rows = []
    for p in order[:NORM_ROWS]:
        parameter, atom = result.document.parameters[p], norm.max_atom[p]
        label = labels[atom] if atom is not None and norm.max[p] else ""
        unit = per(length, parameter.unit)
        rows.append(NormRow(parameter=parameter, unit=unit, l1=norm.l1[p], l2=norm.l2[p], max=norm.max[p], atom=label))
    return rows
