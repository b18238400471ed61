"""Which files an OpenMM force field is made of: the file, what it includes, and OpenMM's own data, each read once and as data only."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shown
from md_sensitivity.forcefields.files import read_text
from md_sensitivity.forcefields.xml_tree import Element, parse_xml

DEEPEST_INCLUDE = 8
MOST_FILES = 100
INSTALL = "install OpenMM (pip install 'md-sensitivity[openmm]')"
_WITH_TEXT = ("Map", "Script", "InitializationScript")


def openmm_data() -> Path | None:
    """Folder of the force fields that come with OpenMM; None where it is not installed. OpenMM itself is not imported."""
    try:
        found = importlib.util.find_spec("openmm")
    except (ImportError, ValueError):
        return None
    places = list(found.submodule_search_locations or ()) if found is not None else []
    folder = Path(places[0]) / "app" / "data" if places else None
    return folder if folder is not None and folder.is_dir() else None


def located(folder: Path, name: str) -> Path:
    """A file by its name in a folder, or among OpenMM's own data where there is none of that name.

    Raises:
        InputError: it may be one of OpenMM's own, and OpenMM is not installed.
    """
    path = folder / name
    if os.path.lexists(path) or not _inside(name):
        return path
    data = openmm_data()
    if data is None:
        raise InputError(f"{shown(path)}: no such file; if it is one of OpenMM's own, {INSTALL}")
    return data / name if (data / name).is_file() else path


def name_in_openmm(path: Path) -> str:
    """Name of one of OpenMM's own force fields; "" for any other file."""
    data = openmm_data()
    return path.relative_to(data).as_posix() if data is not None and path.is_relative_to(data) else ""


def parsed(path: Path, text: str) -> Element:
    """Root of a file."""
    return parse_xml(text, shown(path), keep_text=_WITH_TEXT)


def with_includes(roots: Sequence[tuple[Path, Element]]) -> tuple[Element, ...]:
    """The files that are given and all that they include, each once, in the order in which OpenMM reads them.

    Raises:
        InputError: a file includes itself, or one that is not there, lies outside its folder, or is no force field.
    """
    found = list(roots)
    chains: list[tuple[str, ...]] = [(os.path.realpath(path),) for path, _ in roots]
    at = 0
    while at < len(found):
        path, root = found[at]
        for element in root.all("Include"):
            element.require(("file",))
            included = _included(element, path)
            real = os.path.realpath(included)
            if real in chains[at]:
                raise InputError(f"{element.where}: {quotation(element.said('file'))} includes itself; remove the line")
            if len(chains[at]) > DEEPEST_INCLUDE or len(found) >= MOST_FILES:
                raise InputError(f"{element.where}: files include each other too deeply; name them one by one")
            if any(chain[-1] == real for chain in chains):
                continue
            found.append((included, parsed(included, read_text(included).text)))
            chains.append((*chains[at], real))
        at += 1
    for _, root in found:
        if root.tag != "ForceField":
            raise InputError(f"{root.where}: no force field of OpenMM, whose root is <ForceField>")
    return tuple(root for _, root in found)


def fingerprint(text: str) -> str:
    """SHA-256 of a script."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _included(element: Element, path: Path) -> Path:
    name = element.said("file")
    if not _inside(name):
        raise InputError(f"{element.where}: file = {quotation(name)} leaves the folder of the force field; include files of it only")
    beside = path.parent / name
    if beside.is_file():
        return beside
    data = openmm_data()
    if data is not None and (data / name).is_file():
        return data / name
    reason = "" if data is not None else f"; if it is one of OpenMM's own, {INSTALL}"
    raise InputError(f"{element.where}: {quotation(name)}: no such file{reason}")


def _inside(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/"))
    return bool(name.strip()) and "\0" not in name and not parts.is_absolute() and ".." not in parts.parts and ":" not in name
