"""Elastic constants with relaxed ions, their clamped-ion and nonaffine parts, and what follows from them.

C_ij = ∂σ_i/∂ε_j: how the Cauchy stress answers to a small strain from the state at hand, which may be stressed. Under a hydrostatic
pressure these are the second derivatives of the enthalpy. Under any other stress ∂σ_i/∂ε_j is not symmetric, and its symmetric part is
given. Sources: Barron and Klein, doi:10.1088/0370-1328/85/3/313; Wallace, Thermodynamics of Crystals (1972), equation 2.36.

Atoms answer to a strain e by displacements u, which minimize the energy to second order: u = −H⁺ ∂²E/∂x∂ε e. Because C =
D²E[(e, u), (e, u)]/V is stationary in u, its value *and its first derivatives* are right with these displacements held fixed, so that
derivatives of C with respect to parameters, positions and cell are third derivatives of E along known directions. Source: Lutsko,
doi:10.1063/1.342716.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.compilation import program
from md_sensitivity.enthalpy import EnthalpyFunction
from md_sensitivity.errors import UsageError
from md_sensitivity.implicit.equilibrium import equilibrium_response
from md_sensitivity.minimization import Equilibrium
from md_sensitivity.neighbors import on_device
from md_sensitivity.observables.base import Data, Observable, ObservableKind, system_of
from md_sensitivity.observables.stress import COMPONENTS, pressure_unit, strained_along
from md_sensitivity.voigt import VOIGT

_IN_PLANE = (0, 1, 5)
"""Voigt components of a crystal in two dimensions."""


def _stress_terms() -> np.ndarray:
    """What turns second derivatives along F = 1 + ε into ∂σ/∂ε, as a linear map of σ, shape=(6, 6, 6).

    ¼(σ_ik δ_jl + σ_il δ_jk + σ_jk δ_il + σ_jl δ_ik) − ½(σ_ij δ_kl + δ_ij σ_kl)
    """
    found = np.zeros((6, 6, 6))
    one = np.eye(3)
    for m, (c, d) in enumerate(VOIGT):
        s = np.zeros((3, 3))
        s[c, d] = s[d, c] = 1.0
        for a, (i, j) in enumerate(VOIGT):
            for b, (k, n) in enumerate(VOIGT):
                mixed = 0.25 * (s[i, k] * one[j, n] + s[i, n] * one[j, k] + s[j, k] * one[i, n] + s[j, n] * one[i, k])
                found[a, b, m] = mixed - 0.5 * (s[i, j] * one[k, n] + one[i, j] * s[k, n])
    return found


_STRESS_TERMS = _stress_terms()


@program
def _strain_forces(energy: Any, x: jax.Array, theta: Any, directions: jax.Array) -> jax.Array:
    """−∂²E/∂x∂ε along some strains, flat, shape=(k, d) [eV/Å]."""

    def of(direction: jax.Array) -> jax.Array:
        def slope(strain: jax.Array) -> jax.Array:
            return jax.grad(energy.strained)(x, theta, strain) * energy.mobility(x)

        return -jax.jvp(slope, (jnp.zeros((3, 3)),), (direction,))[1].reshape(-1)

    return jax.lax.map(of, directions)


def _bind(equilibrium: Equilibrium, asked: Observable) -> Data:
    """Displacements of the atoms under each strain, in the cell of the equilibrium."""
    system = system_of(equilibrium, asked.name)
    d = system.dimensions
    if not all(system.pbc[:d]):
        raise UsageError(f"elastic constants are offered where all {d} axes are periodic, not for clusters and slabs")
    energy = equilibrium.energy
    if isinstance(energy, EnthalpyFunction):
        # The spectrum that is known is that of atoms and strains together.
        inner, positions = energy.placed(equilibrium.x)
        equilibrium = replace(equilibrium, energy=inner, x=positions, spectrum=None)
    places = range(6) if d == 3 else _IN_PLANE
    strains = COMPONENTS[list(places)]
    forces = _strain_forces(equilibrium.energy, equilibrium.x, equilibrium.theta, strains)
    moved = equilibrium_response(equilibrium, forces)
    return on_device({"strain": strains, "moved": np.asarray(moved), "place": np.array(places), "unit": np.float64(pressure_unit(system))})


def _second(energy: Any, x: Any, theta: Any, data: Data, *, relaxed: bool) -> jax.Array:
    """D²E along each pair of strains, with the displacements or without, shape=(k, k) [eV]."""
    moved = data["moved"] if relaxed else jnp.zeros_like(data["moved"])

    def slope(u: jax.Array, strain: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.grad(lambda u, strain: energy.strained(_displaced(x, u), theta, strain), argnums=(0, 1))(u, strain)

    start = (jnp.zeros_like(moved[0]), jnp.zeros((3, 3)))

    def row(along: tuple[jax.Array, jax.Array]) -> jax.Array:
        by_atoms, by_strain = jax.jvp(slope, start, along)[1]
        return jnp.tensordot(moved, by_atoms, axes=2) + jnp.tensordot(data["strain"], by_strain, axes=2)

    found = jax.lax.map(row, (moved, data["strain"]))
    return 0.5 * (found + found.T)


def _displaced(x: Any, u: jax.Array) -> Any:
    return x._replace(positions=x.positions + u) if hasattr(x, "positions") else x + u


def _in_voigt(energy: Any, x: Any, theta: Any, data: Data, second: jax.Array) -> jax.Array:
    """Elastic constants from second derivatives, shape=(6, 6) [GPa, or the unit of the pressure]; zeros where there is no strain."""
    place = data["place"]
    stress = jnp.zeros(6).at[place].set(jax.lax.map(lambda strain: strained_along(energy, x, theta, strain), data["strain"]))
    terms = jnp.tensordot(jnp.asarray(_STRESS_TERMS), stress, axes=1)
    full = jnp.zeros((6, 6)).at[place[:, None], place[None, :]].set(second + terms[place[:, None], place[None, :]])
    return data["unit"] / energy.volume(x) * full


def _constants(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    return _in_voigt(energy, x, theta, data, _second(energy, x, theta, data, relaxed=True))


def _clamped(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    return _in_voigt(energy, x, theta, data, _second(energy, x, theta, data, relaxed=False))


def _nonaffine(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    return _constants(energy, x, theta, data) - _clamped(energy, x, theta, data)


def _bulk_and_shear(c: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Bulk and shear modulus of a polycrystal, means of Voigt's and Reuss's bounds. Source: Hill, doi:10.1088/0370-1298/65/5/307."""
    s = jnp.linalg.inv(c)

    def sums(m: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        return m[0, 0] + m[1, 1] + m[2, 2], m[0, 1] + m[0, 2] + m[1, 2], m[3, 3] + m[4, 4] + m[5, 5]

    (axial, lateral, shear), (axial_s, lateral_s, shear_s) = sums(c), sums(s)
    bulk = 0.5 * ((axial + 2.0 * lateral) / 9.0 + 1.0 / (axial_s + 2.0 * lateral_s))
    voigt, reuss = (axial - lateral + 3.0 * shear) / 15.0, 15.0 / (4.0 * axial_s - 4.0 * lateral_s + 3.0 * shear_s)
    return bulk, 0.5 * (voigt + reuss)


def _young(bulk: jax.Array, shear: jax.Array) -> jax.Array:
    return 9.0 * bulk * shear / (3.0 * bulk + shear)


def _poisson(bulk: jax.Array, shear: jax.Array) -> jax.Array:
    return (3.0 * bulk - 2.0 * shear) / (2.0 * (3.0 * bulk + shear))


def _modulus(of: Callable[[jax.Array, jax.Array], jax.Array]) -> Callable[..., jax.Array]:
    return lambda energy, x, theta, data: of(*_bulk_and_shear(_constants(energy, x, theta, data)))


_MANDEL = np.sqrt(np.outer([1, 1, 1, 2, 2, 2], [1, 1, 1, 2, 2, 2]))


def _stability(energy: Any, x: Any, theta: Any, data: Data) -> jax.Array:
    """Source: Mouhat and Coudert, doi:10.1103/PhysRevB.90.224104."""
    c = _constants(energy, x, theta, data) * _MANDEL
    return jnp.linalg.eigvalsh(0.5 * (c + c.T))[0]


def _bind_solid(equilibrium: Equilibrium, asked: Observable) -> Data:
    if system_of(equilibrium, asked.name).dimensions != 3:
        raise UsageError(f"observable {asked.name} is for three dimensions; in two, ask for elastic_constants")
    return _bind(equilibrium, asked)


def _matrix(name: str, description: str, evaluate: Callable[..., jax.Array]) -> ObservableKind:
    return ObservableKind(
        name=name, description=description, unit="GPa", components=36, evaluate=evaluate, bind=_bind, of_cell=True, local=True
    )


def _scalar(name: str, description: str, evaluate: Callable[..., jax.Array], unit: str = "GPa") -> ObservableKind:
    return ObservableKind(name=name, description=description, unit=unit, evaluate=evaluate, bind=_bind_solid, of_cell=True, local=True)


ELASTIC_CONSTANTS = _matrix("elastic_constants", "∂σ/∂ε with relaxed ions, 6×6 Voigt, engineering shear", _constants)
BORN = _matrix("born_elastic_constants", "their part with clamped ions, whose fractional coordinates do not answer to strain", _clamped)
NONAFFINE = _matrix("nonaffine_elastic_constants", "their part that the answer of the ions adds, which makes softer", _nonaffine)
BULK_MODULUS = _scalar("bulk_modulus", "of a polycrystal, mean of Voigt's and Reuss's bounds", _modulus(lambda bulk, shear: bulk))
SHEAR_MODULUS = _scalar("shear_modulus", "of a polycrystal, mean of Voigt's and Reuss's bounds", _modulus(lambda bulk, shear: shear))
YOUNG_MODULUS = _scalar("young_modulus", "of a polycrystal, from bulk and shear modulus", _modulus(_young))
POISSON_RATIO = _scalar("poisson_ratio", "of a polycrystal, from bulk and shear modulus", _modulus(_poisson), unit="1")
ELASTIC_STABILITY = _scalar(
    "elastic_stability", "smallest eigenvalue of the elastic constants (Mandel notation); positive where the crystal is stable", _stability
)
