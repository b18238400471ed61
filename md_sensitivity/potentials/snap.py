"""Spectral neighbor analysis potential (SNAP): an energy linear or quadratic in the bispectrum of each atom's neighbors."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.potentials.base import Coefficients, Edges, ManyBodyForm, Options, OptionSpec, ParameterSpec
from md_sensitivity.potentials.bispectrum import Component, components, integrals, weighted_sum
from md_sensitivity.potentials.hypersphere import Point, expansion, moments


def energy(edges: Edges, p: Coefficients, options: Options) -> jax.Array:
    """Energy of each atom, shape=(n,) [eV]: β₀ + Σ_k β_k B_k, or with ½ Σ_kl α_kl B_k B_l in addition.

    Sources: Thompson et al., doi:10.1016/j.jcp.2014.12.018; quadratic: Wood and Thompson, doi:10.1063/1.5017641; several elements:
    Cusentino, Wood and Thompson, doi:10.1021/acs.jpca.0c02450.
    """
    space = expansion(int(options["twojmax"]))
    of, own = _components(options), _own(edges, p, options)
    parts = [
        part + own[element] * pole[:, None]
        for element, given in enumerate(_moments(edges, p, options))
        for part, pole in zip(space.parts(given), space.pole, strict=True)
    ]
    beta = _of_center(p["beta"], edges)
    linear = beta[1 : len(of) + 1]
    sizes = np.array([1.0 if options["bnormflag"] else component.size for component in of])
    # The bispectrum of an atom alone, which is what its own density gives.
    alone = jnp.stack([size * math.prod(own[e] for e in component.elements) for size, component in zip(sizes, of, strict=True)])
    offset = alone if options["bzeroflag"] else jnp.zeros_like(alone)
    if not options["quadraticflag"]:
        strengths = [size * strength for size, strength in zip(sizes, linear, strict=True)]
        return beta[0] - jnp.sum(linear * offset, axis=0) + weighted_sum(parts, space.weights, of, strengths)
    b = sizes[:, None] * integrals(parts, space.weights, of) - offset
    return beta[0] + jnp.sum(b * (linear + 0.5 * _curvature(b, p["beta"], edges, of)), axis=0)


def _moments(edges: Edges, p: Coefficients, options: Options) -> list[jax.Array]:
    """Sums over the neighbors of each element (of all, where elements are not told apart), shape=(n, products) each."""
    point, weight = _on_sphere(edges, p, options)
    degree = int(options["twojmax"])
    if not options["chemflag"]:
        return [moments(point, weight, degree)]
    element = p["element"][edges.neighbor]
    return [moments(point, jnp.where(element == k, weight, 0.0), degree) for k in range(_elements(options))]


def _on_sphere(edges: Edges, p: Coefficients, options: Options) -> tuple[Point, jax.Array]:
    """Neighbors on the hypersphere, and their weights, shape=(n, e): θ₀ = rfac0 π (r − rmin0)/(R − rmin0) from the pole."""
    types = p["radius"].shape[0]
    pair = edges.center * types + edges.neighbor
    reach = pair_range(p, options).reshape(-1)[pair]
    square = edges.x**2 + edges.y**2 + edges.z**2
    inside = edges.mask & (square < reach**2)
    # Any place well inside serves those that are not there: their weights are zero.
    x, y, z = (jnp.where(inside, value, 0.0) for value in (edges.x, edges.y, edges.z))
    r = jnp.sqrt(jnp.where(inside, square, 1.0))
    fraction = (r - options["rmin0"]) / (reach - options["rmin0"])
    angle = options["rfac0"] * jnp.pi * fraction
    # Nearer than rmin0 LAMMPS's neighbors stand on the other side of the hypersphere: its energies jump there, and so do these.
    side = jnp.where(fraction > 0, 1.0, -1.0)
    s = side * jnp.sin(angle) / r
    weight = p["weight"][edges.neighbor]
    if options["switchflag"]:
        weight = weight * jnp.where(fraction > 0, 0.5 + 0.5 * jnp.cos(jnp.pi * fraction), 1.0)
    if options["switchinnerflag"]:
        center, half = (_mean(p[name]).reshape(-1)[pair] for name in ("sinner", "dinner"))
        ramp = jnp.clip((r - center) / half, -1.0, 1.0)
        weight = weight * 0.5 * (1.0 + jnp.sin(0.5 * jnp.pi * ramp))
    return Point(side * jnp.cos(angle), s * x, s * y, s * z), jnp.where(inside, weight, 0.0)


def _own(edges: Edges, p: Coefficients, options: Options) -> list[jax.Array]:
    """What each atom adds to the density of each element at its own place, shape=(n,) each: 1 or 0."""
    one = jnp.ones(edges.center.shape[0])
    if not options["chemflag"]:
        return [one]
    element = p["element"][edges.center[:, 0]]
    return [one if options["wselfallflag"] else jnp.where(element == k, 1.0, 0.0) for k in range(_elements(options))]


def _of_center(values: jax.Array, edges: Edges) -> jax.Array:
    """Values of types, shape=(s, count), of each center, shape=(count, n), or (count, 1) where there is one type only."""
    return values.T if values.shape[0] == 1 else values[edges.center[:, 0]].T


def _curvature(b: jax.Array, beta: jax.Array, edges: Edges, of: tuple[Component, ...]) -> jax.Array:
    """Σ_l α_kl B_l of each atom, shape=(components, n); the file gives the upper triangle of α, row by row."""
    count = len(of)
    place = np.zeros((count, count), dtype=int)
    upper = np.triu_indices(count)
    place[upper] = place.T[upper] = np.arange(len(upper[0]))
    found = [beta[kind, count + 1 :][place] @ b for kind in range(beta.shape[0])]
    return found[0] if len(found) == 1 else jnp.select([edges.center[:, 0] == kind for kind in range(len(found))], found)


def _components(options: Options) -> tuple[Component, ...]:
    return components(int(options["twojmax"]), _elements(options))


def _elements(options: Options) -> int:
    """How many elements have a density of their own."""
    return int(options["elements"]) if options["chemflag"] else 1


def _mean(values: jax.Array) -> jax.Array:
    """Arithmetic means of values of types, shape=(s, s)."""
    return 0.5 * (values[:, None] + values[None, :])


def count(options: Options) -> int:
    """How many coefficients an element has: the constant, the linear ones and, where there are any, the quadratic ones."""
    linear = len(_components(options))
    return 1 + linear + (linear * (linear + 1) // 2 if options["quadraticflag"] else 0)


def pair_range(p: Coefficients, options: Options) -> jax.Array:
    """rcutfac · (R_i + R_j) of each pair of types, shape=(s, s) [Å]."""
    return 2.0 * options["rcutfac"] * _mean(p["radius"])


def kinks(p: Coefficients, options: Options) -> tuple[jax.Array, ...]:
    """Where the curvature of what a neighbor adds jumps, shape=(s, s) each [Å]."""
    reach = pair_range(p, options)
    found = [reach]
    if options["rmin0"] > 0:
        found.append(jnp.full_like(reach, options["rmin0"]))
    if options["switchinnerflag"]:
        found += [_mean(p["sinner"]) - _mean(p["dinner"]), _mean(p["sinner"]) + _mean(p["dinner"])]
    return tuple(found)


def _flag(name: str, default: float, description: str) -> OptionSpec:
    return OptionSpec(name=name, default=default, lower=0, upper=1, whole=True, description=description)


SNAP = ManyBodyForm(
    name="snap",
    description="spectral neighbor analysis potential (SNAP): linear or quadratic in the bispectrum",
    reference="doi:10.1016/j.jcp.2014.12.018",
    order=1,
    parameters=(
        ParameterSpec(name="radius", length=1, lower=0, open_lower=True, fixed=True, description="radius that makes the range"),
        ParameterSpec(name="weight", fixed=True, description="weight as a neighbor"),
        ParameterSpec(
            name="beta", energy=1, count=count, description="coefficients: constant, linear, upper triangle of quadratic"
        ),
        ParameterSpec(name="element", default=0, option=True, description="place among the elements of chemflag, from 0"),
        ParameterSpec(name="sinner", length=1, default=0, option=True, description="center of the inner switch"),
        ParameterSpec(name="dinner", length=1, default=1, option=True, description="half the width of the inner switch"),
    ),
    options=(
        OptionSpec(name="twojmax", default=None, lower=0, upper=16, whole=True, description="twice the largest j of the bispectrum"),
        OptionSpec(name="rcutfac", default=None, lower=0, description="range as a multiple of the sum of two radii"),
        OptionSpec(name="rfac0", default=0.99363, lower=0, upper=1, description="angle on the hypersphere at the range, in units of π"),
        OptionSpec(name="rmin0", default=0.0, length=1, description="distance that is the pole of the hypersphere"),
        _flag("switchflag", 1, "whether weights go to zero at the range"),
        _flag("bzeroflag", 1, "whether the bispectrum of an atom alone is subtracted"),
        _flag("quadraticflag", 0, "whether there are quadratic terms"),
        _flag("chemflag", 0, "whether each element has a density of its own"),
        _flag("bnormflag", 0, "whether components are divided by 2j + 1"),
        _flag("wselfallflag", 0, "whether an atom belongs to the densities of all elements"),
        _flag("switchinnerflag", 0, "whether weights go to zero at short distances, too"),
        OptionSpec(name="elements", default=1, lower=1, whole=True, description="how many elements have a density of their own"),
    ),
    energy=energy,
    pair_range=pair_range,
    kinks=kinks,
)
