"""Universal screened repulsion of nuclei, after Ziegler, Biersack and Littmark."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import COULOMB, Coefficients, Distance, Options, OptionSpec, PairForm, ParameterSpec, distance_of

_SCREENING = ((0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.02817, 0.20162))
"""Weight and decay of each exponential of the universal screening function."""
_LENGTH = 0.4685
"""0.8854 Bohr radii [Å]."""
_EXPONENT = 0.23


def _screened(d: Distance, p: Coefficients) -> jax.Array:
    """Z_i Z_j e²/(4πε₀r) Σ c e^(−b r/a) [eV]."""
    scaled = d.r * p["inverse_a"]
    screening = sum(weight * jnp.exp(-decay * scaled) for weight, decay in _SCREENING)
    return p["zz"] * d.r * d.inverse_square * screening


def tables(p: Coefficients, options: Options) -> Coefficients:
    """What each pair of types needs, shape=(s, s).

    Between inner and outer, S = s₀ + s₃t³ + s₄t⁴ with t = r − inner is added, and below s₀: the sum has two continuous derivatives, and
    at the outer end all three vanish. With T = outer − inner and φ, φ′, φ″ at outer, S″(T) = −φ″ and S′(T) = −φ′ give s₃ and s₄.
    """
    z = p["Z"]
    powers = z**_EXPONENT
    pairs = {
        "zz": options[COULOMB.name] * z[:, None] * z[None, :],
        "inverse_a": (powers[:, None] + powers[None, :]) / _LENGTH,
    }

    def value(r: jax.Array) -> jax.Array:
        return _screened(distance_of(r * r), pairs)

    def slope(r: jax.Array) -> jax.Array:
        return jax.jvp(value, (r,), (jnp.ones_like(r),))[1]

    end = jnp.full_like(pairs["zz"], options["outer"])
    width = options["outer"] - options["inner"]
    first, second = jax.jvp(slope, (end,), (jnp.ones_like(end),))
    cubic = (width * second - 3.0 * first) / (3.0 * width**2)
    quartic = (2.0 * first - width * second) / (4.0 * width**3)
    return {**pairs, "s3": cubic, "s4": quartic, "s0": -(value(end) + cubic * width**3 + quartic * width**4)}


def energy(d: Distance, p: Coefficients, options: Options) -> jax.Array:
    """φ = Z_i Z_j e²/(4πε₀r) Σ c e^(−b r/a) + S(r) for r < outer, else 0 [eV], r [Å]; a = 0.4685 Å/(Z_i^0.23 + Z_j^0.23).

    Source: Ziegler, Biersack and Littmark, doi:10.1007/978-1-4615-8103-1_3; ended as LAMMPS does.
    """
    t = jnp.maximum(d.r - options["inner"], 0.0)
    added = p["s0"] + t * t * t * (p["s3"] + t * p["s4"])
    return jnp.where(d.r < options["outer"], _screened(d, p) + added, 0.0)


ZBL = PairForm(
    name="zbl",
    description="ZBL: screened repulsion of nuclei, Z_i Z_j e²/(4πε₀r) Σ c e^(−b r/a), switched off between inner and outer",
    reference="doi:10.1007/978-1-4615-8103-1_3",
    parameters=(ParameterSpec(name="Z", charge=1, types=1, lower=0, open_lower=True, description="charge of the nucleus"),),
    options=(
        OptionSpec(name="inner", default=None, lower=0, length=1, below="outer", description="where the end begins"),
        OptionSpec(name="outer", default=None, lower=0, open_lower=True, length=1, description="where the interaction ends"),
        COULOMB,
    ),
    energy=energy,
    tables=tables,
    natural_range=lambda p, options: jnp.full_like(p["zz"], options["outer"]),
    strength=lambda p: p["zz"],
    absolute=True,
)
