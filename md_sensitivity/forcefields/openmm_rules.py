"""An OpenMM force field of one or more files, checked: its lines, its templates, and the document that OpenMM gets in their place.

Nothing of the files is run, and OpenMM sees none of their text, for it would run scripts and evaluate expressions in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation
from md_sensitivity.forcefields.openmm_advice import instead_of_script
from md_sensitivity.forcefields.openmm_files import fingerprint
from md_sensitivity.forcefields.openmm_lines import FORCES, Lines, read_force
from md_sensitivity.forcefields.openmm_templates import Templates, read_templates
from md_sensitivity.forcefields.xml_tree import Element, written
from md_sensitivity.registry import did_you_mean

_SECTIONS = ("AtomTypes", "Residues", "Patches", "Include", "Info")
_VERSION_SCRIPTS = {
    "dc31474e2889cbe2d5d92be64cf4492d2139a98607f57b9e9f2dfd83a372d115": "charmm36",
    "d38f234ece4e87a63b0cd625e8b3c9347b73168cff8a5d29a062f7f131447ec6": "charmm36_2024",
}
"""SHA-256 of scripts of OpenMM's own files that do nothing but refuse files of different versions → the version."""
LIPID21_SCRIPT = "b417808073f923a2ecc4d90df141fbbea0b44d54eee1e97dbe026bb644fd7e2a"
"""SHA-256 of the script of OpenMM's amber19/lipid21.xml, which weakens some 1-4 interactions of hydrocarbon chains."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Rules:
    """What the files say.

    Attributes:
        lipid21: whether 1-4 interactions of the ends of torsions of four `cD` atoms are weaker, as amber19/lipid21.xml has it.
    """

    lines: Lines
    templates: Templates
    lipid21: bool


def read_rules(roots: Sequence[Element]) -> Rules:
    """Everything that the files say.

    Raises:
        InputError: with file, line and reason; also for what is known to OpenMM and not to us.
    """
    versions: dict[str, Element] = {}
    lipid21 = False
    for root in roots:
        for child in root.children:
            if child.tag in ("Script", "InitializationScript"):
                found = fingerprint(child.text)
                if child.tag == "InitializationScript" and found in _VERSION_SCRIPTS:
                    versions[_VERSION_SCRIPTS[found]] = child
                elif child.tag == "Script" and found == LIPID21_SCRIPT:
                    lipid21 = True
                else:
                    raise InputError(f"{child.where}: a script{instead_of_script(child)}")
            elif child.tag not in FORCES and child.tag not in _SECTIONS:
                raise InputError(f"{child.where}: {_reason(child)}")
    if len(versions) > 1:
        raise InputError(f"{list(versions.values())[-1].where}: {' and '.join(versions)} do not go together; take all files from one")
    templates = read_templates(roots)
    lines = Lines()
    for root in roots:
        for child in root.children:
            if child.tag in FORCES:
                read_force(child, lines)
    return Rules(lines=lines, templates=templates, lipid21=lipid21)


def _reason(element: Element) -> str:
    tag = element.tag
    if tag.startswith("Custom") or "Script" in tag:
        return f"{quotation(tag)} is not read, because it holds expressions or programs; only these forces are: {', '.join(FORCES)}"
    if tag.startswith(("Amoeba", "Hippo", "Drude")) or tag == "DrudeForce":
        return f"{quotation(tag)} belongs to a polarizable force field, and those are not supported; use one of fixed charges"
    known = (*_SECTIONS, *FORCES)
    return f"{quotation(tag)} is not known{did_you_mean(tag, known)}; known: {', '.join(known)}"


def document_of(rules: Rules) -> str:
    """The document for OpenMM: the same types, templates and lines, with rows in place of numbers."""
    templates, lines = rules.templates, rules.lines
    root = Element("ForceField", {})
    root.children.append(Element("AtomTypes", {}, templates.types))
    root.children.append(Element("Residues", {}, templates.residues))
    root.children.append(Element("Patches", {}, templates.patches))
    root.children += lines.document
    # With scales of 1 OpenMM's exceptions tell which pairs are excluded, and which are three bonds apart.
    atoms = [Element("Atom", {"type": name, "charge": "1", "sigma": "1", "epsilon": "1"}) for name in templates.classes]
    root.children.append(Element("NonbondedForce", {"coulomb14scale": "1", "lj14scale": "1"}, atoms))
    return written(root)
