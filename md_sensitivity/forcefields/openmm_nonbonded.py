"""The NonbondedForce of a serialized OpenMM System: charges, Lennard-Jones numbers, and pairs with numbers of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.line_rows import LineRows
from md_sensitivity.forcefields.molecular_terms import pairs_of, tuples_of
from md_sensitivity.forcefields.nonbonded import Nonbonded
from md_sensitivity.forcefields.topology import Pairs, Tuples
from md_sensitivity.forcefields.xml_tree import Element
from md_sensitivity.potentials.base import COULOMB
from md_sensitivity.potentials.charges import CHARGE
from md_sensitivity.potentials.gb_obc2 import GB_OBC2
from md_sensitivity.potentials.lennard_jones import LENNARD_JONES
from md_sensitivity.potentials.listed_lennard_jones import LISTED_LENNARD_JONES
from md_sensitivity.potentials.particle_mesh import COULOMB_PME
from md_sensitivity.units import OPENMM

_METHODS = ("NoCutoff", "CutoffNonPeriodic", "CutoffPeriodic", "Ewald", "PME", "LJPME")
_READ = (0, 3, 4)
_ATTRIBUTES = (
    *("alpha", "cutoff", "dispersionCorrection", "ewaldTolerance", "exceptionsUsePeriodic", "forceGroup", "includeDirectSpace"),
    *("ljAlpha", "ljnx", "ljny", "ljnz", "method", "name", "nx", "ny", "nz", "recipForceGroup", "rfDielectric", "switchingDistance"),
    *("type", "useSwitchingFunction", "version"),
)
_SOLVENT_ATTRIBUTES = (
    *("cutoff", "forceGroup", "method", "name", "soluteDielectric", "solventDielectric", "surfaceAreaEnergy", "type", "version"),
)
_PROBE_RADIUS = 0.14
"""OpenMM's [nm]."""
GB_OBC2_WITH_CHARGES = replace(GB_OBC2, parameters=(CHARGE, *GB_OBC2.parameters))
"""With charges of its own, as a GBSAOBCForce has them."""
_DIGITS = 9
"""To which shares of products of charges agree that are one number: the file has the product, which is rounded itself."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BetweenAtoms:
    """What a NonbondedForce is to us.

    Attributes:
        rows: of each term.
        names: label → type of each atom.
        settings: cutoff, switch and dispersion correction as the file has them.
        periodic: whether it repeats.
    """

    rows: tuple[LineRows, ...]
    names: Mapping[str, tuple[str, ...]]
    pairs: Mapping[str, Pairs]
    tuples: Mapping[str, Tuples]
    settings: Nonbonded
    periodic: bool


def read_nonbonded(force: Element, symbols: Sequence[str], source: str) -> BetweenAtoms:
    """Terms between atoms that are not bonded.

    Exceptions without energy are pairs that do not interact. Of others the charges interact by a share of their product, one `scale14`
    for each share, and Lennard-Jones numbers are those of the pair, in a potential of its own.

    Args:
        symbols: name of the element of each particle.

    Raises:
        InputError: with line and reason.
    """
    force.require(_ATTRIBUTES, ("GlobalParameters", "ParticleOffsets", "ExceptionOffsets", "Particles", "Exceptions"))
    for section in force.children:
        if section.tag in ("GlobalParameters", "ParticleOffsets", "ExceptionOffsets") and section.children:
            raise InputError(f"{section.where}: parameters that change charges are not read; serialize the system without them")
    settings, periodic = _settings(force)
    numbers = _numbers(force, symbols)
    coulomb = LineRows(form=COULOMB_PME, label="Coulomb", units=OPENMM, source=source, options={COULOMB.name: 1.0})
    mixing = {"mixing": "lorentz-berthelot"}
    lennard_jones = LineRows(form=LENNARD_JONES, label="LennardJones", units=OPENMM, source=source, settings=mixing)
    listed = LineRows(form=LISTED_LENNARD_JONES, label="LennardJones14", units=OPENMM, source=source)
    names = {"LennardJones": _names(symbols, numbers[:, 1:]), "Coulomb": _names(symbols, numbers[:, :1])}
    for name, own in zip(names["Coulomb"], numbers.tolist(), strict=True):
        coulomb.row(name, (name,), {"q": own[0]}, force.where)
    for name, own in zip(names["LennardJones"], numbers.tolist(), strict=True):
        lennard_jones.row(name, (name,), {"sigma": own[1], "epsilon": own[2]}, force.where, idle=own[2] == 0.0)
    atoms: list[tuple[int, int]] = []
    scales: list[int] = []
    own_pairs: list[tuple[int, int]] = []
    own_rows: list[int] = []
    for item in (item for section in force.all("Exceptions") for item in section.children):
        item.require(("p1", "p2", "q", "sig", "eps"))
        pair = (item.whole("p1", most=len(symbols) - 1), item.whole("p2", most=len(symbols) - 1))
        if pair[0] == pair[1]:
            raise InputError(f"{item.where}: speaks of particle {pair[0]} and itself")
        share = _share(item, pair, numbers[:, 0])
        atoms.append(pair)
        scales.append(-1 if share == 0.0 else coulomb.scale(round(share, _DIGITS), share, item.where))
        sigma, epsilon = item.number("sig"), item.number("eps")
        if epsilon != 0.0:
            types = tuple(sorted(symbols[i] for i in pair))
            own_pairs.append(pair)
            own_rows.append(listed.row((types, sigma, epsilon), types, {"sigma": sigma, "epsilon": epsilon}, item.where))
    pairs = np.array(atoms, dtype=np.int64).reshape(-1, 2)
    if len(np.unique(np.sort(pairs, axis=1), axis=0)) < len(pairs):
        raise InputError(f"{force.where}: two exceptions speak of the same pair")
    return BetweenAtoms(
        rows=(lennard_jones, coulomb, *((listed,) if len(listed) else ())),
        names=names,
        pairs={"LennardJones": pairs_of(pairs, np.full(len(pairs), -1)), "Coulomb": pairs_of(pairs, np.array(scales))},
        tuples={"LennardJones14": tuples_of(own_pairs, own_rows, 2)} if len(listed) else {},
        settings=settings,
        periodic=periodic,
    )


def solvent_options(solute_dielectric: float, solvent_dielectric: float, surface_tension: float) -> dict[str, float]:
    """Options of an implicit solvent as OpenMM has it [1, 1, kJ/mol/nm²]."""
    return {
        "solute_dielectric": solute_dielectric,
        "solvent_dielectric": solvent_dielectric,
        "surface_tension": surface_tension,
        "probe_radius": _PROBE_RADIUS,
        COULOMB.name: OPENMM.coulomb / OPENMM.factor(COULOMB.energy, COULOMB.length),
    }


def read_solvent(force: Element, symbols: Sequence[str], source: str) -> tuple[LineRows, tuple[str, ...]]:
    """The rows of a GBSAOBCForce, and the type of each atom in it.

    Raises:
        InputError: with line and reason.
    """
    force.require(_SOLVENT_ATTRIBUTES, ("Particles",))
    if force.whole("method", most=2) != 0:
        raise InputError(f"{force.where}: an implicit solvent with a cutoff is not supported; take NoCutoff")
    numbers = _numbers(force, symbols, ("q", "r", "scale"))
    names = _names(symbols, numbers)
    known = (force.number("soluteDielectric"), force.number("solventDielectric"), force.number("surfaceAreaEnergy"))
    if min(known[:2]) <= 0.0 or known[2] < 0.0:
        raise InputError(f"{force.where}: dielectric constants must be > 0, and surfaceAreaEnergy ≥ 0")
    rows = LineRows(form=GB_OBC2_WITH_CHARGES, label="GBSA", units=OPENMM, source=source, options=solvent_options(*known))
    for name, own in zip(names, numbers.tolist(), strict=True):
        rows.row(name, (name,), {"q": own[0], "radius": own[1], "scale": own[2]}, force.where)
    return rows, names


def _settings(force: Element) -> tuple[Nonbonded, bool]:
    """Cutoff, switch and dispersion correction as the file has them, and whether the system repeats."""
    method = force.whole("method", most=len(_METHODS) - 1)
    if method not in _READ:
        known = ", ".join(_METHODS[i] for i in _READ)
        raise InputError(f"{force.where}: its method is {_METHODS[method]}; {known} are read")
    if force.attributes.get("includeDirectSpace", "1") != "1":
        raise InputError(f"{force.where}: leaves out the part of the sum in direct space, which is not supported")
    if method == 0:
        return Nonbonded(), False
    switched = force.attributes.get("useSwitchingFunction", "0") == "1"
    cutoff = force.number("cutoff")
    if cutoff <= 0.0 or (switched and not 0.0 <= force.number("switchingDistance") < cutoff):
        raise InputError(f"{force.where}: cutoff = {cutoff:g} must be > 0, and greater than the switching distance")
    return Nonbonded(
        cutoff=cutoff * OPENMM.length,
        switch_from=force.number("switchingDistance") * OPENMM.length if switched else None,
        dispersion_correction=force.attributes.get("dispersionCorrection", "1") == "1",
    ), True


def _numbers(force: Element, symbols: Sequence[str], columns: tuple[str, ...] = ("q", "sig", "eps")) -> np.ndarray:
    """Numbers of each particle, shape=(n, len(columns)); by default charge, σ and ε."""
    particles = [particle for section in force.all("Particles") for particle in section.children]
    if len(particles) != len(symbols):
        raise InputError(f"{force.where}: {len(particles)} particles, and the system has {len(symbols)}")
    for particle in particles:
        particle.require(columns)
    return np.array([[particle.number(name) for name in columns] for particle in particles])


def _names(symbols: Sequence[str], numbers: np.ndarray) -> tuple[str, ...]:
    """A type for each atom: its element, with a number where atoms of one element differ."""
    seen: dict[str, dict[tuple[float, ...], int]] = {}
    keys = [tuple(own) for own in numbers.tolist()]
    for symbol, key in zip(symbols, keys, strict=True):
        own = seen.setdefault(symbol, {})
        own.setdefault(key, len(own) + 1)
    return tuple(
        f"{symbol}{seen[symbol][key]}" if len(seen[symbol]) > 1 else symbol for symbol, key in zip(symbols, keys, strict=True)
    )


def _share(item: Element, pair: tuple[int, int], charges: np.ndarray) -> float:
    """Which share of the product of both charges an exception has."""
    product, full = item.number("q"), float(charges[pair[0]] * charges[pair[1]])
    if product == 0.0:
        return 0.0
    if full == 0.0:
        raise InputError(f"{item.where}: a product of charges, {product:g}, of particles without charge; give them their charges")
    return product / full
