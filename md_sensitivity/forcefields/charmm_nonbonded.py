"""Charges, Lennard-Jones numbers and excluded pairs of a PSF with CHARMM's parameter files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.charmm_parameters import CharmmParameters, key_of
from md_sensitivity.forcefields.charmm_psf import Psf
from md_sensitivity.forcefields.charmm_rows import block_of, scale_block
from md_sensitivity.forcefields.data import Term, TypeTuple, join_types
from md_sensitivity.forcefields.expressions import plain
from md_sensitivity.forcefields.table import ParameterBlock
from md_sensitivity.forcefields.topology import Pairs
from md_sensitivity.potentials.charges import CHARGE
from md_sensitivity.potentials.coulomb import COULOMB_DIRECT
from md_sensitivity.potentials.lennard_jones_rmin import LENNARD_JONES_RMIN
from md_sensitivity.potentials.specs import SCALE

LENNARD_JONES, LENNARD_JONES_14, COULOMB = "LennardJones", "LennardJones14", "Coulomb"
_RMIN_HALF, _EPSILON = LENNARD_JONES_RMIN.parameters


@dataclass(frozen=True, kw_only=True, eq=False)
class NonbondedPart:
    """Terms, their blocks of the table, and the pairs that each does not treat as neighbors."""

    terms: list[Term]
    blocks: list[ParameterBlock]
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
    main = _Rows(LENNARD_JONES)
    for name in present:
        entry = parameters.nonbonded[name,]
        main.add((name,), entry.values["rmin_half"], entry.values["epsilon"], entry.place)
    for entry in fixes.values():
        main.add(entry.types, 0.5 * entry.values["rmin"], entry.values["epsilon"], entry.place)
    atoms, rows = np.concatenate([near, far]), np.concatenate([np.full(len(near), -1), np.where(special, -1, 0)])
    found = NonbondedPart(
        terms=[main.term()],
        # No number of the file stands for this share: it is one, unless somebody asks what a change of it would do.
        blocks=[*main.blocks, scale_block(LENNARD_JONES, 1.0, fixed=True)],
        pairs={LENNARD_JONES: Pairs(atoms=atoms, rows=rows)},
    )
    if not special.any():
        return found
    close = _Rows(LENNARD_JONES_14)
    for name in present:
        entry = parameters.nonbonded[name,]
        if own[name]:
            close.add((name,), entry.values["rmin_half14"], entry.values["epsilon14"], entry.place)
        else:
            close.add((name,), entry.values["rmin_half"], entry.values["epsilon"], entry.place, tied=True)
    for entry in fixes.values():
        if "epsilon14" in entry.values:
            close.add(entry.types, 0.5 * entry.values["rmin14"], entry.values["epsilon14"], entry.place)
    return NonbondedPart(
        terms=[*found.terms, close.term(listed_only=True)],
        blocks=[*found.blocks, *close.blocks, scale_block(LENNARD_JONES_14, 1.0, fixed=True)],
        pairs={**found.pairs, LENNARD_JONES_14: Pairs(atoms=far[special], rows=np.zeros(int(special.sum()), dtype=np.int64))},
    )


def _special(first: str, second: str, own: dict[str, bool], parameters: CharmmParameters) -> bool:
    """Whether two types have numbers of their own three bonds apart; those of the pair come before those of each type."""
    fix = parameters.nbfix.get(key_of((first, second)))
    return own[first] or own[second] if fix is None else "epsilon14" in fix.values


class _Rows:
    """Rows of a Lennard-Jones term."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.types: list[TypeTuple] = []
        self.blocks: list[ParameterBlock] = []

    def add(self, types: TypeTuple, rmin_half: float, epsilon: float, place: str, *, tied: bool = False) -> None:
        """Numbers of one type, or of a pair; `tied` to those that the type has farther apart."""
        for spec, value in ((_RMIN_HALF, rmin_half), (_EPSILON, epsilon)):
            follows = plain(f"{LENNARD_JONES}.{join_types(types)}.{spec.name}") if tied else ""
            self.blocks.append(block_of(self.label, types, spec, len(self.types), value, place, follows=follows))
        self.types.append(types)

    def term(self, *, listed_only: bool = False) -> Term:
        """The term of these rows."""
        types = tuple(self.types)
        rows = {_RMIN_HALF.name: types, _EPSILON.name: types, SCALE.name: ((),)}
        return Term(form=LENNARD_JONES_RMIN, label=self.label, rows=rows, mixing="lorentz-berthelot", listed_only=listed_only)


def coulomb(psf: Psf, parameters: CharmmParameters) -> NonbondedPart:
    """Charges."""
    _, values = charge_types(psf)
    near, far = bonded_pairs(psf)
    blocks = [block_of(COULOMB, (name,), CHARGE, row, value, psf.where) for row, (name, value) in enumerate(values.items())]
    rows = {CHARGE.name: tuple((name,) for name in values), SCALE.name: ((),)}
    return NonbondedPart(
        terms=[Term(form=COULOMB_DIRECT, label=COULOMB, rows=rows)],
        blocks=[*blocks, scale_block(COULOMB, parameters.settings.get("e14fac", 1.0), fixed=False)],
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
