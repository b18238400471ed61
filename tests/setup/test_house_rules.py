"""Rules that keep the tree readable: imports go one way, modules stay small, nothing heavy loads early, no index addresses."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "md_sensitivity"
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))

ORDER = (
    ("__init__", "errors", "files", "units", "voigt", "registry", "types", "progress", "versions", "startup", "compilation", "reduction",
     "sharding"),
    ("structures",),
    ("potentials",),
    ("forcefields",),
    ("system", "binding", "bound", "building", "collapse", "neighbors", "energy", "blocks", "kernels", "interactions", "listed", "fields",
     "stiffness", "local_response", "stored", "tables", "footprint", "whole", "feasibility", "remarks", "cells", "enthalpy"),
    ("curvature",),
    ("minimization",),
    ("implicit",),
    ("observables",),
    ("analysis",),
    ("fitting",),
    ("reports",),
    ("pipeline",),
    ("batch", "doctor"),
    ("cli", "__main__"),
)
"""Rooms of the house; a module imports from its own row and the rows above."""
UNORDERED = ({"structures", "potentials"},)
"""Rooms that stand side by side: neither imports the other."""
EXEMPT = {("types.py", "md_sensitivity.structures")}
"""`Structure.from_ase` and `.from_mdtraj`, which are documented as doors to the readers."""
LEVEL = {room: level for level, row in enumerate(ORDER) for room in row}


def room_of(path: Path) -> str:
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of each import of this package, in functions too, but not under `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: write imports absolutely"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "md_sensitivity" else [module]
        else:
            continue
        for name in names:
            if name == "md_sensitivity" or name.startswith("md_sensitivity."):
                yield node.lineno, name


def test_every_room_has_its_place() -> None:
    assert {room_of(path) for path in MODULES} <= set(LEVEL), "give the new room a row in ORDER"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    own = room_of(path)
    for line, name in imported(path):
        target = name.removeprefix("md_sensitivity").lstrip(".").split(".")[0]
        target = target if target in LEVEL else "__init__"
        if any(path == PACKAGE / file and name.startswith(door) for file, door in EXEMPT):
            continue
        assert LEVEL[target] <= LEVEL[own], f"{path}:{line}: {own} must not import {name}"
        assert not any({own, target} <= pair and own != target for pair in UNORDERED), f"{path}:{line}: {own} must not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_stay_small(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 400, f"{path} has {lines} lines; take it apart"


def test_no_package_index_is_named() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout")
    own = Path(__file__).relative_to(ROOT)
    pattern = re.compile(rb"(?i)(--(extra-)?index-url|--find-links|\bindex-url\s*=|https?://[^\s\"']*(pypi|/simple\b|pythonhosted))")
    for name in filter(None, tracked.stdout.split("\0")):
        path = ROOT / name
        if Path(name) == own or not path.is_file() or path.stat().st_size > 2**22:
            continue
        match = pattern.search(path.read_bytes())
        assert match is None, f"{name} names a package index: {match.group() if match else ''!r}"


HEAVY = ("jax", "jaxlib", "numpy", "scipy", "ase", "mdtraj", "matplotlib", "rich", "msgspec", "jinja2", "optax", "vesin")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["analyze", "--help"], ["fit-nothing"]], ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    program = f"import sys; from md_sensitivity.cli import main; main({arguments!r}); print(sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_importing_the_package_changes_nothing() -> None:
    program = "import sys, md_sensitivity; print(sorted(set(sys.modules) & set(" + repr(HEAVY) + ")))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_public_names_exist() -> None:
    import md_sensitivity as mds

    for name in mds.__all__:
        assert getattr(mds, name) is not None
    assert set(mds.__all__) <= set(dir(mds))
    with pytest.raises(AttributeError, match="no_such_name"):
        mds.no_such_name  # noqa: B018
