"""The package installs what it needs, in versions that compute right."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from md_sensitivity.versions import KNOWN_BAD, PACKAGES, installed_versions, known_bad

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
PYTHONS = ("3.11", "3.12", "3.13")


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(python: str) -> dict[str, str]:
    environment = {"python_version": python}
    holding = [pin for pin in PINS if pin.marker is None or pin.marker.evaluate(environment)]
    assert len({canonical(pin.name) for pin in holding}) == len(holding), "two pins of one package"
    return {canonical(pin.name): str(pin.specifier).removeprefix("==") for pin in holding}


def requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    return [Requirement(text) for text in (*PROJECT["dependencies"], *extras["test"], *extras["gpu"], *extras["oracle"])]


@pytest.mark.parametrize("python", PYTHONS)
def test_pins_satisfy_the_requirements(python: str) -> None:
    pinned = pins(python)
    for requirement in requirements():
        version = pinned[canonical(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} but pinned {version}"


@pytest.mark.parametrize("python", PYTHONS)
def test_no_pin_is_known_to_be_bad(python: str) -> None:
    assert known_bad(pins(python)) == []
    assert pins(python)["jax"].startswith("0.10.1" if python == "3.11" else "0.12.")


def test_known_bad_versions_of_jax_are_excluded() -> None:
    jax = [requirement for requirement in requirements() if requirement.name == "jax"]
    assert len(jax) == 2
    for requirement in jax:
        assert not any(requirement.specifier.contains(version) for package, version in KNOWN_BAD if package == "jax")


def test_a_known_bad_version_is_named() -> None:
    (sentence,) = known_bad({"jax": "0.11.1", "numpy": "2.4.0"})
    assert "jax 0.11.1" in sentence and "40633" in sentence and "constraints.txt" in sentence


def test_every_pin_is_one_version() -> None:
    for pin in PINS:
        assert [clause.operator for clause in pin.specifier] == ["=="] and pin.url is None


def test_versions_are_found() -> None:
    found = installed_versions()
    assert set(PACKAGES) <= set(found)
    assert found["jax"] == metadata.version("jax")


def test_what_is_imported_is_declared() -> None:
    """Every library that a module of the package imports is a dependency of its own; jaxlib and markupsafe come with jax and jinja2."""
    import ast
    import sys

    texts = (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["openmm"])     # the latter where it is needed only
    names = {canonical(requirement.name) for requirement in map(Requirement, texts)}
    for path in (ROOT / "md_sensitivity").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for top in {module.split(".")[0] for module in modules} - set(sys.stdlib_module_names) - {"md_sensitivity"}:
                assert canonical(top) in names | {"jaxlib", "markupsafe"}, f"{path} imports {top}, which pyproject.toml does not name"
