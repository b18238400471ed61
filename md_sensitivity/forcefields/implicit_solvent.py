"""Implicit solvent for molecular force fields: radii of the file where it has them, else by element as in AMBER's set `mbondi2`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from ase.data import chemical_symbols

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.bonding import neighbors_of
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.fixed_topology import FixedTopology
from md_sensitivity.forcefields.line_rows import LineRows
from md_sensitivity.forcefields.table import ParameterTable
from md_sensitivity.forcefields.topology import Assignment, Typing
from md_sensitivity.potentials.base import COULOMB
from md_sensitivity.potentials.gb_obc2 import GB_OBC2
from md_sensitivity.types import Structure
from md_sensitivity.units import KILOJOULE_PER_MOLE

LABEL = "GBSA"
_RADII: Mapping[str, tuple[float, float]] = {
    "H": (1.2, 0.85),
    "H(N)": (1.3, 0.85),
    "C": (1.7, 0.72),
    "N": (1.55, 0.79),
    "O": (1.5, 0.85),
    "F": (1.5, 0.88),
    "Si": (2.1, 0.8),
    "P": (1.85, 0.86),
    "S": (1.8, 0.96),
    "Cl": (1.7, 0.8),
    "other": (1.5, 0.8),
}
"""Radius [Å] and scale. Source: Onufriev, Bashford and Case, doi:10.1002/prot.20033, and AMBER's tleap."""
_SURFACE_TENSION = 2.25936 * KILOJOULE_PER_MOLE / 100.0
"""[eV/Å²]; OpenMM's, doi:10.1371/journal.pcbi.1005659."""
_PROBE = 1.4
"""[Å]"""


@dataclass(frozen=True, kw_only=True, eq=False)
class SolvatedTyping:
    """A typing that also tells the radii of atoms.

    Attributes:
        typing: of the molecules.
        types: which radius each atom has, where the file says so; None for that of its element.
    """

    typing: Typing
    types: tuple[str, ...] | None = None

    def __call__(self, structure: Structure) -> Assignment:
        """The assignment with radii; atoms that differ in them are of different kinds."""
        return _solvated(self, structure)


@lru_cache(maxsize=8)
def _solvated(typing: SolvatedTyping, structure: Structure) -> Assignment:
    found = typing.typing(structure)
    types = radius_types(structure) if typing.types is None else typing.types
    pairs = list(zip(np.asarray(found.kinds).tolist(), types, strict=True))
    kinds = {pair: k for k, pair in enumerate(dict.fromkeys(pairs))}
    return replace(
        found,
        kinds=np.array([kinds[pair] for pair in pairs], dtype=np.int64),
        species=tuple(found.species[kind] for kind, _ in kinds),
        names={label: tuple(names[kind] for kind, _ in kinds) for label, names in found.names.items()}
        | {LABEL: tuple(of_radius for _, of_radius in kinds)},
    )


def radius_types(structure: Structure) -> list[str]:
    """Which radius each atom has: its element, of hydrogen also whether nitrogen has it."""
    near = neighbors_of(structure.size, structure.bonds)
    found = []
    for atom, symbol in enumerate(structure.symbols):
        if symbol == "X":
            raise InputError(
                f"{structure.path or structure.name}: atom {atom} is no element, and an implicit solvent takes radii by element"
            )
        bound = [structure.symbols[other] for other in near[atom]]
        found.append("H(N)" if symbol == "H" and bound[:1] == ["N"] else symbol if symbol in _RADII else "other")
    return found


def radii_of(typing: Typing) -> tuple[Mapping[str, tuple[float, float]], tuple[str, ...] | None]:
    """Radii [Å] and scales by type, and the type of each atom where the file has numbers of its own (RADII and SCREEN of a prmtop)."""
    if not isinstance(typing, FixedTopology) or not {"radii", "screen"} <= typing.of_atoms.keys():
        return _RADII, None
    radii, scales = typing.of_atoms["radii"], typing.of_atoms["screen"]
    if not np.all(radii > 0):
        return _RADII, None
    known: dict[tuple[int, float, float], str] = {}
    count: dict[str, int] = {}
    types = []
    for key in zip(typing.numbers.tolist(), radii.tolist(), scales.tolist(), strict=True):
        if key not in known:
            symbol = chemical_symbols[key[0]]
            count[symbol] = count.get(symbol, 0) + 1
            known[key] = f"{symbol}{count[symbol]}"
        types.append(known[key])
    return {name: key[1:] for key, name in known.items()}, tuple(types)


def solvated(
    force_field: ForceField, charges: str, constant: float, *, solute_dielectric: float, solvent_dielectric: float
) -> ForceField:
    """A molecular force field in an implicit solvent.

    Args:
        charges: label of the potential whose charges are screened.
        constant: e²/(4πε₀) in the file's units.
    """
    units = force_field.units
    assert force_field.typing is not None
    radii, of_atoms = radii_of(force_field.typing)
    rows = LineRows(
        form=GB_OBC2,
        label=LABEL,
        units=units,
        source=force_field.name,
        options={
            "solute_dielectric": solute_dielectric,
            "solvent_dielectric": solvent_dielectric,
            "surface_tension": _SURFACE_TENSION / units.factor(1, -2),
            "probe_radius": _PROBE / units.factor(0, 1),
            COULOMB.name: constant,
        },
        by_parameter=True,
        settings={"borrowed": {"q": (charges, "q")}},
    )
    for name, (radius, scale) in radii.items():
        rows.row(name, (name,), {"radius": round(radius / units.factor(0, 1), 12), "scale": round(scale, 12)}, f"{LABEL} of {name}")
    term, blocks = rows.finished()
    table = ParameterTable(blocks=(*force_field.table.blocks, *blocks), groups=force_field.table.groups)
    return replace(
        force_field,
        terms=(*force_field.terms, term),
        table=table,
        parameters=table.tree,
        typing=SolvatedTyping(typing=force_field.typing, types=of_atoms),
    )
