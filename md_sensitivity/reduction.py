"""Sums over the entries of a neighbor table: several arrays reduced together, in one loop.

A sum of each array by itself makes XLA compute all that leads to it once for each sum, or write it to memory; one reduction of all
keeps it in registers. `jax.lax.reduce` of several arrays has no derivatives; this primitive has, to any order and in both modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jax.interpreters import partial_eval as pe

_sums = Primitive("sum_entries")
_sums.multiple_results = True


def sum_entries(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    """The sum of each array over its last axis; all of one shape, shape=(..., e) → shape=(...)."""
    shape = jnp.broadcast_shapes(*(array.shape for array in arrays))
    return tuple(_sums.bind(*(jnp.broadcast_to(array, shape) for array in arrays)))


def _reduced(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    zeros = tuple(jnp.zeros((), dtype=array.dtype) for array in arrays)

    def add(left: Sequence[jax.Array], right: Sequence[jax.Array]) -> tuple[jax.Array, ...]:
        return tuple(a + b for a, b in zip(left, right, strict=True))

    return tuple(jax.lax.reduce(arrays, zeros, add, (arrays[0].ndim - 1,)))


def _shapes(*arrays: Any) -> list[Any]:
    return [array.update(shape=array.shape[:-1]) for array in arrays]


def _forward(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    given = [k for k, tangent in enumerate(tangents) if type(tangent) is not ad.Zero]
    values = _sums.bind(*primals)
    found = _sums.bind(*(tangents[k] for k in given)) if given else []
    results = [ad.Zero(tangent.aval.update(shape=tangent.aval.shape[:-1])) if type(tangent) is ad.Zero else None for tangent in tangents]
    for k, tangent in zip(given, found, strict=True):
        results[k] = tangent
    return values, results


def _backward(cotangents: Sequence[Any], *arrays: Any) -> list[Any]:
    results: list[Any] = []
    for cotangent, array in zip(cotangents, arrays, strict=True):
        if not ad.is_undefined_primal(array):
            results.append(None)
        elif type(cotangent) is ad.Zero:
            results.append(ad.Zero(array.aval))
        else:
            results.append(jnp.broadcast_to(cotangent[..., None], array.aval.shape))
    return results


def _batched(arrays: Sequence[Any], axes: Sequence[Any]) -> tuple[Any, Any]:
    size = next(array.shape[axis] for array, axis in zip(arrays, axes, strict=True) if axis is not None)
    moved = []
    for array, axis in zip(arrays, axes, strict=True):
        mapped = axis is not None
        moved.append(jnp.moveaxis(array, axis, 0) if mapped else jnp.broadcast_to(array, (size, *array.shape)))
    return _sums.bind(*moved), [0] * len(arrays)


def _used(used: list[bool], *rest: Any) -> tuple[list[bool], Any]:
    """Sums that nobody reads are left out."""
    equation = rest[-1]  # some versions of JAX also say which inputs are alive
    if all(used):
        return used, equation
    if not any(used):
        return used, None

    def kept(items: Sequence[Any]) -> list[Any]:
        return [item for item, wanted in zip(items, used, strict=True) if wanted]

    return used, equation.replace(invars=kept(equation.invars), outvars=kept(equation.outvars))


_sums.def_impl(jax.jit(_reduced))
_sums.def_abstract_eval(_shapes)
ad.primitive_jvps[_sums] = _forward
ad.primitive_transposes[_sums] = _backward
batching.primitive_batchers[_sums] = _batched
pe.dce_rules[_sums] = _used
mlir.register_lowering(_sums, mlir.lower_fun(_reduced, multiple_results=True))
