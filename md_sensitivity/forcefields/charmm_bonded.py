"""Bonds, angles, torsions and maps of a PSF with the numbers of CHARMM's parameter files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.charmm_parameters import WILDCARD, CharmmParameters, key_of
from md_sensitivity.forcefields.charmm_psf import Psf
from md_sensitivity.forcefields.charmm_rows import Gathered
from md_sensitivity.forcefields.data import TypeTuple
from md_sensitivity.potentials.cmap import CMAP
from md_sensitivity.potentials.harmonic_angle import HARMONIC_ANGLE
from md_sensitivity.potentials.harmonic_bond import HARMONIC_BOND, UREY_BRADLEY
from md_sensitivity.potentials.torsions import HARMONIC_TORSION, PERIODIC_TORSION

Found = TypeVar("Found")
_WHOLE = {"factor": 1.0}
"""CHARMM writes K(x − x₀)², without a half."""
_TORSION_WILDCARDS = ((0, 3),)
_IMPROPER_WILDCARDS = ((1, 2), (0,), (3,), (0, 3), (0, 1), (2, 3))
"""Places of X, in CHARMM's order of search: A X X D, X B C D, X B C X, X X C D; each from both ends."""


def bonded_terms(psf: Psf, types: tuple[str, ...], parameters: CharmmParameters) -> list[Gathered]:
    """All bonded interactions.

    Args:
        types: name of the type of each atom.

    Raises:
        InputError: where parameters are missing, for the first atoms that miss them, or a value is not admitted.
    """
    bonds = Gathered(HARMONIC_BOND, "HarmonicBond", _WHOLE)
    angles = Gathered(HARMONIC_ANGLE, "HarmonicAngle", _WHOLE)
    ends = Gathered(UREY_BRADLEY, "UreyBradley", _WHOLE)
    torsions = Gathered(PERIODIC_TORSION, "PeriodicTorsion", {}, numbered=True)
    harmonic = Gathered(HARMONIC_TORSION, "HarmonicImproper", _WHOLE)
    periodic = Gathered(PERIODIC_TORSION, "PeriodicImproper", {}, numbered=True)
    for atoms, entry in _found(psf, types, "NBOND", "BONDS", parameters.bonds):
        bonds.use(atoms, entry.types, entry.values, entry.place)
    for atoms, entry in _found(psf, types, "NTHETA", "ANGLES", parameters.angles):
        angles.use(atoms, entry.types, entry.values, entry.place)
        if "ub_k" in entry.values:
            ends.use(atoms, entry.types, {"k": entry.values["ub_k"], "r0": entry.values["ub_r0"]}, entry.place)
    for atoms, terms in _found(psf, types, "NPHI", "DIHEDRALS", parameters.dihedrals, _TORSION_WILDCARDS):
        for entry in terms.values():
            torsions.use(atoms, entry.types, entry.values, entry.place)
    for atoms, terms in _found(psf, types, "NIMPHI", "IMPROPER", parameters.impropers, _IMPROPER_WILDCARDS):
        for entry in terms.values():
            if entry.values["n"]:
                periodic.use(atoms, entry.types, entry.values, entry.place)
            else:
                harmonic.use(atoms, entry.types, {"k": entry.values["k"], "phi0": entry.values["phase"]}, entry.place)
    return [each for each in (bonds, angles, ends, torsions, harmonic, periodic, *_maps(psf, types, parameters)) if each.entries]


def _maps(psf: Psf, types: tuple[str, ...], parameters: CharmmParameters) -> list[Gathered]:
    """Maps, those of each size by themselves."""
    found: dict[int, Gathered] = {}
    for atoms, entry in _found(psf, types, "NCRTERM", "CMAP", parameters.maps):
        if entry.size not in found:
            found[entry.size] = Gathered(CMAP, "CMAP" if not found else f"CMAP{entry.size}", {"size": float(entry.size)})
        found[entry.size].use(atoms, entry.types, {"scale": 1.0, "energy": entry.values}, entry.place)
    return list(found.values())


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


