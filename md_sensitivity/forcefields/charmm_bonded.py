"""Bonds, angles, torsions and maps of a PSF with the numbers of CHARMM's parameter files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.charmm_parameters import WILDCARD, CharmmParameters, key_of
from md_sensitivity.forcefields.charmm_psf import Psf
from md_sensitivity.forcefields.data import TypeTuple
from md_sensitivity.forcefields.line_rows import LineRows
from md_sensitivity.forcefields.molecular_terms import Interactions, bonded_rows
from md_sensitivity.potentials.cmap import CMAP
from md_sensitivity.units import CHARMM

Found = TypeVar("Found")
_TORSION_WILDCARDS = ((0, 3),)
_IMPROPER_WILDCARDS = ((1, 2), (0,), (3,), (0, 3), (0, 1), (2, 3))
"""Places of X, in CHARMM's order of search: A X X D, X B C D, X B C X, X X C D; each from both ends."""


@dataclass
class Bonded:
    """Rows in the making, and the interactions of them.

    Attributes:
        rows: label → rows.
    """

    source: str
    rows: dict[str, LineRows] = field(default_factory=dict)
    interactions: Interactions = field(default_factory=Interactions)

    def add(
        self, label: str, atoms: np.ndarray, types: TypeTuple, values: Mapping[str, Any], place: str, *, map_size: int | None = None
    ) -> None:
        """An interaction of some atoms, with the numbers of one line."""
        if label not in self.rows:
            form = None if map_size is None else CMAP
            # CHARMM writes K(x − x₀)², without a half.
            self.rows[label] = bonded_rows(label, CHARMM, self.source, factor=1.0, map_size=map_size, form=form, mirrored=False)
        self.interactions.add(label, atoms.tolist(), self.rows[label].row(place, types, values, place))


def bonded_terms(psf: Psf, types: tuple[str, ...], parameters: CharmmParameters) -> Bonded:
    """All bonded interactions.

    Args:
        types: name of the type of each atom.

    Raises:
        InputError: where parameters are missing, for the first atoms that miss them, or a value is not admitted.
    """
    bonded = Bonded(psf.where)
    for atoms, entry in _found(psf, types, "NBOND", "BONDS", parameters.bonds):
        bonded.add("HarmonicBond", atoms, entry.types, entry.values, entry.place)
    angles = _found(psf, types, "NTHETA", "ANGLES", parameters.angles)
    for atoms, entry in angles:
        bonded.add("HarmonicAngle", atoms, entry.types, entry.values, entry.place)
    for atoms, entry in angles:
        if "ub_k" in entry.values:
            bonded.add("UreyBradley", atoms, entry.types, {"k": entry.values["ub_k"], "r0": entry.values["ub_r0"]}, entry.place)
    for atoms, terms in _found(psf, types, "NPHI", "DIHEDRALS", parameters.dihedrals, _TORSION_WILDCARDS):
        for entry in terms.values():
            bonded.add("PeriodicTorsion", atoms, entry.types, entry.values, entry.place)
    impropers = [
        (atoms, entry)
        for atoms, terms in _found(psf, types, "NIMPHI", "IMPROPER", parameters.impropers, _IMPROPER_WILDCARDS)
        for entry in terms.values()
    ]
    for atoms, entry in impropers:
        if not entry.values["n"]:
            values = {"k": entry.values["k"], "phi0": entry.values["phase"]}
            bonded.add("HarmonicImproper", atoms, entry.types, values, entry.place)
    for atoms, entry in impropers:
        if entry.values["n"]:
            bonded.add("PeriodicImproper", atoms, entry.types, entry.values, entry.place)
    sizes: dict[int, str] = {}
    for atoms, each in _found(psf, types, "NCRTERM", "CMAP", parameters.maps):
        label = sizes.setdefault(each.size, f"CMAP{each.size}" if sizes else "CMAP")
        bonded.add(label, atoms, each.types, {"scale": 1.0, "energy": each.values}, each.place, map_size=each.size)
    return bonded


def _found(
    psf: Psf,
    types: tuple[str, ...],
    section: str,
    name: str,
    table: Mapping[TypeTuple, Found],
    wildcards: tuple[tuple[int, ...], ...] = (),
) -> list[tuple[np.ndarray, Found]]:
    """What a table says of each entry of a section; lines without wildcards first."""
    known: dict[TypeTuple, Found | None] = {}
    found = []
    for atoms in psf.lists[section]:
        key = tuple(types[atom] for atom in atoms)
        if key not in known:
            known[key] = _lookup(key, table.get, wildcards)
        entry = known[key]
        if entry is None:
            names = ", ".join(psf.atom(int(atom)) for atom in atoms)
            raise InputError(
                f"{psf.where}: no parameters in {name} for {' '.join(key)}, which !{section} wants for {names}; add the parameter file "
                "that has them"
            )
        found.append((atoms, entry))
    return found


def _lookup(types: TypeTuple, get: Callable[[TypeTuple], Found | None], wildcards: tuple[tuple[int, ...], ...]) -> Found | None:
    for places in ((), *wildcards):
        for way in (types, types[::-1]) if len(types) == 4 else (types,):
            key = tuple(WILDCARD if place in places else name for place, name in enumerate(way))
            if (found := get(key_of(key))) is not None:
                return found
    return None
