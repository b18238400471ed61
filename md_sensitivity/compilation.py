"""How the package's own programs are compiled."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, wraps
from threading import RLock
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.sharding import mesh_within, placed

Function = TypeVar("Function", bound=Callable[..., Any])


@cache
def options() -> dict[str, bool]:
    """Compiler options of the installed version.

    jaxlib before 0.11 has two code generators for the CPU. The one that is not the default keeps a sum over neighbors in one loop, without
    arrays in between, and is about twice as fast for forces (docs/benchmarks.md); later versions do so by themselves and lack the option.
    """
    if jax.default_backend() == "cpu" and tuple(int(part) for part in jax.__version__.split(".")[:2]) < (0, 11):
        return {"xla_cpu_use_fusion_emitters": False}
    return {}


def processors() -> int:
    """How many processors this process may use: what XLA's own thread pool was told (NPROC, `--threads`), else what the system grants."""
    told = os.environ.get("NPROC", "")
    if told.isdigit() and int(told) > 0:
        return int(told)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(work: Callable[[np.ndarray], Any], inputs: Sequence[np.ndarray], *, threads: bool = True) -> list[Any]:
    """`work` of each of several inputs of one shape, on a CPU in a thread each, because a program there keeps one processor busy.

    No threads where programs use several devices: devices that begin two of them in different orders wait for each other forever.
    """
    if not threads or len(inputs) < 2 or jax.default_backend() != "cpu":
        return [work(each) for each in inputs]
    with ThreadPoolExecutor(len(inputs)) as pool:
        return list(pool.map(work, inputs))


def _kind(leaf: Any) -> Any:
    """What of an argument decides about compiling."""
    return (leaf.shape, leaf.dtype) if hasattr(leaf, "shape") else leaf if isinstance(leaf, str) else type(leaf)


def program(function: Function | None = None, *, static: Sequence[str] = ()) -> Any:
    """`jax.jit` with the package's compiler options; within traced code, where only the outermost program has options, plain `jax.jit`.

    Where some arguments are split over devices, all others are placed on each of these: an array that comes from the host the first time
    and from a program the second time would otherwise have the program compiled twice. Threads that come with arguments of the same new
    shapes wait for one of them to compile.
    """
    if function is None:
        return lambda given: program(given, static=static)
    inner = jax.jit(function, static_argnames=tuple(static))
    outermost: list[Any] = []
    compiled: set[Any] = set()
    alone = RLock()

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        leaves, tree = jax.tree.flatten((arguments, named))
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return inner(*arguments, **named)
        if not outermost:
            outermost.append(jax.jit(function, static_argnames=tuple(static), compiler_options=options() or None))
        mesh = mesh_within(leaves)
        if mesh is not None:
            arguments, named = jax.tree.unflatten(tree, placed(leaves, mesh))
        kind = (tree, *map(_kind, leaves))
        with alone:
            if kind not in compiled:
                outermost[0].lower(*arguments, **named).compile()  # jax keeps what it compiled for the call that follows
                compiled.add(kind)
        return outermost[0](*arguments, **named)

    call.eval_shape = inner.eval_shape  # type: ignore[attr-defined]
    call.lower = inner.lower  # type: ignore[attr-defined]
    return call


def in_batches(function: Callable[[Any], Any], given: Any, size: int) -> Any:
    """A function of each entry along the leading axis of a tree, `size` of them together; within traced code.

    Entries are filled up to whole batches with the last one, because a batch of another size would be compiled once more.
    """
    count = jax.tree.leaves(given)[0].shape[0]
    if count <= size:
        return jax.vmap(function)(given)
    batches = -(-count // size)
    each = -(-count // batches)

    def split(leaf: jax.Array) -> jax.Array:
        filled = jnp.concatenate([leaf, jnp.repeat(leaf[-1:], batches * each - count, axis=0)])
        return filled.reshape(batches, each, *leaf.shape[1:])

    found = jax.lax.map(jax.vmap(function), jax.tree.map(split, given))
    return jax.tree.map(lambda leaf: leaf.reshape(batches * each, *leaf.shape[2:])[:count], found)
