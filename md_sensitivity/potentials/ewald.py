"""Coulomb's law in a periodic crystal, after Ewald: a screened part between neighbors, and the rest as a sum over waves.

Source: Ewald, doi:10.1002/andp.19213690304; errors: Kolafa and Perram, doi:10.1080/08927029208049126. A net charge has a uniform
background of the opposite sign; the boundary at infinity is a conductor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import erf, erfc

from md_sensitivity.potentials.base import Coefficients, Distance, FieldForm, Options, PairForm, Products, Site
from md_sensitivity.potentials.charges import CHARGE, products
from md_sensitivity.potentials.specs import COULOMB, OptionSpec

TOLERANCE = OptionSpec(
    name="tolerance",
    default=1e-11,
    lower=1e-14,
    upper=1e-2,
    description="what is left out of both sums, relative to the interaction of neighbors",
)
Settled = Callable[[Options, float, np.ndarray, tuple[bool, bool, bool]], Options]
EnergyOfWaves = Callable[[Site, Coefficients, Options, Mapping[str, jax.Array]], jax.Array]
ProductsOfWaves = Callable[[Site, Coefficients, Options, Mapping[str, jax.Array]], Products]
Setup = Callable[[np.ndarray, tuple[bool, bool, bool], Options], Mapping[str, np.ndarray]]
_CHUNK = 64
"""Waves that are summed together; more would not fit into the cache."""


def splitting(options: Options, cutoff: float) -> float:
    """α such that erfc(α r_c) is the tolerance [1/Å]."""
    from scipy.special import erfcinv

    return float(erfcinv(options["tolerance"])) / cutoff


def is_open(cutoff: float, periodic: tuple[bool, bool, bool]) -> bool:
    """Whether nothing repeats, and nothing ends, so that no sum need be split."""
    return not any(periodic) and math.isinf(cutoff)


def is_split(options: Options) -> bool:
    """Whether there are waves."""
    return options["alpha"] > 0


def require_crystal(cutoff: float, periodic: tuple[bool, bool, bool]) -> None:
    """Raises ValueError where the structure is no crystal, or there is no cutoff."""
    if not all(periodic):
        raise ValueError("sums over periodic images need a structure that is periodic along all three axes; use coulomb or coulomb_dsf")
    if not math.isfinite(cutoff):
        raise ValueError("needs a cutoff for its part between neighbors; add cutoff = ... to it")


def settled(options: Options, cutoff: float, cell: np.ndarray, periodic: tuple[bool, bool, bool]) -> Options:
    """Options with the splitting α [1/Å]; 0 for plain Coulomb of a structure that is not periodic, without cutoff."""
    if is_open(cutoff, periodic):
        return {**options, "alpha": 0.0}
    require_crystal(cutoff, periodic)
    return {**options, "alpha": splitting(options, cutoff)}


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """The screened part q_i q_j e²/(4πε₀) erfc(αr)/r [eV], r [Å]."""
    bare = p["qq"] * d.r * d.inverse_square
    return bare if options["alpha"] == 0 else bare * erfc(options["alpha"] * d.r)


def listed(d: Distance, scale: jax.Array, p: Coefficients, options: Options) -> jax.Array:
    """q_i q_j e²/(4πε₀) [scale − erf(αr)]/r [eV]: what makes a pair interact by its scale alone, as the waves know of no exception."""
    beyond = 0.0 if options["alpha"] == 0 else erf(options["alpha"] * d.r)
    return p["qq"] * (scale - beyond) * d.r * d.inverse_square


def self_and_background(site: Site, q: jax.Array, options: Options) -> jax.Array:
    """Energy of each charge with its own screen, and of a net charge with its uniform background [eV]."""
    alpha = options["alpha"]
    volume = jnp.abs(jnp.linalg.det(site.cell))
    own = -alpha / math.sqrt(math.pi) * jnp.sum(q * q)
    return options[COULOMB.name] * (own - math.pi / (2.0 * volume * alpha * alpha) * jnp.sum(q) ** 2)


def charges(site: Site, p: Coefficients) -> jax.Array:
    """Charge of each atom, zero of padding, shape=(n,) [e]."""
    return jnp.where(site.real, p[CHARGE.name][site.kinds], 0.0)


def waves(cell: np.ndarray, periodic: tuple[bool, bool, bool], options: Options) -> Mapping[str, np.ndarray]:
    """Waves with exp(−k²/4α²) above the tolerance, one of each pair ±k, as integers, filled up with zeros, shape=(m, 3)."""
    longest = 2.0 * options["alpha"] * math.sqrt(-math.log(options["tolerance"]))
    reciprocal = 2.0 * math.pi * np.linalg.inv(cell).T
    most = np.floor(longest * np.linalg.norm(cell, axis=1) / (2.0 * math.pi)).astype(int)
    found = np.array(list(product(*(range(-m, m + 1) for m in most))), dtype=np.int32)
    length = np.linalg.norm(found @ reciprocal, axis=1)
    first = np.array([next((component > 0 for component in wave if component), False) for wave in found.tolist()], dtype=bool)
    found = found[first & (length <= longest)]
    size = -(-max(len(found), 1) // _CHUNK) * _CHUNK
    return {"waves": np.pad(found, ((0, size - len(found)), (0, 0)))}


def wave_energy(site: Site, p: Coefficients, options: Options, setup: Mapping[str, jax.Array]) -> jax.Array:
    """Sum over waves, with the charges' own parts and the background [eV]."""
    q = charges(site, p)
    inverse = jnp.linalg.inv(site.cell)
    volume = jnp.abs(jnp.linalg.det(site.cell))
    place = 2.0 * math.pi * (site.positions @ inverse)

    @jax.checkpoint
    def part(chunk: jax.Array) -> jax.Array:
        phase = chunk @ place.T
        k = 2.0 * math.pi * (chunk @ inverse.T)
        square = jnp.sum(k * k, axis=1)
        real = square > 0
        safe = jnp.where(real, square, 1.0)
        weight = jnp.where(real, jnp.exp(-safe / (4.0 * options["alpha"] ** 2)) / safe, 0.0)
        return jnp.sum(weight * ((jnp.cos(phase) @ q) ** 2 + (jnp.sin(phase) @ q) ** 2))

    chunks = setup["waves"].astype(jnp.float64).reshape(-1, _CHUNK, 3)
    total = jnp.sum(jax.lax.map(part, chunks))
    return options[COULOMB.name] * 4.0 * math.pi / volume * total + self_and_background(site, q, options)


def split_sum(
    name: str,
    description: str,
    reference: str,
    options: tuple[OptionSpec, ...],
    *,
    settled: Settled,
    energy_of_waves: EnergyOfWaves,
    setup: Setup,
    products_of_waves: ProductsOfWaves | None = None,
) -> PairForm:
    """A form that splits Coulomb's law by α into a screened part between neighbors and a sum over waves.

    Args:
        options: all but Coulomb's constant.
        settled, energy_of_waves, setup, products_of_waves: as of `PairForm.settled`, and `energy`, `setup` and `products` of `FieldForm`.
    """
    return PairForm(
        name=name,
        description=description,
        reference=reference,
        parameters=(CHARGE,),
        options=(*options, COULOMB),
        energy=energy,
        tables=products,
        strength=lambda p: p["qq"],
        settled=settled,
        listed=listed,
        field=FieldForm(
            name=f"{name} waves",
            description="the part of an Ewald sum that waves carry",
            reference=reference,
            energy=energy_of_waves,
            setup=setup,
            wanted=is_split,
            products=products_of_waves,
        ),
    )


COULOMB_EWALD = split_sum(
    "coulomb_ewald",
    "Coulomb in a crystal by an Ewald sum, to a stated tolerance",
    "doi:10.1002/andp.19213690304",
    (TOLERANCE,),
    settled=settled,
    energy_of_waves=wave_energy,
    setup=waves,
)
