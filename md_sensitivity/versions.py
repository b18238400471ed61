"""Which versions compute here, and which are known to compute wrong values."""

from __future__ import annotations

import functools
import platform
from collections.abc import Mapping
from importlib import metadata

COMPUTING = ("jax", "jaxlib", "jax-md", "ase", "mdtraj", "numpy", "scipy", "vesin")
PACKAGES = (*COMPUTING, "msgspec", "click", "rich", "jinja2")

KNOWN_BAD: Mapping[tuple[str, str], str] = {
    ("jax", "0.10.2"): "miscompiles on CPU: batched matrix-vector products are wrong (jax #39103, jax-md #412)",
    ("jax", "0.11.0"): "computes wrong values (jax #40633)",
    ("jax", "0.11.1"): "computes wrong values (jax #40633)",
    ("jaxlib", "0.10.2"): "miscompiles on CPU: batched matrix-vector products are wrong (jax #39103, jax-md #412)",
    ("jaxlib", "0.11.0"): "computes wrong values (jax #40633)",
    ("jaxlib", "0.11.1"): "computes wrong values (jax #40633)",
}
"""(package, version) → what is wrong with it."""


def installed_versions() -> dict[str, str]:
    """Versions of this package, of Python and of what computes; packages that are not installed are left out. Imports none of them."""
    return dict(_found())


@functools.cache  # reading the metadata of a dozen packages takes longer than reading a structure
def _found() -> Mapping[str, str]:
    from md_sensitivity import __version__

    found = {"md_sensitivity": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def known_bad(versions: Mapping[str, str]) -> list[str]:
    """One sentence for each known-bad version."""
    remedy = "install the versions of constraints.txt"
    return [
        f"{package} {version} {reason}; {remedy}" for (package, version), reason in KNOWN_BAD.items() if versions.get(package) == version
    ]
