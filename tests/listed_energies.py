"""Energies of force fields with a typing, term by term and without the package's own engine: sums over all listed tuples and all pairs."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from md_sensitivity.forcefields.data import ForceField, Term
from md_sensitivity.forcefields.topology import Assignment
from md_sensitivity.potentials.base import BondedForm, distance_of
from md_sensitivity.potentials.mixing import MIXING_RULES
from md_sensitivity.types import Structure
from md_sensitivity.units import COULOMB


def term_energies(structure: Structure, force_field: ForceField) -> dict[str, float]:
    """Label → energy [eV] of a structure in free space."""
    assert force_field.typing is not None
    assignment = force_field.typing(structure)
    return {term.label: float(_energy(structure, force_field, term, assignment)) for term in force_field.terms}


def _values(force_field: ForceField, term: Term) -> dict[str, np.ndarray]:
    """All numbers of a term in eV, Å and radians."""
    own, units = force_field.parameters[term.label], force_field.units
    found = {name: np.array(values) for name, values in term.constants.items()}
    for spec in term.form.parameters:
        if not spec.option:
            flat = own[spec.name] * units.factor(spec.energy, spec.length, spec.angle)
            found[spec.name] = flat if spec.count is None else flat.reshape(-1, spec.count(term.options))
    return found


def _energy(structure: Structure, force_field: ForceField, term: Term, assignment: Assignment) -> Any:
    values = _values(force_field, term)
    x = structure.positions
    if isinstance(term.form, BondedForm):
        atoms, rows = assignment.tuples[term.label]
        edges = [x[atoms[:, k + 1]] - x[atoms[:, k]] for k in range(atoms.shape[1] - 1)]
        vectors = tuple(tuple(jnp.asarray(edge[:, c]) for c in range(3)) for edge in edges)
        return jnp.sum(term.form.energy(vectors, {name: jnp.asarray(value)[rows] for name, value in values.items()}, term.options))
    first, second = np.triu_indices(len(x), 1)
    distances = np.linalg.norm(x[first] - x[second], axis=1)
    scale = np.full((len(x), len(x)), 0.0 if term.listed_only else 1.0)
    pairs = assignment.pairs[term.label]
    scales = force_field.parameters[term.label].get("scale14", np.zeros(0))
    scale[pairs.atoms[:, 0], pairs.atoms[:, 1]] = np.where(pairs.rows < 0, 0.0, np.append(scales, 0.0)[pairs.rows])
    types = [assignment.names[term.label][kind] for kind in assignment.kinds]
    if term.label == "Coulomb":
        charges = values["q"][[term.rows["q"].index((name,)) for name in types]]
        phi = COULOMB * charges[first] * charges[second] / distances
    else:
        table = _pair_table(term, values, sorted(set(types)))
        kinds = np.array([sorted(set(types)).index(name) for name in types])
        p = {name: jnp.asarray(one[kinds[first], kinds[second]]) for name, one in table.items()}
        phi = np.asarray(term.form.energy(distance_of(jnp.asarray(distances**2)), p, term.options))
    return np.sum(scale[first, second] * phi)


def _pair_table(term: Term, values: dict[str, np.ndarray], types: list[str]) -> dict[str, np.ndarray]:
    table = {}
    for name, rows in term.rows.items():
        if name == "scale14":
            continue
        own = jnp.asarray([values[name][rows.index((kind,))] for kind in types])
        mixed = np.array(MIXING_RULES[term.mixing][name](own[:, None], own[None, :]))
        for row, pair in enumerate(rows):
            if len(pair) == 2:
                i, j = (types.index(kind) if kind in types else -1 for kind in pair)
                if min(i, j) >= 0:
                    mixed[i, j] = mixed[j, i] = values[name][row]
        table[name] = mixed
    return table
