"""OpenMM's XML → ForceField: force-field files, whose lines OpenMM assigns to a structure, and serialized systems.

Parameters are the numbers of the files' lines, in kJ/mol, nm and rad.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from md_sensitivity.errors import InputError
from md_sensitivity.files import printable, shown
from md_sensitivity.forcefields.data import ForceField
from md_sensitivity.forcefields.expressions import plain
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.forcefields.line_rows import Line, LineRows, force_field_of_rows
from md_sensitivity.forcefields.nonbonded import Nonbonded, applied
from md_sensitivity.forcefields.openmm_atoms import AtomLines, ChargeLines, atom_lines, charge_lines, pair_lines
from md_sensitivity.forcefields.openmm_files import located, parsed, with_includes
from md_sensitivity.forcefields.openmm_lines import Lines
from md_sensitivity.forcefields.openmm_nonbonded import GB_OBC2_WITH_CHARGES, solvent_options
from md_sensitivity.forcefields.openmm_rules import Rules, document_of, read_rules
from md_sensitivity.forcefields.openmm_system import system_force_field
from md_sensitivity.forcefields.openmm_typing import OpenMMTyping
from md_sensitivity.forcefields.table import join_types
from md_sensitivity.potentials.base import Form, Options
from md_sensitivity.potentials.cmap import CMAP
from md_sensitivity.potentials.gb_obc2 import GB_OBC2
from md_sensitivity.potentials.harmonic_angle import HARMONIC_ANGLE
from md_sensitivity.potentials.harmonic_bond import HARMONIC_BOND, UREY_BRADLEY
from md_sensitivity.potentials.lennard_jones import LENNARD_JONES
from md_sensitivity.potentials.particle_mesh import COULOMB_PME
from md_sensitivity.potentials.torsions import HARMONIC_TORSION, PERIODIC_TORSION, RYCKAERT_BELLEMANS
from md_sensitivity.units import OPENMM

LIPID21_SCALE = 1.0 / 6.0
"""Share of a Lennard-Jones interaction between ends of torsions of four `cD` atoms in amber19/lipid21.xml."""
SOLVENT_DIELECTRIC, SURFACE_TENSION = 78.3, 2.25936
"""OpenMM's, of a GBSAOBCForce [1, kJ/mol/nm²]."""
_HALF, _WHOLE = {"factor": 0.5}, {"factor": 1.0}
_NONE: Mapping[str, float] = {}
BONDED: Mapping[str, tuple[Form, Mapping[str, float]]] = {
    "HarmonicBond": (HARMONIC_BOND, _HALF),
    "HarmonicAngle": (HARMONIC_ANGLE, _HALF),
    "UreyBradley": (UREY_BRADLEY, _WHOLE),
    "PeriodicTorsion": (PERIODIC_TORSION, {}),
    "PeriodicImproper": (PERIODIC_TORSION, {}),
    "RBTorsion": (RYCKAERT_BELLEMANS, {}),
    "HarmonicImproper": (HARMONIC_TORSION, _WHOLE),
}
"""Label → form, and its options."""


def read_openmm_xml(paths: Sequence[str | Path], over: Callable[[Nonbonded], Nonbonded] = lambda settings: settings) -> ForceField:
    """The force field of several files, as OpenMM joins them; names of no file are looked for among OpenMM's own.

    Args:
        paths: one serialized system, or one or more force fields.
        over: what the files say of pairs that are not bonded, and what is usual → settings.

    Raises:
        InputError: with file, line and reason.
    """
    places = [located(Path(), str(path)) for path in paths]
    roots = [(path, parsed(path, read_text(path).text)) for path in places]
    source = ", ".join(shown(path) for path in places)
    name = printable(" + ".join(path.stem for path in places))
    systems = [root for _, root in roots if root.tag == "System"]
    if systems:
        if len(roots) > 1:
            raise InputError(f"{systems[0].where}: a serialized system is a force field by itself; give it alone")
        found, settings = system_force_field(systems[0], name=name, source=source)
        return applied(found, over(settings))
    rules = read_rules(with_includes(roots))
    settings = over(_settings(rules.lines))
    if rules.lines.gbsa and settings.implicit_solvent != "none":
        raise InputError(f"{source}: has an implicit solvent of its own; remove implicit_solvent = {settings.implicit_solvent!r}")
    rows, typing = _assembled(rules, settings, source)
    if not rows and rules.lines.gbsa:
        raise InputError(f"{source}: has an implicit solvent and nothing else; name the force field that it belongs to before it")
    if not rows:
        raise InputError(f"{source}: has no forces; add a file with forces")
    found = replace(force_field_of_rows(rows, OPENMM, name=name, source=source), typing=typing)
    return applied(found, settings)


def _settings(lines: Lines) -> Nonbonded:
    """What is usual, and what the files say otherwise."""
    force = lines.settings.get("LennardJonesForce" if lines.lennard_jones else "NonbondedForce", {})
    usual = Nonbonded(dispersion_correction=bool(force.get("useDispersionCorrection", 1.0)))
    return replace(usual, solvent_dielectric=SOLVENT_DIELECTRIC) if lines.gbsa else usual


def _assembled(rules: Rules, settings: Nonbonded, source: str) -> tuple[list[LineRows], OpenMMTyping]:
    """Rows of all terms, and the typing, which says which atoms have which of them."""
    found: list[LineRows] = []

    def add(
        form: Form, label: str, lines: Sequence[Line], scales: Mapping[str, float] = _NONE, options: Options = _NONE, **settings: Any
    ) -> None:
        """Adds a term with a row for each line, and scales of pairs three bonds apart by the end of their names."""
        if not lines:
            return
        rows = LineRows(
            form=form, label=label, units=OPENMM, source=source, options=options, mirrored=False, by_parameter=True, settings=settings
        )
        for line in lines:
            rows.add(line)
        for tag, value in scales.items():
            rows.scale(tag, value, f"{source}: {label}", tag=tag)
        found.append(rows)

    lines = rules.lines
    for label, (form, options) in BONDED.items():
        add(form, label, lines.bonded.get(label, ()), options=options)
    maps, places = _maps(lines)
    for label, (size, own) in maps.items():
        add(CMAP, label, own, options={"size": float(size)})
    labels = tuple(rows.label for rows in found)
    atoms, own14 = _lennard_jones(rules, add)
    charges = charge_lines(rules)
    add(COULOMB_PME, "Coulomb", charges.lines, {"": lines.settings.get("NonbondedForce", {}).get("coulomb14scale", 1.0)})
    solvent = _solvent(rules, settings, add)
    typing = OpenMMTyping(
        document=document_of(rules),
        source=source,
        lennard_jones=atoms.of_type,
        charges=_without_lines(charges) if charges.lines else None,
        solvent=solvent.of_type,
        own14=own14,
        map_labels=places,
        bent=frozenset(row for row, line in enumerate(lines.bonded.get("HarmonicImproper", ())) if line.values["phi0"] != 0.0),
        constrained=frozenset(rules.templates.constrained),
        rigid=frozenset(rules.templates.rigid),
        chains=rules.lipid21,
        labels=labels,
    )
    return found, typing


def _without_lines(charges: ChargeLines) -> ChargeLines:
    return replace(charges, lines=())


def _maps(lines: Lines) -> tuple[dict[str, tuple[int, list[Line]]], tuple[tuple[str, int], ...]]:
    """Correction maps by their size: label → points along each angle, and lines; and for each map its label and row."""
    found: dict[str, tuple[int, list[Line]]] = {}
    places = []
    for line in lines.maps:
        size = round(len(line.values["energy"]) ** 0.5)
        label = "CMAP" if not found or found.get("CMAP", (0,))[0] == size else f"CMAP{size}"
        own = found.setdefault(label, (size, []))[1]
        places.append((label, len(own)))
        own.append(line)
    return found, tuple(places)


def _lennard_jones(rules: Rules, add: Any) -> tuple[AtomLines, bool]:
    """Adds Lennard-Jones terms; which name each type has in them, and whether pairs three bonds apart have numbers of their own."""
    lines = rules.lines
    force = lines.settings.get("LennardJonesForce" if lines.lennard_jones else "NonbondedForce", {})
    common = {"mixing": "lorentz-berthelot"}
    plain_lines = any(each.line.values["epsilon"] != 0.0 for each in lines.nonbonded)
    if lines.lennard_jones and plain_lines:
        wrong = next(each.line for each in lines.nonbonded if each.line.values["epsilon"] != 0.0)
        raise InputError(
            f"{wrong.where}: gives Lennard-Jones numbers where a LennardJonesForce gives others; set epsilon = 0 in one of both forces"
        )
    if not lines.lennard_jones:
        atoms = atom_lines(lines.nonbonded, rules, ("sigma", "epsilon")) if plain_lines else AtomLines()
        scales = {"": force.get("lj14scale", 1.0)} | ({"#lipid21": LIPID21_SCALE} if rules.lipid21 else {})
        add(LENNARD_JONES, "LennardJones", atoms.lines, scales, **common)
        return atoms, False
    if rules.lipid21:
        raise InputError("amber19/lipid21.xml does not go together with a LennardJonesForce; use the other files of AMBER with it")
    every = atom_lines(lines.lennard_jones, rules, ("sigma", "epsilon", "sigma14", "epsilon14"))
    own14 = any("sigma14" in line.values or "epsilon14" in line.values for line in every.lines)
    single = [replace(line, values={name: line.values[name] for name in ("sigma", "epsilon")}) for line in every.lines]
    pairs = pair_lines(rules, every)
    scale = {"": force["lj14scale"]}
    add(LENNARD_JONES, "LennardJones", (*single, *pairs), {} if own14 else scale, **common)
    if own14:
        others = [_line14(line) for line in (*every.lines, *pairs)]
        add(LENNARD_JONES, "LennardJones14", others, scale, listed_only=True, **common)
    return every, own14


def _solvent(rules: Rules, settings: Nonbonded, add: Any) -> AtomLines:
    """Adds the implicit solvent; which name each type has in it."""
    lines = rules.lines
    found = atom_lines(lines.gbsa, rules, ("q", "radius", "scale"))
    by_residue = bool(lines.settings.get("GBSAOBCForce", {}).get("charge from residues"))
    if by_residue and not lines.nonbonded:
        raise InputError(f"{lines.gbsa[0].line.where}: takes charges from residues, and there is no NonbondedForce that does; add one")
    options = solvent_options(settings.solute_dielectric, settings.solvent_dielectric, SURFACE_TENSION)
    form = GB_OBC2 if by_residue else GB_OBC2_WITH_CHARGES
    add(form, "GBSA", found.lines, options=options, borrowed={"q": ("Coulomb", "q")} if by_residue else {})
    return found


def _line14(line: Line) -> Line:
    """The numbers of a line for pairs three bonds apart: where it says none of its own, they are those for all others."""
    values, follows = {}, {}
    for name in ("sigma", "epsilon"):
        values[name] = line.values.get(f"{name}14", line.values[name])
        if f"{name}14" not in line.values:
            follows[name] = plain(f"LennardJones.{join_types(line.types)}.{name}")
    return replace(line, values=values, follows=follows, idle=values["epsilon"] == 0.0)
