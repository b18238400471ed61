"""Bonded forces of a serialized OpenMM System: lists of atoms with numbers, of which those alike share a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation
from md_sensitivity.forcefields.line_rows import LineRows
from md_sensitivity.forcefields.molecular_terms import Interactions, bonded_rows
from md_sensitivity.forcefields.openmm_lines import HARMONIC_TORSION_ENERGY
from md_sensitivity.forcefields.xml_tree import Element
from md_sensitivity.potentials.cmap import CMAP
from md_sensitivity.units import OPENMM

FORCE_ATTRIBUTES = ("forceGroup", "name", "type", "usesPeriodic", "version")
_ATOMS = ("p1", "p2", "p3", "p4")


class BondedForces:
    """Bonded forces, as they are read."""

    def __init__(self, masses: np.ndarray, numbers: np.ndarray, source: str) -> None:
        from ase.data import chemical_symbols

        self.masses, self.numbers, self.source = masses, numbers, source
        # Without an element, a mass is as good a name as any.
        self.symbols = tuple(
            chemical_symbols[number] if number else f"m{mass:.6g}" for number, mass in zip(numbers.tolist(), masses.tolist(), strict=True)
        )
        self.rows: dict[str, LineRows] = {}
        self.interactions = Interactions()
        self.known: dict[str, Callable[[Element], None]] = {
            "HarmonicBondForce": self.bonds_of,
            "HarmonicAngleForce": self.angles_of,
            "PeriodicTorsionForce": self.torsions_of,
            "RBTorsionForce": self.rb_torsions_of,
            "CustomTorsionForce": self.impropers_of,
            "CMAPTorsionForce": self.maps_of,
        }

    def bonds_of(self, force: Element) -> None:
        for item in _items(force, "Bonds", "Bond", ("k", "d"), 2):
            self.add("HarmonicBond", item, ("p1", "p2"), {"k": item.number("k"), "r0": item.number("d")})

    def angles_of(self, force: Element) -> None:
        for item in _items(force, "Angles", "Angle", ("k", "a"), 3):
            self.add("HarmonicAngle", item, _ATOMS[:3], {"k": item.number("k"), "theta0": item.number("a")})

    def torsions_of(self, force: Element) -> None:
        for item in _items(force, "Torsions", "Torsion", ("k", "phase", "periodicity"), 4):
            values = {"k": item.number("k"), "phase": item.number("phase"), "n": item.whole("periodicity", most=1000)}
            self.add("PeriodicTorsion", item, _ATOMS, values)

    def rb_torsions_of(self, force: Element) -> None:
        names = tuple(f"c{i}" for i in range(6))
        for item in _items(force, "Torsions", "Torsion", names, 4):
            self.add("RBTorsion", item, _ATOMS, {name: item.number(name) for name in names})

    def impropers_of(self, force: Element) -> None:
        sections = ("PerTorsionParameters", "GlobalParameters", "EnergyParameterDerivatives", "TabulatedFunctions", "Torsions")
        force.require((*FORCE_ATTRIBUTES, "energy"), sections)
        names = [element.said("name") for section in force.all("PerTorsionParameters") for element in section.children]
        others = [section for section in force.children if section.tag in sections[1:4] and section.children]
        if "".join(force.said("energy").split()) != HARMONIC_TORSION_ENERGY or sorted(names) != ["k", "theta0"] or others:
            raise InputError(
                f"{force.where}: energy = {quotation(force.said('energy'))}: of a CustomTorsionForce only {HARMONIC_TORSION_ENERGY} "
                "with the parameters k and theta0 is read"
            )
        columns = tuple(f"param{i + 1}" for i in range(2))
        for item in (item for section in force.all("Torsions") for item in section.children):
            item.require((*_ATOMS, *columns))
            values = {"phi0" if name == "theta0" else name: item.number(key) for name, key in zip(names, columns, strict=True)}
            if values["phi0"] != 0.0:
                raise InputError(f"{item.where}: theta0 is not 0, where the energy of {HARMONIC_TORSION_ENERGY} jumps at 180° from it")
            self.add("HarmonicImproper", item, _ATOMS, values)

    def maps_of(self, force: Element) -> None:
        force.require(FORCE_ATTRIBUTES, ("Maps", "Torsions"))
        maps = [element for section in force.all("Maps") for element in section.children]
        grids = [_grid(element) for element in maps]
        columns = tuple(f"{end}{i + 1}" for end in "ab" for i in range(4))
        for item in (item for section in force.all("Torsions") for item in section.children):
            item.require((*columns, "map"))
            number = item.whole("map", most=len(maps) - 1)
            size = grids[number].shape[0]
            label = "CMAP" if "CMAP" not in self.rows or self.rows["CMAP"].options["size"] == size else f"CMAP{size}"
            values = {"scale": 1.0, "energy": grids[number].reshape(-1)}
            self.add(label, item, columns, values, map_size=size, key=number, factor=1.0)

    def add(
        self,
        label: str,
        item: Element,
        columns: Sequence[str],
        values: Mapping[str, Any],
        *,
        key: int | None = None,
        factor: float | None = None,
        map_size: int | None = None,
    ) -> None:
        """One interaction, in the row of those with the same elements and numbers."""
        atoms = tuple(item.whole(column, most=len(self.symbols) - 1) for column in columns)
        if len(set(atoms[:4])) < min(len(atoms), 4):
            raise InputError(f"{item.where}: an atom twice among {', '.join(map(str, atoms))}")
        types = tuple(self.symbols[atom] for atom in atoms)
        types = min(types, types[::-1]) if key is None else types
        if label not in self.rows:
            form = None if map_size is None else CMAP
            whole = 1.0 if label == "HarmonicImproper" else 0.5
            self.rows[label] = bonded_rows(label, OPENMM, self.source, factor=factor or whole, map_size=map_size, form=form)
        row = self.rows[label].row((types, tuple(values.values())) if key is None else key, types, values, item.where)
        self.interactions.add(label, atoms, row)

    @property
    def bonds(self) -> np.ndarray:
        """Pairs of atoms with a harmonic bond, the lower one first, shape=(m, 2)."""
        atoms = self.interactions.lists.get("HarmonicBond", ([], []))[0]
        return np.unique(np.sort(np.array(atoms, dtype=np.int64).reshape(-1, 2), axis=1), axis=0)


def _items(force: Element, section: str, tag: str, names: Sequence[str], count: int) -> Iterator[Element]:
    """Interactions of a force, their attributes checked."""
    force.require(FORCE_ATTRIBUTES, (section,))
    for element in force.children:
        element.require((), (tag,))
        for item in element.children:
            item.require((*_ATOMS[:count], *names))
            yield item


def _grid(element: Element) -> np.ndarray:
    """A map in the order of the form: from −180°, the first angle slowest; in the file it is from 0, the first angle fastest."""
    element.require(("size",), ("Energy",))
    size = element.whole("size", least=4, most=1000)
    values = np.array([value.number("e") for value in element.children])
    if size % 2 or len(values) != size * size:
        raise InputError(f"{element.where}: {len(values)} values; a map is {size} × {size} numbers, with an even size")
    half = size // 2
    return np.ascontiguousarray(np.roll(values.reshape(size, size), (half, half), axis=(0, 1)).T)
