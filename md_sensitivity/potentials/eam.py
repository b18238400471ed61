"""Tabulated embedded-atom potentials: splines through the numbers of a file, with a scale for each function.

Three layouts of tables exist, which differ in what density and pair energy depend on; each is a form of its own. The splines are those
of LAMMPS.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Distance, EmbeddedForm, EmbeddedTables, Options, OptionSpec, ParameterSpec
from md_sensitivity.potentials.splines import Cubics, cubics, value

HARTREE_BOHR = 27.2 * 0.529
"""[eV Å], as LAMMPS takes it: the pair energy of funcfl files is this times Z_i Z_j / r."""


def _curve(p: Coefficients, name: str) -> Cubics:
    return p[f"{name}.3"], p[f"{name}.2"], p[f"{name}.1"], p[f"{name}.0"]


def _curves(name: str, knots: jax.Array) -> dict[str, jax.Array]:
    return {f"{name}.{k}": part for k, part in zip((3, 2, 1, 0), cubics(knots), strict=True)}


def pair(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = scale · z(r)/r [eV], z tabulated [eV Å]."""
    return p["pair.scale"] * _of_distance("pair", d, p, options) * d.r * d.inverse_square


def density(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """f, in the file's own unit of density."""
    return p["density.scale"] * _of_distance("density", d, p, options)


def _of_distance(name: str, d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """A tabulated function; zero beyond the cutoff, before which tables need not end."""
    return jnp.where(d.r < options["cutoff"], value(_curve(p, name), p[name], int(options["nr"]), d.r / options["dr"]), 0.0)


def embedding(rho: jax.Array, p: Coefficients, options: Options) -> jax.Array:
    """F(ρ) [eV], continued as a straight line beyond the last knot."""
    n = int(options["nrho"])
    curve, t = _curve(p, "embedding"), rho / options["drho"]
    beyond = jnp.where(t > n - 1, t - (n - 1), 0.0)
    last_slope = curve[2].at[p["embedding"] * n + n - 1].get(mode="promise_in_bounds")
    return p["embedding.scale"] * (value(curve, p["embedding"], n, t) + last_slope * beyond)


def natural_range(p: Coefficients, options: Options) -> jax.Array:
    """The file's cutoff for each pair, shape=(s, s) [Å]."""
    return jnp.full(p["pair"].shape, options["cutoff"])


def tables(p: Coefficients, options: Options, *, of_pairs: bool, charges: bool) -> EmbeddedTables:
    """Which curve serves whom.

    Args:
        of_pairs: densities depend on the center, too.
        charges: pair energies come from effective charges Z of types.
    """
    count = p["embedding.scale"].shape[0]
    types = jnp.arange(count, dtype=jnp.int32)
    every = types[:, None] * count + types[None, :]
    given = p["density.scale"]
    pairs = {
        "pair": every,
        "pair.scale": p["pair.scale"],
        # Rows are centers: what a neighbor gives depends on its own type, which is the column.
        "density": every if of_pairs else jnp.broadcast_to(types[None, :], every.shape),
        "density.scale": given if of_pairs else jnp.broadcast_to(given[None, :], every.shape),
    }
    if charges:
        z = p["charge.knot"]
        z = HARTREE_BOHR * z[:, None] * z[None, :]
    else:
        z = p["pair.knot"]
    shared = _curves("pair", z.reshape(count * count, -1))
    shared |= _curves("density", p["density.knot"].reshape(-1, p["density.knot"].shape[-1]))
    shared |= _curves("embedding", p["embedding.knot"])
    return EmbeddedTables(pairs=pairs, atoms={"embedding": types, "embedding.scale": p["embedding.scale"]}, shared=shared)


def _scale(name: str, types: int, what: str, *, ordered: bool = False) -> ParameterSpec:
    return ParameterSpec(name=f"{name}.scale", types=types, ordered=ordered, default=1.0, description=f"factor of {what}")


def _knots(name: str, types: int, grid: str, what: str, *, ordered: bool = False, energy: float = 0, length: float = 0) -> ParameterSpec:
    return ParameterSpec(
        name=f"{name}.knot", types=types, ordered=ordered, count=lambda options: int(options[grid]), fixed=True, energy=energy,
        length=length, description=f"values of {what} at its knots",
    )  # fmt: skip


_OPTIONS = (
    OptionSpec(name="nrho", default=None, lower=5, whole=True, description="number of knots of embedding functions"),
    OptionSpec(name="drho", default=None, lower=1e-12, description="their distance, in the file's own unit of density"),
    OptionSpec(name="nr", default=None, lower=5, whole=True, description="number of knots of functions of distance"),
    OptionSpec(name="dr", default=None, lower=1e-12, length=1, description="their distance"),
    OptionSpec(name="cutoff", default=None, lower=1e-12, length=1, description="distance at which interactions end"),
)


def _form(
    name: str, description: str, parameters: tuple[ParameterSpec, ...], *, of_pairs: bool = False, charges: bool = False
) -> EmbeddedForm:
    embedded = (_scale("embedding", 1, "the embedding energy F(ρ)"), _knots("embedding", 1, "nrho", "F(ρ)", energy=1))
    return EmbeddedForm(
        name=name,
        label="eam",
        description=description,
        reference="doi:10.1103/PhysRevB.29.6443",
        parameters=embedded + parameters,
        options=_OPTIONS,
        tables=partial(tables, of_pairs=of_pairs, charges=charges),
        pair=pair,
        density=density,
        embedding=embedding,
        natural_range=natural_range,
    )


_PAIR = (_scale("pair", 2, "the pair energy φ(r)"), _knots("pair", 2, "nr", "r φ(r)", energy=1, length=1))
_DENSITY = (_scale("density", 1, "the density that an atom gives"), _knots("density", 1, "nr", "the density that an atom gives"))
EAM = _form("eam", "tabulated EAM, one density for each type (eam.alloy)", (*_DENSITY, *_PAIR))
EAM_FS = _form(
    "eam_fs",
    "tabulated EAM of Finnis-Sinclair kind, a density for each ordered pair of types (eam.fs)",
    (
        _scale("density", 2, "the density that the second type gives to the first", ordered=True),
        _knots("density", 2, "nr", "the density that the second type gives to the first", ordered=True),
        *_PAIR,
    ),
    of_pairs=True,
)
EAM_FUNCFL = _form(
    "eam_funcfl",
    "tabulated EAM of single elements, pair energies from effective charges (eam)",
    (
        *_DENSITY,
        _knots("charge", 1, "nr", "the effective charge", energy=0.5, length=0.5),
        _scale("pair", 2, "the pair energy φ(r)"),
    ),
    charges=True,
)
