"""Does this machine compute right? Versions and devices, and compiled programs against references that are none."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from dataclasses import dataclass

from md_sensitivity.errors import MdSensitivityError
from md_sensitivity.progress import SILENT, Progress
from md_sensitivity.versions import installed_versions, known_bad


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Outcome of one check."""

    name: str
    passed: bool
    detail: str


def surroundings() -> dict[str, str]:
    """Versions, machine and devices."""
    import jax

    devices = ", ".join(f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices())
    return installed_versions() | {
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
        "devices": devices,
        "default device": str(jax.config.jax_default_device or jax.devices()[0]),
        "precision": "double" if jax.config.jax_enable_x64 else "single",
        "compiled programs": str(jax.config.jax_compilation_cache_dir or "not kept"),
    }


def diagnose(progress: Progress = SILENT) -> list[Finding]:
    """All checks, in order."""
    findings = []
    for place, (name, check) in enumerate(CHECKS.items()):
        progress.update(name, place / len(CHECKS))
        try:
            passed, detail = check()
        except MdSensitivityError as error:
            passed, detail = False, str(error)
        findings.append(Finding(name=name, passed=passed, detail=detail))
    return findings


def check_versions() -> tuple[bool, str]:
    """No version that is known to compute wrong values."""
    bad = known_bad(installed_versions())
    return not bad, "; ".join(bad) or "none of the known-bad versions"


def check_precision() -> tuple[bool, str]:
    """64-bit floats, in fact and not only by name: 1 + 2⁻⁵² differs from 1."""
    import jax
    import jax.numpy as jnp

    step = float(jax.jit(lambda x: (x + 2.0**-52) - x)(jnp.asarray(1.0, dtype=jnp.float64 if jax.config.jax_enable_x64 else jnp.float32)))
    return step == 2.0**-52, "64-bit floats" if step == 2.0**-52 else "floats have less than 64 bits; enable jax_enable_x64"


def check_products() -> tuple[bool, str]:
    """A jitted, vmapped matrix-vector product with a reduction over more than 16,384 rows, which jax 0.10.2 miscompiles on CPU."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    rows = 20_000
    draw = np.random.default_rng(0)
    matrices, vectors = draw.normal(size=(rows, 3, 3)), draw.normal(size=(rows, 3))
    program = jax.jit(lambda a, b: jnp.sum(jax.vmap(jnp.dot)(a, b) ** 2))
    found = float(program(jnp.asarray(matrices), jnp.asarray(vectors)))
    expected = float(np.sum(np.einsum("nij,nj->ni", matrices, vectors) ** 2))
    return _agree(found, expected, 1e-10 if jax.config.jax_enable_x64 else 1e-4, f"batched products over {rows} rows")


def check_dimer() -> tuple[bool, str]:
    """A Lennard-Jones dimer through the package: r* = 2^(1/6) σ, so that dr*/dσ = 2^(1/6) and dr*/dε = 0; E* = −ε."""
    import jax.numpy as jnp
    import numpy as np

    from md_sensitivity.building import build_system
    from md_sensitivity.forcefields import parse_native
    from md_sensitivity.implicit import equilibrium_jvp
    from md_sensitivity.minimization import minimize
    from md_sensitivity.system import energy_function
    from md_sensitivity.types import Structure

    force_field = parse_native(DIMER, "doctor")
    structure = Structure(
        positions=np.array([[0.0, 0.0, 0.0], [1.1, 0.1, 0.0]]),
        types=("A", "A"),
        numbers=np.zeros(2, dtype=np.int64),
        cell=np.zeros((3, 3)),
        pbc=np.zeros(3, dtype=bool),
        masses=np.ones(2),
        fixed=np.zeros((2, 3), dtype=bool),
    )
    system = build_system(structure, force_field)
    equilibrium = minimize(energy_function(system), system.positions, force_field.parameters)
    tangent = {"lennard_jones": {"sigma": jnp.asarray([1.0]), "epsilon": jnp.asarray([0.0])}}
    response = equilibrium_jvp(equilibrium, tangent)
    bond = np.asarray(equilibrium.x[1] - equilibrium.x[0])
    length = float(np.linalg.norm(bond))
    change = np.asarray(getattr(response, "value", response)).reshape(-1, 2, 3)[0]
    slope = float(bond @ (change[1] - change[0]) / length)
    errors = (abs(equilibrium.value + 1.0), abs(length - 2 ** (1 / 6)), abs(slope - 2 ** (1 / 6)))
    return max(errors) < 1e-9, f"Lennard-Jones dimer against its closed form: largest error {max(errors):.1e}"


def _agree(found: float, expected: float, tolerance: float, what: str) -> tuple[bool, str]:
    error = abs(found - expected) / abs(expected)
    return error <= tolerance, f"{what}: relative error {error:.1e}"


DIMER = """
units = "reduced"
[[potential]]
style = "lennard_jones"
[potential.parameters.A]
sigma = 1.0
epsilon = 1.0
"""

CHECKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "versions": check_versions,
    "precision": check_precision,
    "compiled products": check_products,
    "implicit derivative": check_dimer,
}
