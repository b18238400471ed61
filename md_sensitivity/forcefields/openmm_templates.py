"""Atom types, residue templates and patches of an OpenMM force field, checked and written anew; charges of their atoms are rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation
from md_sensitivity.forcefields.line_rows import Line
from md_sensitivity.forcefields.openmm_advice import instead_of_sites
from md_sensitivity.forcefields.openmm_lines import REMARKS, type_word
from md_sensitivity.forcefields.xml_tree import Element

Charges = dict[tuple[str, str], Line]
"""(name of a template or patch, name of an atom) → its charge."""


@dataclass(kw_only=True, eq=False)
class Templates:
    """What is read of them.

    Attributes:
        classes: type → its class.
        elements: type → symbol; "" for an extra particle.
        types, residues, patches: for the document.
        levels: template → highest level at which it overrides others of its name.
        residue_charges, patch_charges: charges that the file gives to their atoms.
        constrained: templates with constraints.
        rigid: templates that OpenMM holds rigid where they are water.
    """

    classes: dict[str, str] = field(default_factory=dict)
    elements: dict[str, str] = field(default_factory=dict)
    types: list[Element] = field(default_factory=list)
    residues: list[Element] = field(default_factory=list)
    patches: list[Element] = field(default_factory=list)
    levels: dict[str, int] = field(default_factory=dict)
    residue_charges: Charges = field(default_factory=dict)
    patch_charges: Charges = field(default_factory=dict)
    constrained: set[str] = field(default_factory=set)
    rigid: set[str] = field(default_factory=set)


def read_templates(roots: Sequence[Element]) -> Templates:
    """Types, residues and patches of all files, in the order in which OpenMM reads them.

    Raises:
        InputError: with file, line and reason.
    """
    found = Templates()
    for tag, read in (("AtomTypes", _types), ("Residues", _residues), ("Patches", _patches)):
        for root in roots:
            sections = list(root.all(tag))
            if len(sections) > 1:
                raise InputError(f"{sections[1].where}: a second <{tag}>, which OpenMM would not read; join them")
            for section in sections:
                read(section, found)
    return found


def _types(section: Element, found: Templates) -> None:
    section.require((), ("Type",))
    for element in section.children:
        element.require(("name", "class", "mass", "element", "def", *REMARKS))
        name, kind = type_word(element.said("name"), element), type_word(element.said("class"), element)
        mass, symbol = element.number("mass"), element.attributes.get("element", "")
        if not name:
            raise InputError(f"{element.where}: a type without a name")
        if mass < 0:
            raise InputError(f"{element.where}: mass = {mass:g} must be ≥ 0")
        if symbol and not _is_symbol(symbol):
            raise InputError(f"{element.where}: element = {quotation(symbol)} is no chemical symbol")
        given = {"name": name, "class": kind, "mass": repr(mass), **({"element": symbol} if symbol else {})}
        if name in found.classes:
            if (found.classes[name], found.elements[name]) != (kind, symbol):
                raise InputError(f"{element.where}: type {name} is defined before, with another class or element; keep one of them")
            continue
        found.classes[name], found.elements[name] = kind, symbol
        found.types.append(Element("Type", given))


def _is_symbol(symbol: str) -> bool:
    from ase.data import atomic_numbers

    return symbol != "X" and symbol in atomic_numbers


def _residues(section: Element, found: Templates) -> None:
    section.require((), ("Residue",))
    for residue in section.children:
        residue.require(
            ("name", "override", "rigidWater", *REMARKS), ("Atom", "Bond", "ExternalBond", "AllowPatch", "Constraint", "VirtualSite")
        )
        name = type_word(residue.said("name"), residue)
        level = residue.whole("override", least=-1000, most=1000) if "override" in residue.attributes else 0
        if level == found.levels.get(name):
            raise InputError(f"{residue.where}: a second residue template {name} of the same override level; keep one of them")
        charges: Charges = {}
        children, atoms = _atoms(residue, ("Atom",), name, found, charges)
        for child in residue.children:
            if child.tag in ("Bond", "ExternalBond"):
                children.append(_template_bond(child, atoms))
            elif child.tag == "AllowPatch":
                child.require(("name",))
                children.append(Element(child.tag, {"name": _indexed(child, "name")}))
            elif child.tag == "VirtualSite":
                raise InputError(f"{child.where}: residue {name} has a virtual site{instead_of_sites(child)}")
        # OpenMM gets templates that others override, too: their patches stay allowed.
        found.residues.append(Element("Residue", {"name": name, "override": str(level)}, children))
        if level < found.levels.get(name, level):
            continue
        found.levels[name] = level
        for key in [key for key in found.residue_charges if key[0] == name]:
            del found.residue_charges[key]
        found.residue_charges |= charges
        rigid = residue.attributes.get("rigidWater", "true").strip().lower() == "true"
        for known, holds in ((found.constrained, any(residue.all("Constraint"))), (found.rigid, rigid)):
            known.discard(name)
            if holds:
                known.add(name)


def _atoms(owner: Element, tags: Sequence[str], name: str, found: Templates, charges: Charges) -> tuple[list[Element], list[str]]:
    """Atoms of a template or patch: for the document, and their names."""
    children, names = [], []
    for atom in owner.children:
        if atom.tag not in tags:
            continue
        atom.require(("name", "type", "charge", *REMARKS))
        label, kind = type_word(atom.said("name"), atom), atom.said("type")
        if kind not in found.classes:
            raise InputError(f"{atom.where}: atom {label} of {name} has type {quotation(kind)}, which no <Type> defines")
        if label in names:
            raise InputError(f"{atom.where}: a second atom {label} in {name}; keep one of them")
        names.append(label)
        given = {"name": label, "type": kind}
        if "charge" in atom.attributes:
            # The value itself stays: templates that agree in all values are one to OpenMM.
            charge = atom.number("charge")
            given["charge"] = repr(charge)
            charges[name, label] = Line(types=(f"{name}:{label}",), values={"q": charge}, where=atom.where)
        children.append(Element(atom.tag, given))
    return children, names


def _template_bond(bond: Element, atoms: Sequence[str]) -> Element:
    by_name = ("atomName1", "atomName2") if bond.tag == "Bond" else ("atomName",)
    by_number = ("from", "to") if bond.tag == "Bond" else ("from",)
    names = by_name if by_name[0] in bond.attributes else by_number
    # Some force fields give types of bonds, which OpenMM does not read.
    bond.require((*names, "type1", "type2"))
    if names is by_number:
        return Element(bond.tag, {name: str(bond.whole(name, most=len(atoms) - 1)) for name in names})
    for name in names:
        if bond.said(name) not in atoms:
            raise InputError(f"{bond.where}: there is no atom {quotation(bond.said(name))} in this template")
    return Element(bond.tag, {name: bond.said(name) for name in names})


_PATCH_CHILDREN: dict[str, tuple[str, ...]] = {
    "RemoveAtom": ("name",),
    "AddBond": ("atomName1", "atomName2"),
    "RemoveBond": ("atomName1", "atomName2"),
    "AddExternalBond": ("atomName",),
    "RemoveExternalBond": ("atomName",),
    "ApplyToResidue": ("name",),
}


def _patches(section: Element, found: Templates) -> None:
    section.require((), ("Patch",))
    for patch in section.children:
        patch.require(("name", "residues", *REMARKS), ("AddAtom", "ChangeAtom", "VirtualSite", *_PATCH_CHILDREN))
        name = type_word(patch.said("name"), patch)
        count = patch.whole("residues", least=1, most=16) if "residues" in patch.attributes else 1
        children, _ = _atoms(patch, ("AddAtom", "ChangeAtom"), name, found, found.patch_charges)
        for child in patch.children:
            if child.tag == "VirtualSite":
                raise InputError(f"{child.where}: patch {name} has a virtual site{instead_of_sites(child)}")
            if child.tag in _PATCH_CHILDREN:
                names = _PATCH_CHILDREN[child.tag]
                child.require(names)
                ends = {key: _indexed(child, key, count if child.tag != "ApplyToResidue" else 16) for key in names}
                children.append(Element(child.tag, ends))
        for atom in children:
            if atom.tag in ("AddAtom", "ChangeAtom") and not _index_fits(atom.attributes["name"], count):
                raise InputError(f"{patch.where}: atom {quotation(atom.attributes['name'])} is of no residue of this patch of {count}")
        found.patches.append(Element("Patch", {"name": name, "residues": str(count)}, children))


def _indexed(element: Element, key: str, most: int = 16) -> str:
    """A name that may have the number of a residue before or after it."""
    name = type_word(element.said(key), element)
    if element.tag != "AllowPatch" and not _index_fits(name, most):
        raise InputError(f"{element.where}: {key} = {quotation(name)}: there is no such residue in this patch")
    if element.tag == "AllowPatch" and ":" in name and not _is_index(name.split(":", 1)[1], most):
        raise InputError(f"{element.where}: {key} = {quotation(name)}: write PATCH or PATCH:NUMBER")
    return name


def _index_fits(name: str, most: int) -> bool:
    return ":" not in name or _is_index(name.split(":", 1)[0], most)


def _is_index(word: str, most: int) -> bool:
    return word.isascii() and word.isdecimal() and len(word) < 4 and 1 <= int(word) <= most
