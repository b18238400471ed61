"""What a cutoff leaves out of Lennard-Jones energies, as if atoms were spread evenly beyond it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.potentials.base import Coefficients, FieldForm, Options, Site
from md_sensitivity.potentials.specs import OptionSpec
from md_sensitivity.potentials.truncation import switch

DISPERSION_CORRECTION = OptionSpec(
    name="dispersion_correction",
    default=0.0,
    lower=0,
    upper=1,
    whole=True,
    description="1 to add the mean energy of the pairs that the cutoff leaves out",
)
_POINTS = 64
"""Of the quadrature over the switch; it is exact to rounding."""


Powers = Callable[[Coefficients], tuple[jax.Array, jax.Array]]
"""p → C12 and C6 of φ = C12/r¹² − C6/r⁶, shape=(s, s) each [eV·Å¹², eV·Å⁶]."""


def energy(site: Site, powers: tuple[jax.Array, jax.Array], options: Options) -> jax.Array:
    """2π N²/V times the mean over pairs of ∫ φ(r) [1 − S(r)] r² dr [eV], pairs of an atom with itself counted once.

    Source: Shirts et al., doi:10.1021/jp0735987; the mean is that of OpenMM.
    """
    start, end = options["start"], options["end"]
    sizes = jnp.sum(jnp.where(site.real[:, None], site.kinds[:, None] == jnp.arange(len(powers[0]))[None, :], 0.0), axis=0)
    pairs = 0.5 * (sizes[:, None] * sizes[None, :] + jnp.diag(sizes))
    count = jnp.sum(sizes)
    strong, weak = jnp.sum(pairs * powers[0]), jnp.sum(pairs * powers[1])
    beyond = strong / (9.0 * end**9) - weak / (3.0 * end**3)
    if start < end:
        nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
        r = jnp.asarray(start + 0.5 * (end - start) * (nodes + 1.0))
        lost = jnp.asarray(0.5 * (end - start) * weights) * (1.0 - switch(r, start, end)) * r * r
        beyond = beyond + jnp.sum(lost * (strong / r**12 - weak / r**6))
    volume = jnp.abs(jnp.linalg.det(site.cell))
    return 2.0 * math.pi * count * count / volume * beyond / (0.5 * count * (count + 1.0))


def setup(cell: np.ndarray, periodic: tuple[bool, bool, bool], options: Options) -> Mapping[str, np.ndarray]:
    """Nothing; refuses what has no volume or no cutoff."""
    if not all(periodic):
        raise ValueError("dispersion_correction needs a structure that is periodic along all three axes")
    if not math.isfinite(options.get("end", math.inf)):
        raise ValueError("dispersion_correction needs one cutoff for all pairs of types")
    return {}


def dispersion(powers: Powers) -> FieldForm:
    """The correction of a form whose parameters are C12 and C6 by `powers`."""

    def of_site(site: Site, p: Coefficients, options: Options, setup: Mapping[str, jax.Array]) -> jax.Array:
        return energy(site, powers(p), options)

    return FieldForm(
        name="dispersion correction",
        description="mean energy of the pairs that a cutoff leaves out",
        reference="doi:10.1021/jp0735987",
        options=(DISPERSION_CORRECTION,),
        energy=of_site,
        setup=setup,
        couples=False,
        wanted=lambda options: bool(options[DISPERSION_CORRECTION.name]),
    )
