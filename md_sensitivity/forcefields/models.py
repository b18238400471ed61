"""A user's JAX function as a force field: machine-learned and other foreign models."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.files import quotation
from md_sensitivity.forcefields.data import ForceField, Term
from md_sensitivity.forcefields.parameter_blocks import block_of, plain_numbers
from md_sensitivity.forcefields.table import ParameterBlock, ParameterTable
from md_sensitivity.potentials.base import ManyBodyForm, ParameterSpec, WholeForm
from md_sensitivity.potentials.foreign import SPECIES, Atomic, Model, Whole, foreign_form
from md_sensitivity.registry import did_you_mean
from md_sensitivity.units import UNIT_SYSTEMS, UnitSystem

_UNNAMED = "values"
"""Name of the array where the parameters are one array, and no tree."""


def model_force_field(
    energy: Callable[..., jax.Array],
    params: Any,
    *,
    cutoff: float,
    species: Sequence[str],
    units: str = "metal",
    name: str = "model",
    atomwise: bool = False,
    smooth: bool = True,
    reference: str = "",
) -> ForceField:
    """A force field of which a JAX function is the energy and all numbers in a tree are the parameters.

    Args:
        energy: E(params, positions, species, cell, neighbors) → scalar, or one number for each atom, shape=(n,); with `atomwise`,
            E(params, species, neighbors) → energies of some atoms, shape=(b,). Pure, in float64, and differentiable as often as
            derivatives are asked for. Neighbors are `md_sensitivity.potentials.base.Neighbors`; docs/models.md says what all arguments are.
        params: nested dicts, lists or other registered containers of arrays of floats; single precision is made double.
        cutoff: distance up to which atoms are neighbors, in the unit of the model.
        species: names of the types that the model knows, in the order of its species numbers.
        units: unit system of the model: metal, real, gromacs or reduced.
        name: what names of parameters start with.
        atomwise: whether the energy of an atom follows from its own neighbors alone, so that much less memory is needed.
        smooth: whether energy, force and curvature vanish where a pair crosses the cutoff. If not, results are watched for such pairs.
        reference: where the model was published.

    Raises:
        InputError: where an argument cannot be used; it says which and why.
    """
    if not callable(energy):
        raise InputError(f"model {name!r}: the energy must be a function, not {type(energy).__name__}")
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name):
        raise InputError(f"a model is called with letters, digits, `_` and `-`, not {quotation(name)}")
    if units not in UNIT_SYSTEMS:
        raise InputError(f"model {name!r}: unknown unit system {quotation(units)}{did_you_mean(units, list(UNIT_SYSTEMS))}")
    system, known = UNIT_SYSTEMS[units], _species(species, name)
    if not (math.isfinite(cutoff) and cutoff > 0):
        raise InputError(f"model {name!r}: cutoff must be a positive number, not {cutoff!r}")
    arrays, tree = _arrays(params, name)
    factor = 1.0 if system.reduced else system.length
    model = Model(
        function=energy,
        tree=tree,
        leaves=tuple((leaf, values.shape) for leaf, values in arrays.items()),
        cutoff=float(cutoff) * factor,
        length=factor,
        energy=system.factor(1, 0),
    )
    form = foreign_form(model, atomwise=atomwise, smooth=smooth, reference=reference)
    table = ParameterTable(blocks=tuple(_block(name, leaf, values, system) for leaf, values in arrays.items()))
    rows = {leaf: ((),) for leaf in arrays} | {SPECIES: tuple((each,) for each in known)}
    term = Term(form=form, label=name, rows=rows, constants={SPECIES: tuple(float(k) for k in range(len(known)))})
    return ForceField(name=name, reference=reference, units=system, terms=(term,), parameters=table.tree, table=table)


def model_parameters(force_field: ForceField, theta: Any = None) -> Any:
    """A tree like θ as a tree like the parameters of the model.

    Args:
        force_field: from `model_force_field`, possibly with other values.
        theta: tree like θ, such as a fitted θ or `Sensitivity.total`; arrays may have leading axes. Default: the values of the force field.

    Raises:
        UsageError: where the force field holds no model.
    """
    given = force_field.parameters if theta is None else theta
    for term in force_field.terms:
        if isinstance(term.form, ManyBodyForm | WholeForm) and isinstance(term.form.energy, Atomic | Whole):
            model, found = term.form.energy.model, given[term.label]
            return jax.tree.unflatten(model.tree, [found[name].reshape((*found[name].shape[:-1], *shape)) for name, shape in model.leaves])
    raise UsageError(f"{force_field.name}: holds no model; make one with mds.model_force_field")


def _species(species: Sequence[str], name: str) -> tuple[str, ...]:
    known = (species,) if isinstance(species, str) else tuple(species)
    if not known or not all(isinstance(each, str) and each for each in known):
        raise InputError(f"model {name!r}: species must be names, such as ('Si', 'C')")
    if len(set(known)) < len(known):
        raise InputError(f"model {name!r}: species has a name twice")
    return known


def _arrays(params: Any, name: str) -> tuple[dict[str, np.ndarray], Any]:
    """Arrays by the path that leads to them, and the structure of the tree."""
    leaves, tree = jax.tree_util.tree_flatten_with_path(params)
    if not leaves:
        raise InputError(f"model {name!r}: params holds no array")
    found: dict[str, np.ndarray] = {}
    for path, leaf in leaves:
        word = ".".join(_component(key) for key in path) or _UNNAMED
        where = f"model {name!r}: params: {quotation(word)}"
        if re.search(r"[\s*?\[\]]", word):
            raise InputError(f"{where}: no blanks and none of `*?[]` may be in a name, because patterns choose parameters by name")
        if word in found:
            raise InputError(f"{where}: two arrays have this path; rename one")
        kind = np.dtype(getattr(leaf, "dtype", np.asarray(leaf).dtype))
        if not jax.numpy.issubdtype(kind, jax.numpy.floating):
            raise InputError(f"{where}: holds {kind}, no floats; what is not differentiable belongs into the function")
        values = np.asarray(leaf, dtype=np.float64)
        if values.size == 0 or not np.all(np.isfinite(values)):
            raise InputError(f"{where}: is empty, or has numbers that are not finite")
        found[word] = values
    return found, tree


def _component(key: Any) -> str:
    """One step of a path: a key, a position or an attribute."""
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)


def _block(label: str, leaf: str, values: np.ndarray, units: UnitSystem) -> ParameterBlock:
    if values.ndim == 0:
        spec, separator = ParameterSpec(name=leaf), ""
    else:
        spec, separator = ParameterSpec(name=leaf, count=lambda options: values.size), "."
    return block_of(spec, plain_numbers(spec, values.reshape(-1)), 0, units, label=label, separator=separator)
