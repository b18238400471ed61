"""Response of an equilibrium, dx*/dθ = −H⁻¹ ∂²E/∂x∂θ, explicit: each answer comes with its recomputed residual.

H is symmetric and singular along zero modes; the answer is P H⁺ P b, the minimum-norm response, with P removing the zero modes from
right-hand side, operator and answer.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from md_sensitivity.compilation import in_batches, processors, program, side_by_side
from md_sensitivity.curvature.operators import choose_hessian, hessian_operator
from md_sensitivity.curvature.preconditioners import Preconditioner, choose_preconditioner
from md_sensitivity.curvature.products import flat_projector, mixed_adjoint, mixed_product, unflattened
from md_sensitivity.curvature.solvers import SOLVERS, STATUS_TEXT
from md_sensitivity.curvature.solvers.base import NEGATIVE_CURVATURE
from md_sensitivity.curvature.zero_modes import ZeroModes
from md_sensitivity.energy import Assembled, Energy, PyTree
from md_sensitivity.errors import ConvergenceError, NotAMinimumError
from md_sensitivity.implicit.eigenvalues import solve_by_eigenvalues
from md_sensitivity.implicit.linear import ACCEPTABLE
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.sharding import mesh_within

TOLERANCE = 1e-11
"""Relative residual asked of the linear solvers; where float64 gives less, the recomputed one says so."""
MAX_ITERATIONS = 20000
ROUNDING = 1e-12
"""A right-hand side smaller than this times the largest eigenvalue moves no atom by more than rounding."""
BLOCK = 16
"""Right-hand sides that are solved together, at most."""
_PRECONDITIONED = ("pcg", "mixed-cg")
_FEWEST = 4
"""Right-hand sides that are not divided further among processors: together they cost little more than one."""


class Response(NamedTuple):
    """Answer of linear solves at an equilibrium, one for each right-hand side.

    Attributes:
        value: stacked trees: dx*/dθ along each direction, or gradients with respect to θ.
        residual: recomputed relative residuals, shape=(p,).
        iterations: of the slowest right-hand side.
        status: phrases, p of them.
        solver: name in the table.
        reason: why it was chosen.
        solution: H⁺ P b of each right-hand side, flat, shape=(p, d).
        rhs: norm of each right-hand side, shape=(p,).
    """

    value: PyTree
    residual: np.ndarray
    iterations: int
    status: tuple[str, ...]
    solver: str
    reason: str
    solution: jax.Array
    rhs: np.ndarray


class _Solved(NamedTuple):
    value: jax.Array
    residual: np.ndarray
    iterations: int
    status: np.ndarray
    solver: str
    reason: str
    rhs: np.ndarray


def choose_solver(equilibrium: Equilibrium, solver: str) -> tuple[str, str]:
    """Name of the solver to use and the reason."""
    if solver != "auto":
        SOLVERS.find(solver)
        return solver, "asked for"
    spectrum = equilibrium.spectrum
    if spectrum is not None and spectrum.eigenvectors is not None:
        return "dense", "few coordinates: all eigenvalues of H are known"
    return "pcg", "many coordinates; H is positive at a minimum"


@program(static=("solver",))
def _krylov(
    energy: Energy,
    x: PyTree,
    theta: PyTree,
    modes: ZeroModes | None,
    stored: Assembled | None,
    preconditioner: Preconditioner | None,
    b: jax.Array,
    solver: str,
    tolerance: float,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """Solutions, residuals, iterations and status for right-hand sides without rigid motions."""
    operator = hessian_operator(energy, x, theta, modes, stored, preconditioner)
    solution = SOLVERS[solver].solve(operator, operator.pack(b), tolerance, MAX_ITERATIONS)
    return operator.unpack(operator.project(solution.value)), solution.residual, solution.iterations, solution.status


@program
def _projected(energy: Energy, x: PyTree, modes: ZeroModes | None, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Right-hand sides without rigid motions, and their norms."""
    b = jax.vmap(flat_projector(modes, energy, x))(b)
    return b, jnp.linalg.norm(b, axis=1)


def _solve(equilibrium: Equilibrium, b: jax.Array, solver: str, tolerance: float, hessian: str, like: int = 0) -> _Solved:
    """P H⁺ P b for right-hand sides of shape=(p, d), in blocks; zero right-hand sides cost nothing.

    Where so many others (`like`) were solved for before, blocks are as wide as theirs, so that their program serves.
    """
    name, reason = choose_solver(equilibrium, solver)
    if len(b) == 0:
        return _Solved(b, np.zeros(0), 0, np.zeros(0, dtype=np.int64), name, reason, np.zeros(0))
    e, x, theta, modes = equilibrium.energy, equilibrium.x, equilibrium.theta, equilibrium.modes
    spectrum = equilibrium.spectrum
    if name == "dense" and spectrum is not None and spectrum.eigenvectors is not None:
        value, residual, size = solve_by_eigenvalues(e, x, theta, modes, b, np.asarray(spectrum.eigenvalues), spectrum.eigenvectors)
        status = np.where(residual <= ACCEPTABLE, 0, 3)
        return _Solved(value, residual, 1, status, name, reason, _finite(size))
    b, size = (np.asarray(part) for part in _projected(e, x, modes, b))
    norms = _finite(size)
    wanted = np.flatnonzero(norms > 0)
    stored, way, because = choose_hessian(e, x, theta, hessian)
    preconditioner, helped = None, "no preconditioner"
    if name in _PRECONDITIONED:
        preconditioner, helped = choose_preconditioner(stored, e, x, theta, like or len(wanted))
    value, residual = np.zeros(b.shape), np.zeros(len(b))
    status, iterations = np.zeros(len(b), dtype=np.int64), 0
    single = mesh_within(jax.tree.leaves(e)) is None
    parts, width = _division(len(wanted), like, single=single)
    blocks = np.array_split(wanted, parts) if len(wanted) else []

    def answer_of(columns: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(np.asarray(part) for part in _krylov(e, x, theta, modes, stored, preconditioner, columns, name, tolerance))

    answers = side_by_side(answer_of, [b[np.resize(block, width)] for block in blocks], threads=single)
    for block, answer in zip(blocks, answers, strict=True):
        found, left, count, code = answer
        value[block], residual[block], status[block] = found[: len(block)], left[: len(block)], code[: len(block)]
        iterations = max(iterations, int(count))
    return _Solved(jnp.asarray(value), residual, iterations, status, name, f"{reason}; {way}: {because}; {helped}", norms)


def streams(count: int) -> int:
    """Number of blocks of right-hand sides: at most `BLOCK` in each, and work for all processors."""
    least = -(-count // BLOCK)
    return least if jax.default_backend() != "cpu" else max(least, min(processors(), -(-count // _FEWEST)))


def _division(count: int, like: int, *, single: bool) -> tuple[int, int]:
    """Number of blocks, and their width, up to which they are filled by repetition, so that all share one program."""
    of = like or count
    parts = streams(of) if single else -(-of // BLOCK)
    width = -(-of // parts) if of else 1
    return (-(-count // width), width) if like else (parts, width)


def _finite(rhs: np.ndarray) -> np.ndarray:
    """Norms of right-hand sides; raises ConvergenceError where one is not finite."""
    if not np.all(np.isfinite(rhs)):
        raise ConvergenceError("a right-hand side ∂²E/∂x∂θ is not finite, so that this derivative does not exist")
    return rhs


def _refuse(equilibrium: Equilibrium, solved: _Solved) -> None:
    # A right-hand side of rounding only, against the stiffness of the system, is a zero with noise: nothing is to be solved.
    stiffness = 0.0 if equilibrium.spectrum is None else equilibrium.spectrum.largest
    bad = ~(solved.residual <= ACCEPTABLE) & ~(solved.rhs <= ROUNDING * stiffness)
    if np.any(bad):
        worst = int(np.argmax(np.where(np.isnan(solved.residual), np.inf, solved.residual)))
        text = STATUS_TEXT[int(solved.status[worst])]
        if solved.status[worst] == NEGATIVE_CURVATURE:
            raise NotAMinimumError(f"the linear solver {solved.solver} {text}; minimize further, or start elsewhere")
        raise ConvergenceError(
            f"the linear solver {solved.solver} {text} (relative residual {solved.residual[worst]:.3g}); "
            "minimize to a smaller fmax, or try another solver"
        )


def equilibrium_solve(
    equilibrium: Equilibrium,
    forces: jax.Array,
    *,
    solver: str = "auto",
    hessian: str = "auto",
    tolerance: float = TOLERANCE,
    like: int = 0,
    throw: bool = True,
) -> Response:
    """H⁺ f for flat right-hand sides f, shape=(p, d), zero modes projected out of them and of the answers.

    Args:
        tolerance: relative residual that is asked for; estimates need few digits.
        like: number of other right-hand sides, not zero, that were solved for here before; 0 where there were none.
        equilibrium, solver, hessian, throw: as for `equilibrium_jacobian`.
    """
    solved = _solve(equilibrium, forces, solver, tolerance, hessian, like)
    if throw:
        _refuse(equilibrium, solved)
    return _response(solved, unflattened(equilibrium.x, solved.value))


def equilibrium_jacobian(
    equilibrium: Equilibrium,
    directions: PyTree,
    *,
    solver: str = "auto",
    hessian: str = "auto",
    tolerance: float = TOLERANCE,
    throw: bool = True,
) -> Response:
    """dx*/dθ along many directions in parameter space, their right-hand sides solved together.

    Args:
        equilibrium: from `minimize`.
        directions: a tree like θ whose leaves have a leading axis of length p.
        solver: name in `SOLVERS`, or "auto".
        hessian: name in `HESSIANS`: how products with H are made, or "auto".
        tolerance: relative residual that is asked for.
        throw: raise where a recomputed residual is above `ACCEPTABLE`; otherwise the status says so.

    Returns:
        Response whose value is a tree like x with a leading axis p [Å per unit of the direction].

    Raises:
        ConvergenceError, NotAMinimumError: where a solve failed.
    """
    b = _mixed_columns(equilibrium.energy, equilibrium.x, equilibrium.theta, directions)
    solved = _solve(equilibrium, b, solver, tolerance, hessian)
    if throw:
        _refuse(equilibrium, solved)
    return _response(solved, unflattened(equilibrium.x, solved.value))


def equilibrium_response(equilibrium: Equilibrium, forces: jax.Array, *, solver: str = "auto", hessian: str = "auto") -> PyTree:
    """How an equilibrium answers to small forces on its coordinates, H⁺ f: stacked trees like x [Å].

    Args:
        equilibrium: from `minimize`.
        forces: flat, shape=(p, d) [eV/Å].
        solver, hessian: as for `equilibrium_jacobian`.

    Raises:
        ConvergenceError, NotAMinimumError: where a solve failed.
    """
    solved = _solve(equilibrium, forces, solver, TOLERANCE, hessian)
    _refuse(equilibrium, solved)
    return unflattened(equilibrium.x, solved.value)


@program
def _mixed_columns(energy: Energy, x: PyTree, theta: PyTree, directions: PyTree) -> jax.Array:
    """−∂²E/∂x∂θ along each direction, flat, shape=(p, d)."""
    return -in_batches(lambda d: ravel_pytree(mixed_product(energy, x, theta, d))[0], directions, BLOCK)


def equilibrium_jvp(
    equilibrium: Equilibrium,
    theta_dot: PyTree,
    *,
    solver: str = "auto",
    hessian: str = "auto",
    tolerance: float = TOLERANCE,
    throw: bool = True,
) -> Response:
    """dx*/dθ along one direction θ̇; as `equilibrium_jacobian`, without the leading axis."""
    stacked = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype=jnp.float64)[None], theta_dot)
    response = equilibrium_jacobian(equilibrium, stacked, solver=solver, hessian=hessian, tolerance=tolerance, throw=throw)
    return response._replace(value=jax.tree.map(lambda leaf: leaf[0], response.value))


def equilibrium_vjp(
    equilibrium: Equilibrium,
    x_bar: PyTree,
    *,
    solver: str = "auto",
    hessian: str = "auto",
    tolerance: float = TOLERANCE,
    throw: bool = True,
) -> Response:
    """Gradient of ⟨x̄, x*(θ)⟩ with respect to all parameters by one solve (adjoint); several where x̄ has a leading axis.

    Args:
        x_bar: cotangent, a tree like x, or with a leading axis k for k cotangents.
        equilibrium, solver, hessian, tolerance, throw: as for `equilibrium_jacobian`.

    Returns:
        Response whose value is a tree like θ, with the leading axis where x̄ has one.
    """
    leaf, reference = jax.tree.leaves(x_bar)[0], jax.tree.leaves(equilibrium.x)[0]
    single = jnp.ndim(leaf) == jnp.ndim(reference)
    stacked = jax.tree.map(lambda v: jnp.asarray(v, dtype=jnp.float64)[None], x_bar) if single else x_bar
    b = jax.vmap(lambda tree: ravel_pytree(tree)[0])(stacked)
    solved = _solve(equilibrium, b, solver, tolerance, hessian)
    if throw:
        _refuse(equilibrium, solved)
    value = _adjoint_rows(equilibrium.energy, equilibrium.x, equilibrium.theta, solved.value)
    return _response(solved, jax.tree.map(lambda v: v[0], value) if single else value)


@program
def _adjoint_rows(energy: Energy, x: PyTree, theta: PyTree, solutions: jax.Array) -> PyTree:
    _, unravel = ravel_pytree(x)
    return jax.lax.map(lambda u: jax.tree.map(jnp.negative, mixed_adjoint(energy, x, theta, unravel(u))), solutions)


def _response(solved: _Solved, value: PyTree) -> Response:
    return Response(
        value=value,
        residual=solved.residual,
        iterations=solved.iterations,
        status=tuple(STATUS_TEXT[int(code)] for code in solved.status),
        solver=solved.solver,
        reason=solved.reason,
        solution=solved.value,
        rhs=solved.rhs,
    )
