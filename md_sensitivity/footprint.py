"""How much memory an analysis takes, in one model: what refuses a request before it starts, and what a plan announces.

Memory is linear in the number of atoms and of neighbor entries; the constants were measured (docs/large_systems.md), those of
the average crystal and of dense matrices counted from their arrays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jax

from md_sensitivity.compilation import processors
from md_sensitivity.errors import DeviceError

BASE = 450_000_000
"""The interpreter, JAX and compiled programs [bytes]."""
_PER_PAIR = 60
"""For each directed pair, on the host, while a neighbor table is built."""
_PER_ENTRY = 8
"""For each entry of a neighbor table: its index, in an old and in a new table."""
_PER_BLOCK = 64
"""For each entry, a stored block of the Hessian, and what it is assembled from."""
_PER_EDGE = 48
"""For each entry of a many-body potential and each vector that a Hessian product takes: edge gradients and their derivatives."""
_OPPOSITE = 8
"""For each entry of a many-body potential: where its opposite stands."""
_VECTOR = 24
_VECTORS = 60
"""Vectors of all coordinates in a minimization: the history of L-BFGS, Newton's method, zero modes, waves of a coarse space."""
_PER_SOLVE, _IN_WORK = 6, 10
"""Vectors for each right-hand side and its answers, and for each one that is being solved for."""
_LATTICE, _TRANSFORM = 60, 200
"""For each atom, the average crystal that preconditions, of two sites; and the transforms of one right-hand side [bytes]."""
_TOGETHER = 16
"""Right-hand sides that are solved together on one processor."""


_MATRICES = 3
"""Matrices of the dense solver: H, its eigenvectors, and what LAPACK needs."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """What memory depends on.

    Attributes:
        atoms: with those that pad the structure.
        pairs: directed pairs of all terms.
        entries: of the neighbor tables of pair potentials.
        edges: entries of the neighbor tables of many-body potentials.
        solves: right-hand sides of linear solves.
        stored: whether the Hessian is stored in blocks.
        shares: number of memories that tables and blocks are split over.
        matrix: coordinates of a dense matrix, where that solver was asked for; 0 for none.
    """

    atoms: int
    pairs: int
    entries: int
    edges: int
    solves: int
    stored: bool
    shares: int = 1
    matrix: int = 0


def on_host(size: Size) -> int:
    """Memory of the host while neighbor tables are built, beside what computes [bytes]."""
    return size.pairs * _PER_PAIR


def on_device(size: Size) -> int:
    """Memory of what computes: tables, vectors, the stored Hessian [bytes]."""
    in_work = min(size.solves, _TOGETHER * _processors())
    tables = (size.entries + size.edges) * _PER_ENTRY + size.edges * _OPPOSITE
    hessian = size.entries * _PER_BLOCK if size.stored else 0
    edges = size.edges * _PER_EDGE * max(1, min(size.solves, _TOGETHER))
    vectors = size.atoms * _VECTOR * (_VECTORS + _PER_SOLVE * size.solves + _IN_WORK * in_work)
    at_once = _processors() if jax.default_backend() == "cpu" else in_work
    lattice = size.atoms * (_LATTICE + _TRANSFORM * at_once) if size.stored else 0
    return (tables + hessian) // size.shares + edges + vectors + lattice + _MATRICES * 8 * size.matrix**2


def peak(size: Size) -> int:
    """Largest memory of an analysis in one process, where host and device share it [bytes]."""
    return BASE + max(on_host(size) + on_device(_before_solving(size)), on_device(size))


def _before_solving(size: Size) -> Size:
    """What is there while tables are built: no stored Hessian, no right-hand sides in work."""
    return Size(atoms=size.atoms, pairs=size.pairs, entries=size.entries, edges=0, solves=0, stored=False, shares=size.shares)


def require_memory(size: Size, atoms: int, what: str) -> None:
    """Refuses what does not fit into the memory of host or device.

    Args:
        size: of the request.
        atoms: of the structure, for the message.
        what: the structure or potential, for the message.

    Raises:
        DeviceError: naming the largest structure of this density that fits.
    """
    device = _device_memory()
    demands = [("this machine", peak(size) if device is None else BASE + on_host(size), host_memory(), BASE)]
    if device is not None:
        demands.append((f"the {jax.default_backend().upper()}", on_device(size), device, 0))
    for place, needed, available, base in demands:
        if needed > available:
            share = max(0.0, (available - base) / max(needed - base, 1))
            largest = int(atoms * (share**0.5 if size.matrix else share))  # a dense matrix grows with the square
            raise DeviceError(
                f"{what}: {atoms} atoms with about {size.pairs // 2:.2g} pairs of neighbors and {size.solves} linear solves need about "
                f"{_shown(needed)} of memory, {place} has {_shown(available)}; about {_rounded_down(largest)} atoms of this density fit"
            )


def _shown(count: float) -> str:
    gib = count / 2**30
    return f"{gib:.0f} GiB" if gib >= 10 else f"{gib:.2g} GiB"


def _rounded_down(count: int) -> int:
    """Two significant digits."""
    unit = 10 ** max(0, len(str(count)) - 2)
    return count // unit * unit


def host_memory() -> int:
    """Memory of this machine, or of the control group that this process is confined to [bytes]."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in _limits(Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")):
        try:
            text = limit.read_text().strip()
        except OSError:
            continue
        if text.isdecimal():
            total = min(total, int(text))
    return total


def _limits(membership: Path, root: Path) -> Iterator[Path]:
    """Files that limit the memory of this process: those of its control group (a job of SLURM, a service) and of all groups around it."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        lines = []
    groups = {"": "/", "memory": "/"}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path
    for top, path, name in ((root, groups[""], "memory.max"), (root / "memory", groups["memory"], "memory.limit_in_bytes")):
        group = top / path.lstrip("/")
        for place in (group, *group.parents):
            if place == top or top in place.parents:
                yield place / name


def _device_memory() -> int | None:
    """Memory that JAX may use on a device of its own; None where it computes on the host [bytes]."""
    device = jax.local_devices()[0]
    if device.platform == "cpu":
        return None
    return int((device.memory_stats() or {}).get("bytes_limit") or 0) or None


def memory() -> int:
    """Memory of the device that computes [bytes]."""
    return _device_memory() or host_memory()


def _processors() -> int:
    """Blocks of right-hand sides that are solved side by side."""
    return processors() if jax.default_backend() == "cpu" else 1
