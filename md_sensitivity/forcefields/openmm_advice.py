"""What to take in place of a file of OpenMM's own that is refused: nobody can remove anything from those."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from md_sensitivity.forcefields.openmm_files import name_in_openmm, openmm_data
from md_sensitivity.forcefields.xml_tree import Element

_NO_SCRIPTS = "; OpenMM would run it, and nothing of a file is run here. "
_SOLVENT = 'for an implicit solvent, write implicit_solvent = "obc2" in a native file\'s [molecules], the only one there is'
_GLYCAM = "of carbohydrates OpenMM has no other: build the system with AmberTools or GROMACS, and give its prmtop or top file"
_WATER = ("tip3p.xml", "water.xml")
"""Files of three-site water, where a folder of OpenMM's has one."""


def own_file(element: Element) -> PurePosixPath | None:
    """Name of the file of OpenMM's own that an element is from, seen from its data; None of any other file."""
    name = name_in_openmm(Path(element.source))
    return PurePosixPath(name) if name else None


def instead_of_script(element: Element) -> str:
    """What a message goes on with after "a script"."""
    name, solvent = own_file(element), "GBSA" in element.text
    if name is None:
        end = f"; {_SOLVENT}" if solvent else ""
        return f"{_NO_SCRIPTS}Remove it if its effect is not needed{end}"
    if solvent:
        return f"{_NO_SCRIPTS}Leave out {name}; {_SOLVENT}"
    if "GLYCAM" in name.name:
        return f"{_NO_SCRIPTS}Leave out {name}; {_GLYCAM}"
    older = PurePosixPath(name.name.partition("_")[0] + ".xml")
    data = openmm_data()
    if older != name and data is not None and (data / older).is_file():
        return f"{_NO_SCRIPTS}Use {older}, an older version of it that has none, or files of another program"
    return f"{_NO_SCRIPTS}Use another of OpenMM's force fields"


def instead_of_sites(element: Element) -> str:
    """What a message goes on with after "has a virtual site"."""
    name, data = own_file(element), openmm_data()
    found = [] if name is None or data is None else [name.parent / other for other in _WATER if (data / name.parent / other).is_file()]
    return f", which is not supported; use a model without, such as {found[0] if found else 'tip3p.xml'} for water"
