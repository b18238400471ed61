"""One small rattled system of two species for each potential, and jitted functions of any energy, shared by tests.

All systems have one of two shapes, so that compiled programs are shared: a free cluster, and a triclinic crystal whose cell is smaller
than every cutoff.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.forcefields import ForceField, parse_native
from md_sensitivity.structures.validate import validated
from md_sensitivity.system import EnergyFunction, build_system, energy_function
from md_sensitivity.types import Structure

SPACING = 2.6
"""Distance of nearest neighbors before rattling [Å]."""
PAIR_SETTINGS = "cutoff = 5.3\nswitch_from = 4.2"
CELL = np.array([[3.7, 0.0, 0.0], [0.5, 3.6, 0.0], [-0.4, 0.7, 3.8]])


def _pairs(style: str, values: Mapping[str, tuple[float, float, float]], settings: str = PAIR_SETTINGS) -> str:
    """TOML of a pair potential with values for A-A, A-B, B-B."""
    lines = ["[[potential]]", f'style = "{style}"', settings]
    for place, types in enumerate(("A-A", "A-B", "B-B")):
        lines += [f"[potential.parameters.{types}]", *(f"{name} = {of_types[place]!r}" for name, of_types in values.items())]
    return "\n".join(lines) + "\n"


def _sutton_chen() -> str:
    values = {"epsilon": (0.02, 0.025, 0.03), "a": (3.6, 3.5, 3.4), "n": (8.5, 9.0, 9.5), "m": (5.5, 6.0, 6.5)}
    strengths = "".join(f"[potential.parameters.{name}]\nc = {c}\n" for name, c in (("A", 28.0), ("B", 32.0)))
    return _pairs("sutton_chen", values) + strengths


def _triples(style: str, values: Mapping[str, float], **options: float) -> str:
    """TOML of a form of triples, with values for each of them near the given ones."""
    lines = ["[[potential]]", f'style = "{style}"']
    for types in product("AB", repeat=3):
        lines.append(f"[potential.parameters.{'-'.join(types)}]")
        # The two orders of one pair of different neighbors stand alike, as LAMMPS files have them.
        weight = types.count("B") + (0.5 if types[0] == "B" else 0.0)
        lines += [f"{name} = {value * (1.0 + 0.01 * weight * (1 + place % 3))!r}" for place, (name, value) in enumerate(values.items())]
        lines += [f"{name} = {value!r}" for name, value in options.items()]
    return "\n".join(lines) + "\n"


STILLINGER_WEBER = {"epsilon": 2.1, "sigma": 2.0, "a": 1.85, "lambda": 21.0, "gamma": 1.2, "costheta0": -0.333, "A": 7.05, "B": 0.602} | {
    "p": 4.0,
    "q": 0.3,
}
BOND = {"lambda2": 1.35, "B": 95.0, "R": 3.2, "D": 0.25, "lambda1": 3.2, "A": 3200.0}
TERSOFF = {"gamma": 0.9, "lambda3": 1.1, "c": 4.8, "d": 2.0, "costheta0": -0.2, "n": 1.3, "beta": 0.34} | BOND
TERSOFF_MOD = {"alpha": 1.7, "h": -0.36, "eta": 1.2, "beta_ters": 1.1} | BOND | {"n": 0.94, "c1": 0.2, "c2": 7.0, "c3": 10.0, "c4": 0.9, "c5": 2.6}
VASHISHTA = {"H": 450.0, "eta": 7.5, "Zi": 0.9, "Zj": -0.8, "lambda1": 4.4, "D": 7.8, "lambda4": 3.0, "W": 60.0, "rc": 3.35, "B": 5.0} | {
    "gamma": 0.9,
    "r0": 3.1,
    "C": 3.0,
    "costheta0": -0.3,
}
EDIP = {"A": 7.9, "B": 1.5, "cutoffA": 3.3, "cutoffC": 2.3, "alpha": 3.1, "beta": 0.0071, "eta": 0.25, "gamma": 1.1, "lambda": 1.45} | {
    "mu": 0.2,
    "rho": 1.2,
    "sigma": 0.58,
    "Q0": 3.0,
    "u1": -0.166,
    "u2": 0.5,
    "u3": 0.29,
    "u4": 0.2,
}


FORCE_FIELDS = {
    "lennard_jones": _pairs("lennard_jones", {"sigma": (2.3, 2.25, 2.1), "epsilon": (0.4, 0.3, 0.5)}, PAIR_SETTINGS),
    "morse": _pairs("morse", {"D": (0.4, 0.5, 0.3), "alpha": (1.3, 1.5, 1.4), "r0": (2.6, 2.5, 2.7)}, PAIR_SETTINGS),
    "buckingham": _pairs("buckingham", {"A": (900.0, 800.0, 700.0), "rho": (0.31, 0.3, 0.32), "C": (20.0, 25.0, 15.0)}, PAIR_SETTINGS),
    "soft_sphere": _pairs("soft_sphere", {"sigma": (3.1, 3.0, 2.9), "epsilon": (1.5, 1.2, 1.0)}, "exponent = 2.5"),
    "gupta": _pairs(
        "gupta", {"A": (0.2, 0.18, 0.15), "xi": (1.3, 1.2, 1.1), "p": (9.0, 9.5, 10.0), "q": (2.9, 3.1, 3.3), "r0": (2.6, 2.55, 2.5)}
    ),
    "sutton_chen": _sutton_chen(),
    "stillinger_weber": _triples("stillinger_weber", STILLINGER_WEBER),
    "tersoff": _triples("tersoff", TERSOFF, m=3.0),
    "tersoff_mod": _triples("tersoff_mod", TERSOFF_MOD, beta=1.0),
    "tersoff_modc": _triples("tersoff_modc", TERSOFF_MOD | {"c0": -0.1}, beta=3.0),
    "vashishta": _triples("vashishta", VASHISHTA),
    "edip": _triples("edip", EDIP),
}
"""Potential → native TOML for the types A and B."""


def mixed(mixing: str, truncation: str = "switch", more: str = "") -> str:
    """Lennard-Jones with values for the types alone."""
    settings = f'cutoff = 5.3\ntruncation = "{truncation}"\nmixing = "{mixing}"'
    species = {"A": (2.3, 0.4), "B": (2.1, 0.5)}
    tables = "".join(f"[potential.parameters.{name}]\nsigma = {s}\nepsilon = {e}\n" for name, (s, e) in species.items())
    return f'[[potential]]\nstyle = "lennard_jones"\n{settings}\n{tables}{more}'


def soft_discs(small: float) -> str:
    """Soft spheres of diameters 1 (A) and `small` (B) and equal strengths, as they are packed in two dimensions."""
    tables = "".join(f"[potential.parameters.{name}]\nsigma = {sigma}\nepsilon = 1.0\n" for name, sigma in (("A", 1.0), ("B", small)))
    return f'units = "reduced"\n[[potential]]\nstyle = "soft_sphere"\nmixing = "arithmetic"\n{tables}'


def force_field(text: str) -> ForceField:
    """The force field of TOML text."""
    return parse_native(text, "test.toml")


def structure(
    positions: np.ndarray, types: str, cell: np.ndarray | None = None, pbc: tuple[bool, bool, bool] | None = None, masses: Any = None
) -> Structure:
    """Atoms of one-letter types, periodic along all axes where a cell is given."""
    n = len(positions)
    return validated(
        Structure(
            positions=np.asarray(positions, dtype=float),
            types=tuple(types),
            numbers=np.zeros(n, dtype=int),
            cell=np.zeros((3, 3)) if cell is None else np.asarray(cell),
            pbc=np.array((cell is not None,) * 3 if pbc is None else pbc),
            masses=np.ones(n) if masses is None else np.asarray(masses, dtype=float),
            fixed=np.zeros((n, 3), dtype=bool),
        )
    )


def cluster(seed: int = 1) -> Structure:
    """Seven atoms in free space."""
    corners = np.array([[0, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1], [2, 1, 1], [1, 2, 1], [1, 1, 2]]) * SPACING / np.sqrt(2)
    return structure(corners + np.random.default_rng(seed).normal(scale=0.12, size=corners.shape), "ABAABBA")


def crystal(seed: int = 1) -> Structure:
    """Four atoms in a triclinic cell smaller than the cutoffs."""
    fractions = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    return structure(fractions @ CELL + np.random.default_rng(seed).normal(scale=0.12, size=(4, 3)), "ABBA", CELL)


STRUCTURES: dict[str, Callable[[], Structure]] = {"cluster": cluster, "crystal": crystal}


def build(text: str, of: Structure, **options: Any) -> tuple[EnergyFunction, jax.Array, Any]:
    """(E, x, θ) of TOML text and a structure."""
    field = force_field(text)
    system = build_system(of, field, **options)
    return energy_function(system), system.positions, jax.tree.map(jnp.asarray, field.parameters)


value = jax.jit(lambda energy, x, theta: energy(x, theta))
gradient = jax.jit(lambda energy, x, theta: jax.grad(energy)(x, theta))
theta_gradient = jax.jit(lambda energy, x, theta: jax.grad(energy, argnums=1)(x, theta))
strain_gradient = jax.jit(lambda energy, x, theta, strain: jax.grad(energy.strained, argnums=2)(x, theta, strain))
strained = jax.jit(lambda energy, x, theta, strain: energy.strained(x, theta, strain))


def difference(function: Callable[[float], Any], step: float) -> np.ndarray:
    """Derivative at 0 by a central difference of fourth order."""
    at = {k: np.asarray(function(k * step)) for k in (-2, -1, 1, 2)}
    return (8.0 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12.0 * step)


def along(theta: Any, direction: Any, amount: float) -> Any:
    """θ + amount × direction."""
    return jax.tree.map(lambda t, d: t + amount * d, theta, direction)


def random_like(tree: Any, seed: int, *, relative: bool = False) -> Any:
    """Random directions of a tree's shape, scaled by its values where `relative`."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=np.shape(leaf)) * (np.asarray(leaf) if relative else 1.0)), tree)


def inner(a: Any, b: Any) -> float:
    """⟨a, b⟩ of two trees."""
    return float(sum(jnp.vdot(u, v) for u, v in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)))


def close(a: Any, b: Any, tolerance: float) -> bool:
    """Whether two trees agree to `tolerance` of the largest number in them (at least 1e-3)."""
    first, second = (np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(tree)]) for tree in (a, b))
    return bool(np.abs(first - second).max() <= tolerance * max(np.abs(first).max(), np.abs(second).max(), 1e-3))
