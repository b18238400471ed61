"""The lowest eigenvalue of P H P by the Lanczos iteration: chunks of steps on the device, tridiagonal matrices on the host.

No vectors are kept. Without them the Krylov vectors lose their orthogonality, which makes copies of eigenvalues that have converged, but
leaves Ritz values and their error bounds right (Paige, doi:10.1016/0024-3795(80)90167-6); memory is that of a few vectors at any
size. Where the eigenvector is wanted, the same steps are made again.

A small residual says that some eigenvalue is near, not that none is lower. What a random start vector overlooks nevertheless has a
probability, which is known (Kuczyński and Woźniakowski, doi:10.1137/0613066): the iteration goes on until it is small.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.compilation import program
from md_sensitivity.curvature.operators import choose_hessian, hessian_operator
from md_sensitivity.curvature.solvers.dense import RELATIVE_ZERO
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Assembled, Energy, PyTree

TOLERANCE = 2e-3
"""Residual relative to the eigenvalue. The error of an eigenvalue that stands apart from the next one by its own size is the square of it;
among nearly equal ones, as of long waves in a cubic crystal, some are this near, and the lowest may be lower by as much as they spread."""
OVERLOOKED = 1e-6
"""Largest probability, over start vectors, that a negative eigenvalue is not seen."""
MAX_PRODUCTS = 4000
"""Steps after which what has converged is believed, however soft the mode is."""
_PROJECTED = 8
"""Steps after which rigid motions are removed from the pair of vectors; each step by itself lets rounding grow along them but little."""
_CHUNK = 32
"""Steps of one program."""
_LOOKS = 8
"""The tridiagonal matrix is looked at when it has grown by one part in so many, or by a chunk."""
_EXHAUSTED = 1e-13
"""Off-diagonal element, relative to the largest eigenvalue, at which the Krylov space is the whole space."""


@dataclass(frozen=True, kw_only=True)
class Lowest:
    """Lowest nonzero eigenvalue as far as it is known.

    Attributes:
        value: eigenvalue [eV/Å²]; None where there is only zero, or nothing finite.
        bound: an eigenvalue lies within this distance of it [eV/Å²].
        largest: largest absolute eigenvalue, nearly [eV/Å²].
        zeros: whether there are eigenvalues of zero besides those of rigid motions.
        vector: unit Ritz vector, flat; None where no vectors were kept, and the eigenvalue is not negative.
        converged: whether `TOLERANCE` was reached.
        products: number of products with H.
    """

    value: float | None
    bound: float
    largest: float
    zeros: bool
    vector: np.ndarray | None
    converged: bool
    products: int


@dataclass(frozen=True, kw_only=True)
class _Ritz:
    """The lowest Ritz pair of a tridiagonal matrix that is not zero; `seen` says whether a negative eigenvalue would have shown up."""

    value: float | None
    bound: float
    largest: float
    zeros: bool
    coefficients: np.ndarray
    seen: bool


Report = Callable[[float | None], None]


def lowest_eigenvalue(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, start: np.ndarray, report: Report | None = None
) -> Lowest:
    """Lowest nonzero eigenvalue of P H P at x.

    Args:
        modes: rigid zero modes at x.
        start: random vector, flat, shape=(d,).
        report: told how much is done of the steps that the probability asks for.
    """
    stored, _, _ = choose_hessian(energy, x, theta)
    fixed = (energy, x, theta, modes, stored)
    first, size = _begun(*fixed, start)
    if not 0 < float(size) < np.inf:
        finite = bool(np.isfinite(float(size)))
        return Lowest(value=None, bound=0.0, largest=0.0, zeros=False, vector=None, converged=finite, products=0)
    carry = (jnp.zeros_like(first), first, jnp.zeros(()), jnp.zeros_like(first))
    nothing = np.zeros(_CHUNK)
    alpha, beta = np.zeros(0), np.zeros(0)
    seen, reach = 0, np.inf
    while True:
        carry, (diagonal, beside) = _steps(*fixed, carry, nothing)
        alpha, beta = np.append(alpha, diagonal), np.append(beta, beside)
        if not np.all(np.isfinite(alpha)):
            return Lowest(value=None, bound=0.0, largest=0.0, zeros=False, vector=None, converged=False, products=len(alpha))
        last = len(alpha) + _CHUNK > MAX_PRODUCTS
        if len(alpha) - seen >= seen // _LOOKS or last:
            seen = len(alpha)
            ritz = _ritz(alpha, beta, start.size)
            value = ritz.value
            # Ritz values only fall. The residual may grow again, where one of several nearly equal eigenvalues turns out to be lower,
            # but what was within the reach of an earlier one still is.
            if report is not None:
                report(_done(ritz, len(alpha), start.size))
            reach = min(reach, np.inf if value is None else value + ritz.bound)
            bound = 0.0 if value is None else max(reach - value, 0.0)
            converged = bound <= TOLERANCE * abs(value) if value is not None else ritz.seen
            if (converged and ritz.seen) or last:
                break
    vector, products = None, len(alpha)
    if value is not None and value < 0:
        vector, value, residual = _vector(fixed, first, ritz.coefficients)
        products *= 2
        bound, converged = max(bound, residual), converged and value < 0 and residual <= 10.0 * TOLERANCE * abs(value)
    return Lowest(
        value=value, bound=bound, largest=ritz.largest, zeros=ritz.zeros, vector=vector, converged=converged, products=products
    )


def largest_eigenvalue(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, stored: Assembled, start: np.ndarray
) -> tuple[float, int]:
    """Largest absolute eigenvalue of P H P, nearly, and the number of products that it took.

    Args:
        start: random vector, flat, shape=(d,).
    """
    first, _ = _begun(energy, x, theta, modes, stored, start)
    carry = (jnp.zeros_like(first), first, jnp.zeros(()), jnp.zeros_like(first))
    _, (alpha, beta) = _steps(energy, x, theta, modes, stored, carry, np.zeros(_CHUNK))
    return _ritz(np.asarray(alpha), np.asarray(beta), start.size).largest, _CHUNK


@program
def _begun(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, stored: Assembled | None, start: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Unit start vector without rigid motions, packed, and its norm before."""
    operator = hessian_operator(energy, x, theta, modes, stored)
    v = operator.project(operator.pack(start[None]))[0]
    size = jnp.linalg.norm(v)
    return v / size, size


_Carry = tuple[jax.Array, jax.Array, jax.Array, jax.Array]
"""The vector before, the last one, the element between them, and a sum of all so far with given coefficients."""


@program
def _steps(
    energy: Energy,
    x: PyTree,
    theta: PyTree,
    modes: ZeroModes | None,
    stored: Assembled | None,
    carry: _Carry,
    coefficients: jax.Array,
) -> tuple[_Carry, tuple[jax.Array, jax.Array]]:
    """`_CHUNK` steps, with the diagonal of the tridiagonal matrix and the elements beside it, each of shape=(_CHUNK,).

    One program makes the steps for the eigenvalue and again for its vector: the same rounding in both.
    """
    operator = hessian_operator(energy, x, theta, modes, stored)

    def step(carry: _Carry, coefficient: jax.Array) -> tuple[_Carry, tuple[jax.Array, jax.Array]]:
        before, v, beside, total = carry
        w = operator.columns(v[None])[0] - beside * before
        diagonal = jnp.vdot(v, w)
        w = w - diagonal * v
        size = jnp.linalg.norm(w)
        return (v, w / jnp.where(size > 0, size, 1.0), size, total + coefficient * v), (diagonal, size)

    def several(carry: _Carry, coefficients: jax.Array) -> tuple[_Carry, tuple[jax.Array, jax.Array]]:
        (before, v, beside, total), found = jax.lax.scan(step, carry, coefficients)
        pair = operator.project(jnp.stack([before, v]))
        return (pair[0], pair[1], beside, total), found

    carry, found = jax.lax.scan(several, carry, coefficients.reshape(-1, _PROJECTED))
    return carry, (found[0].reshape(-1), found[1].reshape(-1))


def _ritz(alpha: np.ndarray, beta: np.ndarray, size: int) -> _Ritz:
    """The lowest Ritz value that is not zero, from the diagonal and what stands beside it, the last element included."""
    from scipy.linalg import eigh_tridiagonal

    scale = float(np.max(np.abs(alpha) + beta))
    ends = np.flatnonzero(beta <= _EXHAUSTED * scale)
    exhausted = len(ends) > 0
    if exhausted:
        alpha, beta = alpha[: ends[0] + 1], beta[: ends[0] + 1]
    values = eigh_tridiagonal(alpha, beta[:-1], eigvals_only=True)
    largest = float(np.abs(values).max())
    zero = np.abs(values) <= RELATIVE_ZERO * largest
    if np.all(zero):
        return _Ritz(value=None, bound=0.0, largest=largest, zeros=True, coefficients=np.zeros(0), seen=exhausted)
    index = int(np.flatnonzero(~zero)[0])
    _, vector = eigh_tridiagonal(alpha, beta[:-1], select="i", select_range=(index, index))
    value = float(values[index])
    bound = float(beta[-1] * abs(vector[-1, 0]))
    seen = exhausted or value < 0 or _overlooked(value / largest, len(alpha), size) <= OVERLOOKED
    return _Ritz(
        value=value,
        bound=bound,
        largest=largest,
        zeros=bool(np.any(zero)),
        coefficients=vector[:, 0],
        seen=seen,
    )


def _overlooked(ratio: float, steps: int, size: int) -> float:
    """Probability that there is a negative eigenvalue although the lowest Ritz value is positive.

    Args:
        ratio: of that Ritz value to the largest eigenvalue.
        steps: of the iteration.
        size: number of coordinates.
    """
    return 1.648 * math.sqrt(size) * math.exp(-math.sqrt(ratio) * (2 * steps - 1))


def _done(ritz: _Ritz, steps: int, size: int) -> float | None:
    """Share of the steps after which nothing is overlooked, as far as the eigenvalue is known now."""
    if ritz.value is None or ritz.value <= 0:
        return None
    needed = 0.5 * math.log(1.648 * math.sqrt(size) / OVERLOOKED) / math.sqrt(ritz.value / ritz.largest)
    return min(1.0, steps / max(needed, 1.0))


def _vector(
    fixed: tuple[Energy, PyTree, PyTree, ZeroModes | None, Assembled | None], first: jax.Array, coefficients: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """Unit Ritz vector, flat, its Rayleigh quotient and its residual, from the same steps made again."""
    carry = (jnp.zeros_like(first), first, jnp.zeros(()), jnp.zeros_like(first))
    padded = np.pad(coefficients, (0, -len(coefficients) % _CHUNK))
    for part in padded.reshape(-1, _CHUNK):
        carry, _ = _steps(*fixed, carry, part)
    vector, value, residual = _judged(*fixed, carry[3])
    return np.asarray(vector), float(value), float(residual)


@program
def _judged(
    energy: Energy, x: PyTree, theta: PyTree, modes: ZeroModes | None, stored: Assembled | None, vector: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    operator = hessian_operator(energy, x, theta, modes, stored)
    v = operator.project(vector[None])
    v = v / jnp.linalg.norm(v)
    hv = operator.exact(v)
    value = jnp.vdot(v, hv)
    return operator.unpack(v)[0], value, jnp.linalg.norm(hv - value * v)
