"""Functions of the torsion angle of four atoms."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import BondedForm, Coefficients, Options, ParameterSpec, Vector
from md_sensitivity.potentials.harmonic_bond import FACTOR
from md_sensitivity.potentials.internal import torsion


def periodic_energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """k [1 + cos(nφ − phase)] [eV]."""
    return p["k"] * (1.0 + jnp.cos(p["n"] * torsion(*vectors) - p["phase"]))


def ryckaert_bellemans_energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """Σ c_m cos^m ψ, ψ = φ − π [eV]. Source: Ryckaert and Bellemans, doi:10.1016/0009-2614(75)85513-8."""
    cosine = -jnp.cos(torsion(*vectors))
    total = p["c5"]
    for power in (4, 3, 2, 1, 0):
        total = total * cosine + p[f"c{power}"]
    return total


def harmonic_energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """factor · k (φ − phi0)², the difference taken the short way around [eV]."""
    apart = torsion(*vectors) - p["phi0"]
    around = apart - 2.0 * jnp.pi * jnp.round(apart / (2.0 * jnp.pi))
    return options["factor"] * p["k"] * around * around


PERIODIC_TORSION = BondedForm(
    name="periodic_torsion",
    description="periodic torsion: k [1 + cos(nφ − phase)]",
    reference="doi:10.1021/ja00124a002",
    parameters=(
        ParameterSpec(name="k", energy=1, description="half the barrier"),
        ParameterSpec(name="phase", angle=1, description="phase"),
        ParameterSpec(name="n", option=True, choices=tuple(map(float, range(13))), description="periodicity"),
    ),
    order=4,
    energy=periodic_energy,
)
RYCKAERT_BELLEMANS = BondedForm(
    name="rb_torsion",
    description="Ryckaert-Bellemans torsion: Σ c_m cos^m(φ − 180°)",
    reference="doi:10.1016/0009-2614(75)85513-8",
    parameters=tuple(ParameterSpec(name=f"c{power}", energy=1, description=f"of cos^{power}") for power in range(6)),
    order=4,
    energy=ryckaert_bellemans_energy,
)
HARMONIC_TORSION = BondedForm(
    name="harmonic_torsion",
    description="harmonic improper torsion: factor · k (φ − phi0)²",
    reference="doi:10.1021/jp973084f",
    parameters=(
        ParameterSpec(name="k", energy=1, radian=-2, description="stiffness, in CHARMM's files negative for some"),
        ParameterSpec(name="phi0", angle=1, description="torsion angle at rest"),
    ),
    options=(FACTOR,),
    order=4,
    energy=harmonic_energy,
)
