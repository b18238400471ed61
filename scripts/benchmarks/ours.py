"""What of md_sensitivity is measured; every call into it that is timed is written here, once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.systems import CUTOFF, Crystal, force_field_text
from md_sensitivity.analysis.parameters import select_parameters
from md_sensitivity.building import build_system
from md_sensitivity.compilation import program
from md_sensitivity.curvature.operators import choose_hessian
from md_sensitivity.curvature.products import gradient
from md_sensitivity.forcefields import ForceField, ParameterRow, parse_native
from md_sensitivity.implicit import Response, equilibrium_jacobian, equilibrium_vjp
from md_sensitivity.implicit.equilibrium import streams
from md_sensitivity.minimization import MINIMIZERS, Equilibrium, minimize
from md_sensitivity.observables import BoundObservable, observable
from md_sensitivity.structures.validate import validated
from md_sensitivity.system import SKIN, EnergyFunction, energy_function
from md_sensitivity.types import Structure

Tree = Any
PLAIN_SOLVER = "cg"
PRECONDITIONED_SOLVERS: tuple[str, ...] = ("pcg",)
"""Names in `SOLVERS` that solve for a large crystal with a preconditioner; the growth of the best of them is judged."""
FIRE = "fire"
LIST_SKIN = SKIN * CUTOFF
"""What our neighbor tables reach beyond the cutoff, which the peers' lists do as well [Å]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bound:
    """A crystal with its energy, as a user of md_sensitivity has it.

    Attributes:
        rows: the free parameters, p of them.
        directions: a unit step of each, a tree like θ with a leading axis p.
    """

    made: Crystal
    energy: EnergyFunction
    x: jax.Array
    theta: Tree
    rows: tuple[ParameterRow, ...]
    directions: Tree


def bind(made: Crystal, force_field: ForceField | None = None) -> Bound:
    """The crystal as a system, with its own Lennard-Jones potential where no force field is given."""
    n = made.size
    numbers = np.full(n, 18)
    structure = validated(
        Structure(
            name=f"fcc-{n}",
            positions=made.positions,
            types=tuple(made.species[kind] for kind in made.kinds),
            numbers=numbers,
            cell=np.eye(3) * made.edge,
            pbc=np.ones(3, dtype=bool),
            masses=np.full(n, 39.948),
            fixed=np.zeros((n, 3), dtype=bool),
        )
    )
    force_field = force_field or parse_native(force_field_text(made), "benchmark")
    system = build_system(structure, force_field)
    chosen = select_parameters(force_field, structure, ())
    return Bound(
        made=made,
        energy=energy_function(system),
        x=system.positions,
        theta=force_field.parameters,
        rows=chosen.rows,
        directions=chosen.directions,
    )


_gradient = program(gradient)
_energy_and_gradient = program(lambda energy, x, theta: jax.value_and_grad(energy)(x, theta))


def force(bound: Bound) -> Callable[[], jax.Array]:
    """One ∂E/∂x, as the minimizers take it."""
    return lambda: _gradient(bound.energy, bound.x, bound.theta)


def force_and_energy(bound: Bound) -> Callable[[], tuple[jax.Array, jax.Array]]:
    """E and ∂E/∂x in one program, as the minimizers take them."""
    return lambda: _energy_and_gradient(bound.energy, bound.x, bound.theta)


_product = program(lambda stored, packed: stored.product(packed))


def hessian_products(bound: Bound, count: int) -> Callable[[], list[jax.Array]]:
    """H v for `count` vectors at once, with the operator already prepared as within a linear solve."""
    v = jax.random.normal(jax.random.key(0), (count, bound.x.size), dtype=jnp.float64)
    stored, _, _ = choose_hessian(bound.energy, bound.x, bound.theta)
    if stored is None:
        raise RuntimeError("a crystal of a pair potential has a stored Hessian")
    # Several vectors are divided among the processors, as the linear solves divide right-hand sides.
    parts = jnp.array_split(stored.pack(v), streams(count))
    pool = ThreadPoolExecutor(len(parts))
    return lambda: list(pool.map(lambda part: jax.block_until_ready(_product(stored, part)), parts))


def minimized(bound: Bound, minimizer: str) -> Equilibrium:
    """x*(θ) from the rattled start; raises where it fails."""
    return minimize(bound.energy, bound.x, bound.theta, minimizer=minimizer, curvature=False)


def minimizers() -> tuple[str, ...]:
    """Names of all minimizers."""
    return tuple(MINIMIZERS)


def some(bound: Bound, count: int) -> Tree:
    """The directions of the first parameters."""
    return jax.tree.map(lambda leaf: leaf[:count], bound.directions)


def all_parameters(equilibrium: Equilibrium, directions: Tree, solver: str = "auto") -> Response:
    """dx*/dθ along the directions: mixed derivatives, linear solves, recomputed residuals."""
    return equilibrium_jacobian(equilibrium, directions, solver=solver)


@program
def _cotangent(bound: BoundObservable, energy: EnergyFunction, x: jax.Array, theta: Tree) -> jax.Array:
    return jax.grad(lambda y: bound(energy, y, theta))(x)


def adjoint(equilibrium: Equilibrium) -> Callable[[], Response]:
    """The gradient of the pressure with respect to all parameters: its ∂O/∂x and one adjoint solve."""
    pressure = observable("pressure").bind(equilibrium)
    e = equilibrium
    return lambda: equilibrium_vjp(e, _cotangent(pressure, e.energy, e.x, e.theta))
