"""How the package's own programs are compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any, TypeVar

import jax

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


def program(function: Function | None = None, *, static: Sequence[str] = ()) -> Any:
    """`jax.jit` with the package's compiler options; within traced code, where only the outermost program has options, plain `jax.jit`."""
    if function is None:
        return lambda given: program(given, static=static)
    inner = jax.jit(function, static_argnames=tuple(static))
    outermost: list[Any] = []

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        leaves = jax.tree.leaves((arguments, named))
        if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
            return inner(*arguments, **named)
        if not outermost:
            outermost.append(jax.jit(function, static_argnames=tuple(static), compiler_options=options() or None))
        return outermost[0](*arguments, **named)

    call.eval_shape = inner.eval_shape  # type: ignore[attr-defined]
    call.lower = inner.lower  # type: ignore[attr-defined]
    return call
