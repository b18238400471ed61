"""Force fields whose lines can be changed one by one, made into systems by OpenMM's own readers. Nothing here imports md_sensitivity."""

from __future__ import annotations

import copy
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import openmm
from openmm import app, unit

FORCES: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "HarmonicBondForce": {"Bond": ("HarmonicBond", {"k": "k", "length": "r0"})},
    "HarmonicAngleForce": {"Angle": ("HarmonicAngle", {"k": "k", "angle": "theta0"})},
    "AmoebaUreyBradleyForce": {"UreyBradley": ("UreyBradley", {"k": "k", "d": "r0"})},
    "PeriodicTorsionForce": {"Proper": ("PeriodicTorsion", {}), "Improper": ("PeriodicImproper", {})},
    "CustomTorsionForce": {"Improper": ("HarmonicImproper", {"k": "k", "theta0": "phi0"})},
    "NonbondedForce": {"Atom": ("LennardJones", {"sigma": "sigma", "epsilon": "epsilon", "charge": "q"})},
    "LennardJonesForce": {"Atom": ("LennardJones", {"sigma": "sigma", "epsilon": "epsilon", "sigma14": "sigma", "epsilon14": "epsilon"})},
}
"""Tags of OpenMM → names of rows, attribute by attribute."""


class Model(Protocol):
    """A force field for one molecule, whose rows have names."""

    def value(self, name: str) -> float:
        """What the file says."""

    def system(self, name: str = "", value: float = 0.0) -> Any:
        """The system, of the file as it is or with one line changed."""


@dataclass(frozen=True)
class Line:
    """One number of an XML file: path to its element, attribute; or all numbers of a map, which are scaled."""

    path: tuple[int, ...]
    attribute: str


def _joined(types: Sequence[str]) -> str:
    names = [name or "X" for name in types]
    hyphens = any("-" in name for name in names)
    return ("~" if hyphens and len(names) == 1 else "") + ("~" if hyphens else "-").join(names)


def _types(element: ET.Element) -> list[str]:
    """Types or classes of a line, in their order."""
    found = [(key, value) for key, value in element.items() if re.fullmatch(r"(type|class)\d?", key)]
    return [value for _, value in sorted(found, key=lambda item: item[0][-1])]


def lines_of(root: ET.Element) -> dict[str, Line]:
    """Every number of a force field by name; numbers of lines that OpenMM passes over, because charges are those of residues, are not."""
    found: dict[str, Line] = {}

    def put(label: str, types: str, parameter: str, path: tuple[int, ...], attribute: str, mark: str = "") -> None:
        name = f"{label}.{types}.{parameter}{mark}" if types else f"{label}.{parameter}"
        found.setdefault(name, Line(path, attribute))

    of_residues = any(element.get("name") == "charge" for element in root.iter("UseAttributeFromResidue"))
    unequal = any(force.tag == "LennardJonesForce" for force in root)
    for i, force in enumerate(root):
        if force.tag == "Residues" and of_residues:
            for j, residue in enumerate(force):
                for k, atom in enumerate(residue):
                    if atom.tag == "Atom":
                        put("Coulomb", f"{residue.get('name')}:{atom.get('name')}", "q", (i, j, k), "charge")
        if force.tag == "NonbondedForce":
            put("Coulomb", "", "scale14", (i,), "coulomb14scale")
        if force.tag == ("LennardJonesForce" if unequal else "NonbondedForce"):
            put("LennardJones14" if unequal else "LennardJones", "", "scale14", (i,), "lj14scale")
        seen: dict[tuple[str, str], int] = {}
        for j, element in enumerate(force):
            if force.tag == "CMAPTorsionForce" and element.tag == "Torsion":
                place = [k for k, one in enumerate(force) if one.tag == "Map"][int(element.get("map", "0"))]
                put("CMAP", _joined(_types(element)), "scale", (i, place), "")
            if element.tag not in FORCES.get(force.tag, {}):
                continue
            label, attributes = FORCES[force.tag][element.tag]
            types = _joined(_types(element))
            seen[label, types] = count = seen.get((label, types), 0) + 1
            mark = f"#{count}" if count > 1 else ""
            if "periodicity1" in element.attrib:
                attributes = {key: key for key in element.attrib if re.fullmatch(r"(k|phase)\d", key)}
            for attribute, parameter in attributes.items():
                if attribute not in element.attrib or (attribute == "charge" and of_residues):
                    continue
                if unequal and force.tag == "NonbondedForce" and parameter != "q":
                    continue
                own = "Coulomb" if parameter == "q" else label + ("14" if attribute.endswith("14") else "")
                put(own, types, parameter, (i, j), attribute, mark)
    return found


def pruned(root: ET.Element, residues: Sequence[str]) -> ET.Element:
    """The same force field for some residues alone: lines of other types, patches and scripts are left out."""
    root = copy.deepcopy(root)
    templates = root.find("Residues")
    for residue in list(templates):
        if residue.get("name") not in residues:
            templates.remove(residue)
        for child in list(residue):
            if child.tag in ("AllowPatch", "VirtualSite"):
                residue.remove(child)
    names = {atom.get("type") for atom in templates.iter("Atom")}
    classes = {kind.get("class") for kind in root.find("AtomTypes") if kind.get("name") in names}
    for section in list(root):
        if section.tag in ("Patches", "InitializationScript", "Script", "Info", "Include"):
            root.remove(section)
            continue
        for element in list(section):
            used = {"name": names, "type": names, "class": classes} if section.tag == "AtomTypes" else {"type": names, "class": classes}
            for key, value in element.items():
                kind = key.rstrip("12345678")
                if kind in used and (kind != "name" or section.tag == "AtomTypes") and value and value not in used[kind]:
                    section.remove(element)
                    break
        if section.tag == "CMAPTorsionForce":
            maps = [element for element in section if element.tag == "Map"]
            wanted = sorted({int(element.get("map", "0")) for element in section if element.tag == "Torsion"})
            for number, element in enumerate(maps):
                if number not in wanted:
                    section.remove(element)
            for element in section.iter("Torsion"):
                element.set("map", str(wanted.index(int(element.get("map", "0")))))
    return root


@dataclass(frozen=True)
class XmlModel:
    """An OpenMM force field.

    Attributes:
        finish: what is done to a system when it is made.
    """

    root: ET.Element
    topology: Any
    finish: Callable[[Any], None] = lambda system: None

    @property
    def lines(self) -> Mapping[str, Line]:
        return lines_of(self.root)

    def _element(self, root: ET.Element, line: Line) -> ET.Element:
        for index in line.path:
            root = root[index]
        return root

    def value(self, name: str) -> float:
        line = self.lines[name]
        return float(self._element(self.root, line).get(line.attribute)) if line.attribute else 1.0

    def system(self, name: str = "", value: float = 0.0) -> Any:
        root = self.root
        if name:
            line = self.lines[name]
            root = copy.deepcopy(root)
            element = self._element(root, line)
            if line.attribute:
                element.set(line.attribute, repr(float(value)))
            else:
                element.text = " ".join(repr(float(word) * float(value)) for word in element.text.split())
        field = app.ForceField(io.StringIO(ET.tostring(root, encoding="unicode")))
        system = field.createSystem(self.topology, nonbondedMethod=app.NoCutoff, rigidWater=False, removeCMMotion=False)
        self.finish(system)
        return system


@dataclass(frozen=True)
class SolvatedModel:
    """A model in OpenMM's GBSAOBCForce.

    Attributes:
        kinds: of each atom, as radii go.
        numbers: kind → radius [Å] and scale; rows are `GBSA.C.radius` and `GBSA.C.scale`.
    """

    inner: Model
    kinds: tuple[str, ...]
    numbers: Mapping[str, tuple[float, float]]
    solvent_dielectric: float = 78.5

    def value(self, name: str) -> float:
        if not name.startswith("GBSA."):
            return self.inner.value(name)
        _, kind, parameter = name.split(".")
        return self.numbers[kind][("radius", "scale").index(parameter)] / (10.0 if parameter == "radius" else 1.0)

    def system(self, name: str = "", value: float = 0.0) -> Any:
        own = name.startswith("GBSA.")
        system = self.inner.system() if own else self.inner.system(name, value)
        charges = next(force for force in system.getForces() if isinstance(force, openmm.NonbondedForce))
        force = openmm.GBSAOBCForce()
        force.setSolventDielectric(self.solvent_dielectric)
        force.setSoluteDielectric(1.0)
        for atom, kind in enumerate(self.kinds):
            radius, scale = self.numbers[kind][0] / 10.0, self.numbers[kind][1]
            if name == f"GBSA.{kind}.radius":
                radius = value
            if name == f"GBSA.{kind}.scale":
                scale = value
            force.addParticle(charges.getParticleParameters(atom)[0], radius, scale)
        system.addForce(force)
        return system


@dataclass(frozen=True)
class TopModel:
    """A GROMACS topology; rows are (section, first words of the line, place of the word)."""

    path: Path
    rows: Mapping[str, tuple[str, tuple[str, ...], int]]

    def _edited(self, name: str, value: float | None) -> tuple[str, float]:
        section, key, place = self.rows[name]
        lines, inside, found = self.path.read_text().splitlines(), "", []
        for number, line in enumerate(lines):
            words = line.split(";")[0].split()
            if words and words[0] == "[":
                inside = words[1]
            elif inside == section and tuple(words[: len(key)]) == key:
                found.append(float(words[place]))
                lines[number] = " ".join([*words[:place], repr(float(found[-1] if value is None else value)), *words[place + 1 :]])
        assert len(found) == 1, name
        return "\n".join(lines) + "\n", found[0]

    def value(self, name: str) -> float:
        return self._edited(name, None)[1]

    def system(self, name: str = "", value: float = 0.0) -> Any:
        import tempfile

        text = self._edited(name, value)[0] if name else self.path.read_text()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "changed.top"
            path.write_text(text)
            top = app.GromacsTopFile(str(path))
        return top.createSystem(nonbondedMethod=app.NoCutoff, constraints=None, rigidWater=False, removeCMMotion=False)


_PAIRS = {"BOND": 3, "ANGLE": 4, "DIHEDRAL": 5}
"""Words of one entry of AMBER's lists."""


@dataclass(frozen=True)
class PrmtopModel:
    """An AMBER topology; rows are (flag, atoms): the entry of the table that a bond, an angle, a torsion or an atom uses.

    Several entries of one torsion are told apart by the third: which of them, in the order of the file. `SCEE` and `SCNB` speak of all
    entries, `LJ` of the numbers of the atom's type.
    """

    path: Path
    rows: Mapping[str, tuple[str, tuple[int, ...], int]]

    def _read(self) -> tuple[Any, dict[str, list[str]]]:
        file = app.AmberPrmtopFile(str(self.path))
        return file, file._prmtop._raw_data

    def _entry(self, data: dict[str, list[str]], flag: str, atoms: tuple[int, ...], which: int) -> int:
        kind = flag.split("_")[0]
        if kind == "CHARGE":
            return atoms[0]
        width, found = _PAIRS[kind], []
        for end in ("INC_HYDROGEN", "WITHOUT_HYDROGEN"):
            words = [int(word) for word in data[f"{kind}S_{end}"]]
            for start in range(0, len(words), width):
                entry = words[start : start + width]
                places = tuple(abs(word) // 3 for word in entry[:-1])
                if atoms in (places, places[::-1]):
                    found.append(entry[-1] - 1)
        return found[which]

    def _sizes(self, data: dict[str, list[str]], atom: int) -> tuple[float, float, int]:
        """σ [Å], ε [kcal/mol] and type of an atom."""
        kind = int(data["ATOM_TYPE_INDEX"][atom])
        count = int(data["POINTERS"][1])
        place = int(data["NONBONDED_PARM_INDEX"][(kind - 1) * (count + 1)]) - 1
        a, b = float(data["LENNARD_JONES_ACOEF"][place]), float(data["LENNARD_JONES_BCOEF"][place])
        return (a / b) ** (1 / 6), b * b / (4 * a), kind

    def value(self, name: str) -> float:
        flag, atoms, which = self.rows[name]
        data = self._read()[1]
        if flag in ("SCEE_SCALE_FACTOR", "SCNB_SCALE_FACTOR"):
            return 1.0 / max(float(word) for word in data[flag])
        if flag.startswith("LJ_"):
            return self._sizes(data, atoms[0])[("LJ_SIGMA", "LJ_EPSILON").index(flag)]
        return float(data[flag][self._entry(data, flag, atoms, which)]) / (18.2223 if flag == "CHARGE" else 1.0)

    def system(self, name: str = "", value: float = 0.0) -> Any:
        file, data = self._read()
        if name:
            self._change(data, *self.rows[name], float(value))
            for kept in set(vars(file._prmtop)) - {"_prmtopVersion", "_flags", "_raw_format", "_raw_data", "_has_nbfix_terms", "chamber"}:
                delattr(file._prmtop, kept)  # what OpenMM read before the change
        return file.createSystem(nonbondedMethod=app.NoCutoff, constraints=None, rigidWater=False, removeCMMotion=False)

    def _change(self, data: dict[str, list[str]], flag: str, atoms: tuple[int, ...], which: int, value: float) -> None:
        if flag in ("SCEE_SCALE_FACTOR", "SCNB_SCALE_FACTOR"):
            data[flag] = [repr(1.0 / value) if float(word) else word for word in data[flag]]
        elif flag.startswith("LJ_"):
            count = int(data["POINTERS"][1])
            sizes = {}
            for atom in range(len(data["ATOM_TYPE_INDEX"])):
                sigma, epsilon, kind = self._sizes(data, atom)
                sizes[kind] = (sigma, epsilon)
            kind = int(data["ATOM_TYPE_INDEX"][atoms[0]])
            sizes[kind] = (value, sizes[kind][1]) if flag == "LJ_SIGMA" else (sizes[kind][0], value)
            for other, (sigma, epsilon) in sizes.items():
                mean, depth = (sizes[kind][0] + sigma) / 2, (sizes[kind][1] * epsilon) ** 0.5
                place = int(data["NONBONDED_PARM_INDEX"][(kind - 1) * count + other - 1]) - 1
                data["LENNARD_JONES_ACOEF"][place] = repr(4 * depth * mean**12)
                data["LENNARD_JONES_BCOEF"][place] = repr(4 * depth * mean**6)
        else:
            data[flag][self._entry(data, flag, atoms, which)] = repr(value * (18.2223 if flag == "CHARGE" else 1.0))


def periodic_water(edges: Sequence[float], cutoff: float, switch_from: float) -> Callable[[Any], None]:
    """Makes a system periodic [nm]: Lennard-Jones switched off, charges by plain Ewald sums far beyond double precision of the forces."""

    def finish(system: Any) -> None:
        vectors = [openmm.Vec3(*(edge if k == axis else 0.0 for k in range(3))) for axis, edge in enumerate(edges)]
        system.setDefaultPeriodicBoxVectors(*(vector * unit.nanometer for vector in vectors))
        force = next(force for force in system.getForces() if isinstance(force, openmm.NonbondedForce))
        force.setNonbondedMethod(openmm.NonbondedForce.Ewald)
        force.setCutoffDistance(cutoff)
        force.setUseSwitchingFunction(True)
        force.setSwitchingDistance(switch_from)
        force.setUseDispersionCorrection(True)
        force.setEwaldErrorTolerance(1e-13)

    return finish
