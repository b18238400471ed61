"""Charges, Lennard-Jones numbers and excluded pairs of a PSF with CHARMM's parameter files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.charmm_parameters import CharmmParameters, key_of
from md_sensitivity.forcefields.charmm_psf import Psf
from md_sensitivity.forcefields.data import TypeTuple, join_types
from md_sensitivity.forcefields.expressions import plain
from md_sensitivity.forcefields.line_rows import Line, LineRows
from md_sensitivity.forcefields.molecular_terms import COULOMB, LENNARD_JONES, LENNARD_JONES_14, coulomb_rows, lennard_jones_rows
from md_sensitivity.forcefields.topology import Pairs
from md_sensitivity.potentials.charges import CHARGE
from md_sensitivity.potentials.lennard_jones_rmin import LENNARD_JONES_RMIN
from md_sensitivity.units import CHARMM


@dataclass(frozen=True, kw_only=True, eq=False)
class NonbondedPart:
    """Rows of terms, and the pairs that each does not treat as neighbors."""

    rows: list[LineRows]
    pairs: dict[str, Pairs]


def lennard_jones(psf: Psf, types: tuple[str, ...], parameters: CharmmParameters) -> NonbondedPart:
    """Lennard-Jones interactions, and those of pairs three bonds apart where these have numbers of their own.

    Raises:
        InputError: where a type has no parameters, or a value is not admitted.
    """
    present = tuple(dict.fromkeys(types))
    for name in present:
        if (name,) not in parameters.nonbonded:
            first = psf.atom(types.index(name))
            where = f"{psf.where}: no parameters in NONBONDED for {name}, the type of {first}"
            raise InputError(f"{where}; add the parameter file that has them")
    near, far = bonded_pairs(psf)
    own = {name: "epsilon14" in parameters.nonbonded[name,].values for name in present}
    fixes = {key: entry for key, entry in parameters.nbfix.items() if set(key) <= set(present)}
    special = np.array([_special(types[i], types[j], own, parameters) for i, j in far.tolist()], dtype=bool)
    main = _rows(psf.where)
    for name in present:
        entry = parameters.nonbonded[name,]
        main.add(_line((name,), entry.values["rmin_half"], entry.values["epsilon"], entry.place))
    for entry in fixes.values():
        main.add(_line(entry.types, 0.5 * entry.values["rmin"], entry.values["epsilon"], entry.place))
    _scale(main)
    atoms, rows = np.concatenate([near, far]), np.concatenate([np.full(len(near), -1), np.where(special, -1, 0)])
    pairs = {LENNARD_JONES: Pairs(atoms=atoms, rows=rows)}
    if not special.any():
        return NonbondedPart(rows=[main], pairs=pairs)
    close = _rows(psf.where, listed_only=True)
    for name in present:
        entry = parameters.nonbonded[name,]
        if own[name]:
            close.add(_line((name,), entry.values["rmin_half14"], entry.values["epsilon14"], entry.place))
        else:
            close.add(_line((name,), entry.values["rmin_half"], entry.values["epsilon"], entry.place, tied=True))
    for entry in fixes.values():
        if "epsilon14" in entry.values:
            close.add(_line(entry.types, 0.5 * entry.values["rmin14"], entry.values["epsilon14"], entry.place))
    _scale(close)
    return NonbondedPart(
        rows=[main, close],
        pairs={**pairs, LENNARD_JONES_14: Pairs(atoms=far[special], rows=np.zeros(int(special.sum()), dtype=np.int64))},
    )


def _special(first: str, second: str, own: dict[str, bool], parameters: CharmmParameters) -> bool:
    """Whether two types have numbers of their own three bonds apart; those of the pair come before those of each type."""
    fix = parameters.nbfix.get(key_of((first, second)))
    return own[first] or own[second] if fix is None else "epsilon14" in fix.values


def _rows(source: str, *, listed_only: bool = False) -> LineRows:
    return lennard_jones_rows(LENNARD_JONES_RMIN, "lorentz-berthelot", CHARMM, source, listed_only=listed_only)


def _line(types: TypeTuple, rmin_half: float, epsilon: float, place: str, *, tied: bool = False) -> Line:
    """Numbers of one type, or of a pair; `tied` to those that the type has farther apart."""
    values = {"rmin_half": rmin_half, "epsilon": epsilon}
    follows = {name: plain(f"{LENNARD_JONES}.{join_types(types)}.{name}") for name in values} if tied else {}
    return Line(types=types, values=values, where=place, follows=follows)


def _scale(rows: LineRows) -> None:
    """No number of the file stands for this share: it is one, unless somebody asks what a change of it would do."""
    rows.scale(rows.label, 1.0, rows.source, fixed=True)


def coulomb(psf: Psf, parameters: CharmmParameters) -> NonbondedPart:
    """Charges."""
    _, values = charge_types(psf)
    near, far = bonded_pairs(psf)
    rows = coulomb_rows(CHARMM, psf.where)
    for name, value in values.items():
        rows.row(name, (name,), {CHARGE.name: value}, psf.where)
    rows.scale("e14fac", parameters.settings.get("e14fac", 1.0), f"{psf.where}: e14fac")
    return NonbondedPart(
        rows=[rows],
        pairs={COULOMB: Pairs(atoms=np.concatenate([near, far]), rows=np.repeat([-1, 0], [len(near), len(far)]))},
    )


def charge_types(psf: Psf) -> tuple[list[str], dict[str, float]]:
    """Charge type of each atom, and the charge of each type.

    An atom of a residue has one charge as a rule, and one name; where another one of the same residue and name differs, as at the ends of
    chains, a number follows.
    """
    seen: dict[str, list[float]] = {}
    names = []
    for residue, atom, charge in zip(psf.residues, psf.atoms, psf.charges.tolist(), strict=True):
        known = seen.setdefault(f"{residue}:{atom}", [])
        if charge not in known:
            known.append(charge)
        place = known.index(charge)
        names.append(f"{residue}:{atom}" + (f"#{place + 1}" if place else ""))
    return names, dict(zip(names, psf.charges.tolist(), strict=True))


def species_names(charges: list[str], types: tuple[str, ...]) -> list[str]:
    """A name for the kind of each atom: its charge type, with the atom type where this has several."""
    distinct = Counter(name for name, _ in set(zip(charges, types, strict=True)))
    return [name if distinct[name] == 1 else f"{name}/{kind}" for name, kind in zip(charges, types, strict=True)]


def bonded_pairs(psf: Psf) -> tuple[np.ndarray, np.ndarray]:
    """Pairs up to two bonds apart, or excluded by the file, and pairs three bonds apart by the shortest way, shape=(m, 2) each."""
    bonds, size = psf.lists["NBOND"], psf.size
    one = _pattern(bonds, size)
    none = csr_array(coo_array((np.ones(size, dtype=np.int64), (np.arange(size), np.arange(size))), shape=(size, size)))
    two = _apart(one @ one, [none, one])
    three = _apart(one @ two, [none, one, two])
    listed = _pattern(psf.excluded, size)
    near = _listed(((one + two + listed) > 0).astype(np.int64))
    return near, _listed(_apart(three, [listed]))


def _pattern(pairs: np.ndarray, size: int) -> csr_array:
    both = np.concatenate([pairs, pairs[:, ::-1]])
    matrix = csr_array(coo_array((np.ones(len(both), dtype=np.int64), (both[:, 0], both[:, 1])), shape=(size, size)))
    return (matrix > 0).astype(np.int64)


def _apart(pattern: csr_array, others: list[csr_array]) -> csr_array:
    """Entries of a pattern that none of the others has."""
    kept = (pattern > 0).astype(np.int64)
    for other in others:
        kept = kept - kept.multiply(other)
    kept = csr_array(kept)
    kept.eliminate_zeros()
    return kept


def _listed(pattern: csr_array) -> np.ndarray:
    rows, columns = coo_array(pattern).coords
    upper = rows < columns
    return np.column_stack([rows[upper], columns[upper]]).astype(np.int64).reshape(-1, 2)
