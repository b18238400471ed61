"""What a prmtop says of pairs of atoms: Lennard-Jones coefficients, charges, exclusions and scales of pairs three bonds apart."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.amber_prmtop import Prmtop
from md_sensitivity.forcefields.line_rows import LineRows, unique_names
from md_sensitivity.forcefields.molecular_terms import LENNARD_JONES, coulomb_rows, lennard_jones_rows, pairs_of
from md_sensitivity.forcefields.topology import Pairs
from md_sensitivity.potentials import lennard_jones
from md_sensitivity.units import AMBER

_CHARGE_UNIT = 18.2223
"""AMBER's files hold charges multiplied by the root of its Coulomb constant."""
_MIXED = 1e-6
"""Coefficients of unlike pairs that follow the mixing rule, relatively; files have eight digits."""
_OLD_SCALES = {"SCEE_SCALE_FACTOR": 1.2, "SCNB_SCALE_FACTOR": 2.0}
"""What holds where an old file does not say."""
_CLOSE = "LENNARD_JONES_14"
_ANY_LENGTH = 1.0
"""σ of atoms that have no Lennard-Jones interaction, which the file does not tell [Å]."""


def type_rows(
    topology: Prmtop, count: int, types: Sequence[str], *, listed_only: bool = False
) -> tuple[LineRows, list[str]]:
    """Rows for each type that occurs, and for pairs that do not follow the rule of Lorentz and Berthelot; and the type of each atom.

    A type is named after the first atom that has it: AMBER's types share Lennard-Jones numbers.

    Args:
        listed_only: the numbers that CHARMM's topologies have for pairs three bonds apart.

    Raises:
        InputError: for interactions that are no Lennard-Jones.
    """
    where = topology.where
    if any(np.any(topology.reals(flag)) for flag in ("HBOND_ACOEF", "HBOND_BCOEF") if flag in topology):
        raise InputError(f"{where}: %FLAG HBOND_ACOEF: 10-12 interactions are not supported")
    flag = _CLOSE if listed_only else "LENNARD_JONES"
    index = topology.integers("ATOM_TYPE_INDEX", len(types))
    _require(np.all((index >= 1) & (index <= count)), topology, "ATOM_TYPE_INDEX", f"types are numbered from 1 to {count}")
    places = topology.integers("NONBONDED_PARM_INDEX", count * count).reshape(count, count)
    size = count * (count + 1) // 2
    repulsion, attraction = (topology.reals(f"{flag}_{letter}COEF", size) for letter in "AB")
    _require(np.all(np.abs(places) <= size), topology, "NONBONDED_PARM_INDEX", f"the tables have {size} entries")
    _require(np.all(places == places.T), topology, "NONBONDED_PARM_INDEX", "it is not symmetric")
    # Negative places, and zero, are those of the 10-12 tables, which hold zeros.
    a, b = (np.where(places > 0, table[np.abs(places) - 1], 0.0) for table in (repulsion, attraction))
    names = unique_names(index.tolist(), list(types))
    rows = lennard_jones_rows(lennard_jones.LENNARD_JONES, "lorentz-berthelot", AMBER, where, listed_only=listed_only)
    order = np.array([int(number) for number in names]) - 1  # type: ignore[call-overload]
    called = list(names.values())
    sigma, epsilon = (np.zeros(len(order)) for _ in range(2))
    for k, number in enumerate(order.tolist()):
        sigma[k], epsilon[k] = _sigma_epsilon(a[number, number], b[number, number], f"{where}: type {called[k]}")
        values = {"sigma": float(sigma[k]), "epsilon": float(epsilon[k])}
        rows.row((number,), (called[k],), values, f"{where}: {flag}_ACOEF of {called[k]}", idle=not epsilon[k])
    a, b = a[np.ix_(order, order)], b[np.ix_(order, order)]
    sixth = (0.5 * (sigma[:, None] + sigma)) ** 6
    expected = 4.0 * np.sqrt(epsilon[:, None] * epsilon) * sixth
    other = (np.abs(a - expected * sixth) > _MIXED * np.abs(a)) | (np.abs(b - expected) > _MIXED * np.abs(b))
    for i, j in np.argwhere(np.triu(other, 1)).tolist():
        pair = (called[i], called[j])
        own = _sigma_epsilon(a[i, j], b[i, j], f"{where}: types {' and '.join(pair)}")
        values = dict(zip(("sigma", "epsilon"), own, strict=True))
        rows.row(pair, pair, values, f"{where}: {flag}_ACOEF of {' and '.join(pair)}", idle=not own[1])
    return rows, [names[number] for number in index.tolist()]


def _sigma_epsilon(a: float, b: float, place: str) -> tuple[float, float]:
    """σ [Å] and ε [kcal/mol] of A/r¹² − B/r⁶."""
    if a == 0 and b == 0:
        return _ANY_LENGTH, 0.0
    if not (a > 0 and b > 0):
        raise InputError(f"{place}: A = {a:g} and B = {b:g} of A/r¹² − B/r⁶ must both be positive, or both zero")
    return float((a / b) ** (1 / 6)), float(b * b / (4.0 * a))


def charge_rows(topology: Prmtop, names: Sequence[str], residues: Sequence[str]) -> tuple[LineRows, list[str]]:
    """A row for each charge of each atom of each residue, by name, and which row each atom has, by name."""
    values = topology.reals("CHARGE", len(names))
    rows = coulomb_rows(AMBER, topology.where)
    labels = [f"{residue}:{name}" for residue, name in zip(residues, names, strict=True)]
    keys: list[Hashable] = list(zip(labels, values.tolist(), strict=True))
    called = unique_names(keys, labels)
    for key, name in called.items():
        rows.row(key, (name,), {"q": key[1] / _CHARGE_UNIT}, f"{topology.where}: CHARGE of {name}")  # type: ignore[index]
    return rows, [called[key] for key in keys]


def listed_pairs(
    topology: Prmtop, quadruples: np.ndarray, entries: int, of_types: LineRows, charges: LineRows, close: LineRows | None
) -> dict[str, Pairs]:
    """Pairs that are no neighbors: those that the file excludes, with a scale where a torsion joins them.

    Args:
        quadruples: atoms of torsions, with their signs, and their entries, shape=(m, 5).
        entries: size of the tables of torsions.
        of_types, charges: get the rows of scales.
        close: gets those of Lennard-Jones where pairs three bonds apart have numbers of their own.
    """
    excluded = _excluded(topology)
    count = int(topology.integers("POINTERS")[0])
    ends = quadruples[(quadruples[:, 2] >= 0) & (quadruples[:, 3] >= 0)]
    pairs = np.sort(ends[:, [0, 3]], axis=1)
    codes = pairs[:, 0] * count + pairs[:, 1]
    excluded_codes = excluded[:, 0] * count + excluded[:, 1]
    strange = ~np.isin(codes, excluded_codes)
    if np.any(strange):
        first, last = (pairs[strange][0] + 1).tolist()
        raise InputError(
            f"{topology.where}: atoms {first} and {last} are ends of a torsion, but not in EXCLUDED_ATOMS_LIST; the topology is damaged"
        )
    unique, firsts, inverse = np.unique(codes, return_index=True, return_inverse=True)
    found = {}
    scaled = np.searchsorted(excluded_codes, unique)
    for rows, flag in ((close or of_types, "SCNB_SCALE_FACTOR"), (charges, "SCEE_SCALE_FACTOR")):
        old = np.full(entries, _OLD_SCALES[flag])
        divisors = (topology.reals(flag, entries) if flag in topology else old)[ends[:, 4]]
        _require(np.all(divisors > 0), topology, flag, "divisors of pairs that a torsion joins must be positive")
        _require(np.all(divisors == divisors[firsts][inverse.reshape(-1)]), topology, flag, "two torsions differ about the same pair")
        place = f"{topology.where}: {flag}"
        of_pairs = [rows.scale(divisor, 1.0 / divisor, place, fixed=rows is close) for divisor in divisors[firsts].tolist()]
        if rows is close:
            found[LENNARD_JONES] = pairs_of(excluded, np.full(len(excluded), -1))
            found[rows.label] = pairs_of(excluded[scaled], np.array(of_pairs, dtype=np.int64))
        else:
            scales = np.full(len(excluded), -1, dtype=np.int64)
            scales[scaled] = of_pairs
            found[rows.label] = pairs_of(excluded, scales)
    return found


def _excluded(topology: Prmtop) -> np.ndarray:
    """Pairs of the list of excluded atoms, from 0, the lower first, each once and in order, shape=(m, 2)."""
    sizes = topology.integers("POINTERS")
    count, listed = int(sizes[0]), int(sizes[10])
    counts = topology.integers("NUMBER_EXCLUDED_ATOMS", count)
    partners = topology.integers("EXCLUDED_ATOMS_LIST", listed)
    _require(np.all(counts >= 0) and counts.sum() == listed, topology, "NUMBER_EXCLUDED_ATOMS", f"the list has {listed} entries")
    _require(np.all((partners >= 0) & (partners <= count)), topology, "EXCLUDED_ATOMS_LIST", f"atoms are numbered from 1 to {count}")
    pairs = np.stack([np.repeat(np.arange(count), counts), partners - 1], axis=1)[partners > 0]
    _require(np.all(pairs[:, 0] != pairs[:, 1]), topology, "EXCLUDED_ATOMS_LIST", "an atom is excluded from itself")
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _require(fits: bool | np.bool_, topology: Prmtop, flag: str, reason: str) -> None:
    if not fits:
        raise InputError(f"{topology.where}: %FLAG {flag}: {reason}; the topology is damaged")
