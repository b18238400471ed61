"""What potentials of charges share: parameters, options, and products of charges for each pair of types."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import COULOMB, Coefficients, Distance, Options, OptionSpec, PairForm, ParameterSpec

CHARGE = ParameterSpec(name="q", charge=1, types=1, description="charge")
_DAMPING = OptionSpec(name="alpha", default=None, lower=0, length=-1, description="damping of the interaction, α")
_CUTOFF = OptionSpec(name="cutoff", default=None, lower=0, open_lower=True, length=1, description="where the interaction ends")


def damped_form(
    name: str,
    description: str,
    reference: str,
    *,
    energy: Callable[[Distance, Coefficients, Options], jax.Array],
    self_energy: Callable[[Coefficients, Options], jax.Array],
) -> PairForm:
    """A form of charges q that damps their interaction by α and ends it at a cutoff, both options."""
    return PairForm(
        name=name,
        description=description,
        reference=reference,
        parameters=(CHARGE,),
        options=(_DAMPING, _CUTOFF, COULOMB),
        energy=energy,
        tables=products,
        self_energy=self_energy,
        natural_range=_ends,
        kinks=lambda p, options: (_ends(p, options),),
        strength=lambda p: p["qq"],
    )


def products(p: Coefficients, options: Options) -> Coefficients:
    """q_i q_j e²/(4πε₀) of each pair of types, shape=(s, s) [eV·Å]."""
    return {"qq": options[COULOMB.name] * p["q"][:, None] * p["q"][None, :]}


def squares(p: Coefficients, options: Options) -> jax.Array:
    """q² e²/(4πε₀) of each type, shape=(s,) [eV·Å]."""
    return options[COULOMB.name] * p["q"] * p["q"]


def _ends(p: Coefficients, options: Options) -> jax.Array:
    """The cutoff of each pair of types, shape=(s, s) [Å]."""
    return jnp.full_like(p["qq"], options["cutoff"])
