"""One small rattled system of two species for each potential, and jitted functions of any energy, shared by tests.

All systems have one of two shapes, so that compiled programs are shared: a free cluster, and a triclinic crystal whose cell is smaller
than every cutoff.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from md_sensitivity.building import build_system
from md_sensitivity.forcefields import ForceField, parse_native
from md_sensitivity.potentials import POTENTIALS
from md_sensitivity.potentials.base import BondedForm
from md_sensitivity.structures.validate import validated
from md_sensitivity.system import EnergyFunction, energy_function
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


def _atoms(style: str, name: str, values: tuple[float, float], settings: str) -> str:
    """TOML of a pair potential with one parameter, of single types."""
    tables = "".join(f"[potential.parameters.{types}]\n{name} = {value!r}\n" for types, value in zip("AB", values, strict=True))
    return f'[[potential]]\nstyle = "{style}"\n{settings}\n{tables}'


def _sutton_chen() -> str:
    values = {"epsilon": (0.02, 0.025, 0.03), "a": (3.6, 3.5, 3.4), "n": (8.5, 9.0, 9.5), "m": (5.5, 6.0, 6.5)}
    strengths = "".join(f"[potential.parameters.{name}]\nc = {c}\n" for name, c in (("A", 28.0), ("B", 32.0)))
    return _pairs("sutton_chen", values) + strengths


def _zhou() -> str:
    """Numbers like copper's and nickel's, with each branch of F within reach."""
    values = {
        "re": (2.6, 2.5), "fe": (1.6, 2.0), "rhoe": (16.0, 21.0), "rhos": (15.5, 20.0), "alpha": (7.7, 8.3), "beta": (4.1, 4.4),
        "A": (0.33, 0.43), "B": (0.47, 0.63), "kappa": (0.34, 0.44), "lambda": (0.87, 0.82), "Fn0": (-2.2, -2.7), "Fn1": (-0.2, -0.3),
        "Fn2": (0.59, 0.44), "Fn3": (-1.41, -1.96), "F0": (-2.2, -2.7), "F1": (0.05, 0.02), "F2": (0.68, 0.84), "F3": (0.64, -0.1),
        "eta": (0.51, 0.56), "Fe": (-2.2, -2.7),
    }  # fmt: skip
    lines = ["[[potential]]", 'style = "eam_zhou"', PAIR_SETTINGS]
    for place, name in enumerate("AB"):
        lines += [f"[potential.parameters.{name}]", *(f"{key} = {of_types[place]!r}" for key, of_types in values.items())]
    return "\n".join(lines) + "\n"


_DRHO = 13.7


def _embedded_tables(style: str) -> str:
    """Tables of smooth functions with few knots, so that no pair of the systems is near one."""
    r, rho = 1.064 * np.arange(6), _DRHO * np.arange(8)
    ends = np.where(r < 5.4, (1.0 - r / 5.4) ** 3, 0.0)

    def knots(values: np.ndarray) -> str:
        return repr([float(value) for value in values])

    def curve(scale: float, decay: float) -> np.ndarray:
        return scale * np.exp(-decay * (r - 2.6)) * ends

    lines = ["[[potential]]", f'style = "{style}"', "nrho = 8", f"drho = {_DRHO!r}", "nr = 6", "dr = 1.064", "cutoff = 5.3"]
    for name, depth, give in (("A", 0.9, 9.0), ("B", 1.1, 11.0)):
        lines += [f"[potential.parameters.{name}]", f'"embedding.knot" = {knots(-depth * np.sqrt(rho) + 0.02 * rho)}']
        lines += [f'"embedding.scale" = {1.0 + 0.1 * depth}']
        if style != "eam_fs":
            lines += [f'"density.knot" = {knots(curve(give, 0.9))}', f'"density.scale" = {1.0 - 0.1 * depth}']
        if style == "eam_funcfl":
            lines += [f'"charge.knot" = {knots(curve(1.5 * depth, 0.7))}']
    for place, types in enumerate(("A-A", "A-B", "B-B", "B-A")):
        lines.append(f"[potential.parameters.{types}]")
        if style == "eam_fs":
            lines += [f'"density.knot" = {knots(curve(9.0 + place, 0.9 + 0.1 * place))}', f'"density.scale" = {1.0 - 0.02 * place}']
        if types != "B-A":
            lines += [] if style == "eam_funcfl" else [f'"pair.knot" = {knots(r * curve(2.0 + 0.3 * place, 1.4))}']
            lines += [f'"pair.scale" = {1.0 + 0.05 * place}']
        elif style != "eam_fs":
            lines.pop()
    return "\n".join(lines) + "\n"


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


def _snap() -> str:
    """A quadratic potential of the smallest bispectrum that is any use, like bonds of 2.5 Å and 0.4 eV."""
    options = "twojmax = 2\nrcutfac = 1.0\nrmin0 = 0.1\nquadraticflag = 1"
    species = {
        "A": (1.87, 1.0, [
            0.0, -0.0206, 0.256, 0.242, 0.0242, -0.123, -0.00193, 0.0053, -0.00249, 0.00562, -0.0124, -0.00961, -0.0143, -0.0152, 0.0769,
            0.0314, 0.0739, -0.0776, 0.0316, 0.00279, 0.0218,
        ]),
        "B": (1.81, 0.8, [
            0.0, 0.0481, 0.0951, 0.15, -0.103, -0.0664, -0.0014, 0.000193, 0.00295, -0.0018, -0.00121, 0.0106, -0.0114, 0.0218, 0.0593,
            -0.0554, 0.0211, -0.0513, 0.0277, -0.0076, 0.054,
        ]),
    }  # fmt: skip
    tables = (f"[potential.parameters.{name}]\nradius = {r}\nweight = {w}\nbeta = {beta}\n" for name, (r, w, beta) in species.items())
    return f'[[potential]]\nstyle = "snap"\n{options}\n{"".join(tables)}'


STILLINGER_WEBER = {"epsilon": 2.1, "sigma": 2.0, "a": 1.85, "lambda": 21.0, "gamma": 1.2, "costheta0": -0.333, "A": 7.05, "B": 0.602} | {
    "p": 4.0,
    "q": 0.3,
}
BOND = {"lambda2": 1.35, "B": 95.0, "R": 2.84, "D": 0.3, "lambda1": 3.2, "A": 3200.0}
TERSOFF = {"gamma": 0.9, "lambda3": 1.1, "c": 4.8, "d": 2.0, "costheta0": -0.2, "n": 1.3, "beta": 0.34} | BOND
TERSOFF_MOD = {"alpha": 1.7, "h": -0.36, "eta": 1.2, "beta_ters": 1.1} | BOND
TERSOFF_MOD |= {"n": 0.94, "c1": 0.2, "c2": 7.0, "c3": 10.0, "c4": 0.9, "c5": 2.6}
VASHISHTA = {"H": 450.0, "eta": 7.5, "Zi": 0.9, "Zj": -0.8, "lambda1": 4.4, "D": 7.8, "lambda4": 3.0, "W": 60.0, "rc": 3.25, "B": 5.0} | {
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
    "lennard_jones_rmin": _pairs("lennard_jones_rmin", {"rmin_half": (1.29, 1.26, 1.18), "epsilon": (0.4, 0.3, 0.5)}, PAIR_SETTINGS),
    "morse": _pairs("morse", {"D": (0.4, 0.5, 0.3), "alpha": (1.3, 1.5, 1.4), "r0": (2.6, 2.5, 2.7)}, PAIR_SETTINGS),
    "buckingham": _pairs("buckingham", {"A": (900.0, 800.0, 700.0), "rho": (0.31, 0.3, 0.32), "C": (20.0, 25.0, 15.0)}, PAIR_SETTINGS),
    "mie": _pairs(
        "mie", {"epsilon": (0.4, 0.3, 0.5), "sigma": (2.3, 2.25, 2.1), "n": (11.0, 12.5, 9.5), "m": (6.0, 5.5, 6.5)}
    ),
    "born_mayer_huggins": _pairs(
        "born_mayer_huggins",
        {"A": (0.8, 0.7, 0.6), "rho": (0.31, 0.3, 0.32), "sigma": (2.2, 2.1, 2.0), "C": (20.0, 25.0, 15.0), "D": (9.0, -8.0, 7.0)},
    ),
    "yukawa": _pairs("yukawa", {"A": (4.0, -3.0, 5.0), "kappa": (0.3, 0.4, 0.5)}),
    "inverse_power": _pairs("inverse_power", {"epsilon": (0.4, 0.3, 0.5), "sigma": (2.3, 2.25, 2.1), "n": (6.0, 7.5, 9.0)}),
    "zbl": _atoms("zbl", "Z", (13.0, 8.0), "inner = 2.9\nouter = 4.5"),
    "coulomb": _atoms("coulomb", "q", (1.2, -0.9), PAIR_SETTINGS),
    "coulomb_ewald": _atoms("coulomb_ewald", "q", (1.2, -0.9), f"{PAIR_SETTINGS}\ntolerance = 1e-14"),
    "coulomb_pme": _atoms("coulomb_pme", "q", (1.2, -0.9), f"{PAIR_SETTINGS}\ntolerance = 1e-13\norder = 10"),
    "coulomb_dsf": _atoms("coulomb_dsf", "q", (1.2, -0.9), "alpha = 0.25\ncutoff = 5.3"),
    "coulomb_wolf": _atoms("coulomb_wolf", "q", (1.2, -0.9), "alpha = 0.4\ncutoff = 5.3"),
    "soft_sphere": _pairs("soft_sphere", {"sigma": (3.1, 3.0, 2.9), "epsilon": (1.5, 1.2, 1.0)}, "exponent = 2.5"),
    "gupta": _pairs(
        "gupta", {"A": (0.2, 0.18, 0.15), "xi": (1.3, 1.2, 1.1), "p": (9.0, 9.5, 10.0), "q": (2.9, 3.1, 3.3), "r0": (2.6, 2.55, 2.5)}
    ),
    "sutton_chen": _sutton_chen(),
    "finnis_sinclair": _pairs(
        "finnis_sinclair",
        {
            "A": (1.9, 1.7, 1.5), "d": (4.256, 4.989, 4.152), "beta": (0.2, 0.0, -0.1), "c": (4.031, 3.838, 3.746), "c0": (8.0, 7.0, 6.0),
            "c1": (-3.0, -2.5, -2.0), "c2": (0.4, 0.3, 0.25),
        },
        "",
    ),
    "eam_zhou": _zhou(),
    "eam": _embedded_tables("eam"),
    "eam_fs": _embedded_tables("eam_fs"),
    "eam_funcfl": _embedded_tables("eam_funcfl"),
    "snap": _snap(),
    "stillinger_weber": _triples("stillinger_weber", STILLINGER_WEBER),
    "tersoff": _triples("tersoff", TERSOFF, m=3.0),
    "tersoff_mod": _triples("tersoff_mod", TERSOFF_MOD, beta=1.0),
    "tersoff_modc": _triples("tersoff_modc", TERSOFF_MOD | {"c0": -0.1}, beta=3.0),
    "vashishta": _triples("vashishta", VASHISHTA),
    "edip": _triples("edip", EDIP),
}
"""Potential → native TOML for the types A and B."""

BONDED = {name for name, form in POTENTIALS.items() if isinstance(form, BondedForm)}
"""Potentials of listed atoms, which are tried by themselves."""
PERIODIC = ("coulomb_ewald", "coulomb_pme")
"""Potentials of crystals alone; without a cutoff, in free space, they are Coulomb's law as it stands."""

GLUE = _pairs("morse", {"D": (0.9, 1.0, 0.8), "alpha": (1.3, 1.5, 1.4), "r0": (2.6, 2.5, 2.7)}, f'name = "glue"\n{PAIR_SETTINGS}')
"""What holds atoms together whose own potential does not."""
LOOSE = ("yukawa", "zbl", "inverse_power", "coulomb", "coulomb_ewald", "coulomb_pme", "coulomb_dsf", "coulomb_wolf")
"""Potentials that hold nothing together."""


def held(potential: str) -> str:
    """A force field with the potential that has minima."""
    return FORCE_FIELDS[potential] + (GLUE if potential in LOOSE else "")


AT_ONCE = ("lennard_jones", "soft_sphere", "coulomb_dsf", "coulomb_ewald", "gupta", "eam_fs", "stillinger_weber", "tersoff")
"""Potentials of each kind: of pairs with and without their own end, with charges, with waves, embedded, tabulated, angular, bonding."""


def sampled(names: Iterable[str]) -> list[Any]:
    """Names of potentials for expensive tests: one of each kind in each run of the tests, the others with `-m slow`."""
    return [name if name in AT_ONCE else pytest.param(name, marks=pytest.mark.slow) for name in names]


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


ANYWHERE = tuple(name for name in FORCE_FIELDS if name not in PERIODIC)
"""Potentials that need no crystal."""

STRUCTURES: dict[str, Callable[[], Structure]] = {"cluster": cluster, "crystal": crystal}


def shaped(names: Iterable[str] = FORCE_FIELDS) -> list[Any]:
    """Potentials with the shapes that they are made for, for `parametrize`; names may be those of `sampled`."""
    found = []
    for name in names:
        values, marks = (name.values, name.marks) if hasattr(name, "values") else ((name,), ())
        found += [pytest.param(*values, shape, marks=marks) for shape in STRUCTURES if shape == "crystal" or values[0] not in PERIODIC]
    return found


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
