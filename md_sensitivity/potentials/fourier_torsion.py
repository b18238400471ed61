"""Torsions as a sum of four cosines, the form of OPLS."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import BondedForm, Coefficients, Options, ParameterSpec, Vector
from md_sensitivity.potentials.internal import torsion


def energy(vectors: tuple[Vector, ...], p: Coefficients, options: Options) -> jax.Array:
    """½ [F1 (1 + cos φ) + F2 (1 − cos 2φ) + F3 (1 + cos 3φ) + F4 (1 − cos 4φ)] [eV]."""
    angle = torsion(*vectors)
    terms = (p[f"F{n}"] * (1.0 - (-1.0) ** n * jnp.cos(n * angle)) for n in (1, 2, 3, 4))
    return 0.5 * sum(terms, jnp.zeros_like(angle))


FOURIER_TORSION = BondedForm(
    name="fourier_torsion",
    description="Fourier torsion: ½ Σ F_n [1 − (−1)^n cos nφ], n = 1 … 4",
    reference="doi:10.1021/ja9621760",
    parameters=tuple(ParameterSpec(name=f"F{n}", energy=1, description=f"of the cosine of {n}φ") for n in (1, 2, 3, 4)),
    order=4,
    energy=energy,
)
