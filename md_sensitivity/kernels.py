"""Sums over neighbors: energies, gathered gradients, strain derivatives, block by block of atoms.

What leads to a sum is computed inside its loop (`reduction.py`), so that nothing of the size of the table is ever stored by a pair
potential. Where devices share a table, sums for each atom are gathered on all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from md_sensitivity.blocks import Block, Columns, Space, at_edges, by_blocks, laid_out, take, vectors
from md_sensitivity.neighbors import NeighborTable
from md_sensitivity.potentials.base import (
    Coefficients,
    Distance,
    Edges,
    EmbeddedForm,
    EmbeddedTables,
    ManyBodyForm,
    Options,
    PairForm,
    distance_of,
)
from md_sensitivity.potentials.truncation import switch, taylor_at
from md_sensitivity.reduction import sum_entries
from md_sensitivity.sharding import gathered

if TYPE_CHECKING:
    from md_sensitivity.bound import BoundTerm

Radial = Callable[[Distance, Coefficients, Options], jax.Array]
"""A function of distance, elementwise, such as φ of a pair form."""
Ended = Callable[[Distance], jax.Array]
"""The same for given coefficients, with its cutoff applied."""
Gradients = tuple[jax.Array, jax.Array, jax.Array]
"""Energy [eV], ∂E/∂x of each row (or atom) with respect to strained edges [eV/Å], and ∂E/∂strain, shape=(3, 3) [eV]."""


def ended(term: BoundTerm, function: Radial, table: Coefficients, local: Coefficients, at: Callable[[jax.Array], jax.Array]) -> Ended:
    """A function of distance with its cutoff applied, for the values `local` of each edge.

    Args:
        table: the same values for each pair of types, shape=(s, s), and what is shared.
        at: values of pairs of types → values at the edges.
    """
    options = dict(term.options)
    ends = None
    cutoff, local_cutoff, start = term.cutoff, term.cutoff, term.switch_from
    if cutoff.ndim:     # of each pair of types; where the term does not act, any cutoff will do that gives finite numbers
        cutoff = jnp.where(cutoff > 0, cutoff, 1.0)
        local_cutoff, start = at(cutoff), at(start)
    if term.truncation in ("shift", "force-shift"):
        shape = next(part.shape for part in table.values())
        end = jnp.broadcast_to(cutoff, shape)
        ends = [at(part) for part in taylor_at(lambda r: function(distance_of(r * r), table, options), end)]

    def value(d: Distance) -> jax.Array:
        found = function(d, local, options)
        if ends is not None:
            found = found - ends[0]
            if term.truncation == "force-shift":
                found = found - ends[1] * (d.r - local_cutoff)
        elif term.truncation == "switch":
            found = found * switch(d.r, start, local_cutoff)
        return found

    return value


def _acting(term: BoundTerm, block: Block, space: Space, square: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Where edges are within the cutoff, shape=(b, e), and r² made safe elsewhere.

    Masked arguments are made safe first, and results masked after: no derivative meets a zero distance.
    """
    cutoff = at_edges(term.cutoff, block, space) if term.cutoff.ndim else term.cutoff
    inside = (block.index != block.own[:, None]) & (square < cutoff**2)
    return inside, jnp.where(inside, square, 1.0)


def atoms_of(term: BoundTerm, rows: jax.Array, kinds: jax.Array) -> jax.Array:
    """Which rows are atoms that the term acts on, not padding; kinds are the types of the rows, of equal shape."""
    atoms = rows < term.atoms
    return atoms & take(jnp.any(term.cutoff > 0, axis=1), kinds) if term.cutoff.ndim else atoms


def pair_energies(
    term: BoundTerm, table: Any, block: Block, space: Space, square: jax.Array
) -> tuple[Callable[[jax.Array], jax.Array], jax.Array, jax.Array]:
    """φ of each edge as a function of r² with its cutoff applied, the r² at which to evaluate it, and where it acts, shape=(b, e).

    An embedded form is, to first order in its densities, a pair potential: φ + F′_i f_j + F′_j f_i.
    """
    inside, square = _acting(term, block, space, square)
    form = term.form
    if isinstance(form, EmbeddedForm):
        total = _effective(term, form, table, block, space)
    else:
        assert isinstance(form, PairForm)
        at = partial(at_edges, block=block, space=space)
        total = ended(term, form.energy, table, {name: at(part) for name, part in table.items()}, at)
    return lambda square: total(distance_of(square)), square, inside


def _effective(term: BoundTerm, form: EmbeddedForm, table: EmbeddedTables, block: Block, space: Space) -> Ended:
    assert block.weight is not None and space.weight is not None
    phi, given = _embedded_functions(term, form, table, block, space, swapped=False)
    own, other = block.weight[:, None], take(space.weight, block.index)
    if len(next(iter(table.pairs.values()))) == 1:
        return lambda d: phi(d) + (own + other) * given(d)
    _, taken = _embedded_functions(term, form, table, block, space, swapped=True)
    return lambda d: phi(d) + own * given(d) + other * taken(d)


def _embedded_functions(
    term: BoundTerm, form: EmbeddedForm, table: EmbeddedTables, block: Block, space: Space, *, swapped: bool
) -> tuple[Ended, Ended]:
    """φ, and the density that neighbors give to centers; `swapped`: that centers give to neighbors."""
    whole = {name: part.T if swapped else part for name, part in table.pairs.items()}
    at = partial(at_edges, block=block, space=space)
    local = {name: at(part) for name, part in whole.items()}
    shared = dict(table.shared)
    phi, density = (ended(term, function, {**whole, **shared}, {**local, **shared}, at) for function in (form.pair, form.density))
    return phi, density


def _norm2(d: Columns) -> jax.Array:
    return d[0] * d[0] + d[1] * d[1] + d[2] * d[2]


def _pair_rows(term: BoundTerm, table: Any, block: Block, space: Space) -> tuple[jax.Array, ...]:
    """φ, and the three components of φ′/r times the edge vector, of each edge; then φ′/r and the vectors."""
    d, plain = vectors(block, space)
    energy, square, inside = pair_energies(term, table, block, space, _norm2(d))
    phi, half = jax.jvp(energy, (square,), (jnp.ones_like(square),))
    slope = jnp.where(inside, 2.0 * half, 0.0)
    return jnp.where(inside, phi, 0.0), slope, *d, *plain


def over_rows(function: Callable[..., Any], term: BoundTerm, table: Any, rows: Block, space: Space) -> Any:
    """function(block, (term, table, space)) of all rows, the term without its neighbors."""
    bare = replace(term, neighbors=None)  # type: ignore[arg-type]
    return by_blocks(function, rows, (bare, table, space), term.neighbors.mesh)


Shared = tuple["BoundTerm", Any, Space]
"""What kernels read besides their rows: the term without its neighbors, what its form reads, and the space."""


def pair_energy(term: BoundTerm, table: Coefficients, rows: Block, space: Space) -> jax.Array:
    """Energy of a pair potential [eV]."""

    def energy(block: Block, shared: Shared) -> jax.Array:
        term, table, space = shared
        d, _ = vectors(block, space)
        phi, square, inside = pair_energies(term, table, block, space, _norm2(d))
        return sum_entries(jnp.where(inside, phi(square), 0.0))[0]

    return 0.5 * jnp.sum(over_rows(energy, term, table, rows, space))


def pair_gradient(term: BoundTerm, table: Any, rows: Block, space: Space) -> tuple[jax.Array, jax.Array]:
    """Energy [eV], and ∂E/∂x of each row with respect to strained edges, shape=(rows, 3) [eV/Å].

    A pair's opposite edge carries the opposite gradient, so that a row needs its own edges only.
    """

    def sums(block: Block, shared: Shared) -> tuple[jax.Array, ...]:
        term, table, space = shared
        phi, slope, x, y, z, *_ = _pair_rows(term, table, block, space)
        return sum_entries(phi, slope * x, slope * y, slope * z)

    energy, *gradient = over_rows(sums, term, table, rows, space)
    return 0.5 * jnp.sum(energy), -jnp.stack(gathered(term.neighbors.mesh, gradient), axis=1)


def pair_gradients(term: BoundTerm, table: Any, rows: Block, space: Space) -> Gradients:
    """The same, and ∂E/∂strain, in one loop."""

    def sums(block: Block, shared: Shared) -> tuple[jax.Array, ...]:
        term, table, space = shared
        phi, slope, *d = _pair_rows(term, table, block, space)
        return sum_entries(phi, *(slope * d[a] for a in range(3)), *(slope * d[a] * d[3 + b] for a in range(3) for b in range(3)))

    energy, *rest = over_rows(sums, term, table, rows, space)
    gradient = -jnp.stack(gathered(term.neighbors.mesh, rest[:3]), axis=1)
    return 0.5 * jnp.sum(energy), gradient, 0.5 * jnp.stack([jnp.sum(part) for part in rest[3:]]).reshape(3, 3)


def _densities(term: BoundTerm, table: EmbeddedTables, block: Block, space: Space) -> tuple[jax.Array, jax.Array]:
    """Σ φ and ρ of some rows, shape=(b,) each."""
    form = term.form
    assert isinstance(form, EmbeddedForm)
    inside, square = _acting(term, block, space, _norm2(vectors(block, space)[0]))
    phi, density = _embedded_functions(term, form, table, block, space, swapped=False)
    d = distance_of(square)
    total, rho = sum_entries(jnp.where(inside, phi(d), 0.0), jnp.where(inside, density(d), 0.0))
    return total, rho


def _embedding(term: BoundTerm, table: EmbeddedTables, block: Block) -> Callable[[jax.Array], jax.Array]:
    """F of some rows; zero, with its derivatives, where a row is no atom."""
    form = term.form
    assert isinstance(form, EmbeddedForm)
    local = {name: take(values, block.kind) for name, values in table.atoms.items()} | dict(table.shared)
    atom = atoms_of(term, block.own, block.kind)
    return lambda rho: jnp.where(atom, form.embedding(rho, local, dict(term.options)), 0.0)


def embedded_atoms(term: BoundTerm, table: EmbeddedTables, rows: Block, space: Space) -> tuple[jax.Array, jax.Array]:
    """Energy of each row of an embedded form, and ∂F/∂ρ, shape=(rows,) each [eV]."""

    def both(block: Block, shared: Shared) -> tuple[jax.Array, jax.Array]:
        term, table, space = shared
        total, rho = _densities(term, table, block, space)
        energy, slope = taylor_at(_embedding(term, table, block), rho)
        return energy + 0.5 * total, slope

    return over_rows(both, term, table, rows, space)


def embedded_energy(term: BoundTerm, table: EmbeddedTables, rows: Block, space: Space) -> jax.Array:
    """Energy of an embedded form [eV]."""
    return jnp.sum(embedded_atoms(term, table, rows, space)[0])


def embedded_curvature(term: BoundTerm, table: EmbeddedTables, rows: Block, space: Space) -> jax.Array:
    """∂²F/∂ρ² of each row, shape=(rows,) [eV]."""

    def second(block: Block, shared: Shared) -> jax.Array:
        term, table, space = shared
        embedding = _embedding(term, table, block)
        _, rho = _densities(term, table, block, space)
        return taylor_at(lambda rho: taylor_at(embedding, rho)[1], rho)[1]

    return over_rows(second, term, table, rows, space)


def density_gradients(term: BoundTerm, table: EmbeddedTables, rows: Block, space: Space) -> tuple[Columns, Columns]:
    """∂ρ/∂r of each edge, at its center and at its neighbor, three arrays of shape=(rows, e) each [1/Å]; zero where nothing acts."""

    def of(block: Block, shared: Shared) -> tuple[Columns, Columns]:
        term, table, space = shared
        form = term.form
        assert isinstance(form, EmbeddedForm)
        d, _ = vectors(block, space)
        inside, square = _acting(term, block, space, _norm2(d))
        found = []
        for swapped in (False, True):
            _, density = _embedded_functions(term, form, table, block, space, swapped=swapped)
            half = taylor_at(lambda s, density=density: density(distance_of(s)), square)[1]  # type: ignore[misc]
            slope = jnp.where(inside, 2.0 * half, 0.0)
            found.append((slope * d[0], slope * d[1], slope * d[2]))
        return found[0], found[1]

    return over_rows(of, term, table, rows, space)


def weighted(term: BoundTerm, weight: jax.Array, rows: Block, space: Space) -> tuple[Block, Space]:
    """The same with ∂F/∂ρ of each row, shape=(rows,) [eV]: then the kernels of pair potentials give first derivatives."""
    everywhere = gathered(term.neighbors.mesh, (weight,))[0]
    return rows._replace(weight=weight), space._replace(weight=jnp.concatenate([everywhere, everywhere[term.neighbors.source]]))


def embedded_gradient(term: BoundTerm, table: EmbeddedTables, rows: Block, space: Space) -> tuple[jax.Array, jax.Array]:
    """Energy [eV], and ∂E/∂x of each row with respect to strained edges, shape=(rows, 3) [eV/Å]."""
    energy, weight = embedded_atoms(term, table, rows, space)
    return jnp.sum(energy), pair_gradient(term, table, *weighted(term, weight, rows, space))[1]


def embedded_gradients(term: BoundTerm, table: EmbeddedTables, rows: Block, space: Space) -> Gradients:
    """The same, and ∂E/∂strain."""
    energy, weight = embedded_atoms(term, table, rows, space)
    return jnp.sum(energy), *pair_gradients(term, table, *weighted(term, weight, rows, space))[1:]


def edges_of(term: BoundTerm, block: Block, space: Space) -> tuple[Edges, Columns]:
    """Edges as many-body forms want them, padding one length unit long, and the vectors without strain."""
    d, plain = vectors(block, space)
    mask = block.index != block.own[:, None]
    if term.cutoff.ndim:
        mask = mask & (at_edges(term.cutoff, block, space) > 0)
    edges = Edges(
        x=jnp.where(mask, d[0], 1.0),
        y=jnp.where(mask, d[1], 0.0),
        z=jnp.where(mask, d[2], 0.0),
        mask=mask,
        center=block.kind[:, None],
        neighbor=take(space.kind, block.index),
    )
    return edges, plain


def _atom_energies(term: BoundTerm, table: Coefficients, block: Block, edges: Edges) -> jax.Array:
    """Energy of each row, shape=(b,) [eV]; none of rows that pad the table."""
    form = term.form
    assert isinstance(form, ManyBodyForm)
    return jnp.where(atoms_of(term, block.own, block.kind), form.energy(edges, table, dict(term.options)), 0.0)


def many_body_energy(term: BoundTerm, table: Coefficients, rows: Block, space: Space) -> jax.Array:
    """Energy of a many-body potential [eV]."""

    def energy(block: Block, shared: Shared) -> jax.Array:
        term, table, space = shared
        return _atom_energies(term, table, block, edges_of(term, block, space)[0])

    return jnp.sum(over_rows(energy, term, table, rows, space))


def _edge_gradients(block: Block, shared: Shared) -> tuple[jax.Array, Columns, Columns]:
    """Energy of each atom, ∂E/∂r of each edge, and the vectors without strain."""
    term, table, space = shared
    edges, plain = edges_of(term, block, space)

    def energy(d: Columns) -> tuple[jax.Array, jax.Array]:
        atoms = _atom_energies(term, table, block, edges._replace(x=d[0], y=d[1], z=d[2]))
        return jnp.sum(atoms), atoms

    gradient, atoms = jax.grad(energy, has_aux=True)((edges.x, edges.y, edges.z))
    return atoms, gradient, plain


def many_body_gradient(term: BoundTerm, table: Coefficients, rows: Block, space: Space) -> tuple[jax.Array, jax.Array]:
    """Energy [eV], and ∂E/∂x of each row with respect to strained edges, shape=(rows, 3) [eV/Å]."""

    def edges(block: Block, shared: Shared) -> tuple[jax.Array, Columns]:
        atoms, gradient, _ = _edge_gradients(block, shared)
        return atoms, gradient

    atoms, gradient = over_rows(edges, term, table, rows, space)
    return jnp.sum(atoms), _of_atoms(term, gradient)


def many_body_gradients(term: BoundTerm, table: Coefficients, rows: Block, space: Space) -> Gradients:
    """The same, and ∂E/∂strain, from one and the same gradients of edges."""

    def edges(block: Block, shared: Shared) -> tuple[jax.Array, Columns, tuple[jax.Array, ...]]:
        atoms, gradient, plain = _edge_gradients(block, shared)
        return atoms, gradient, sum_entries(*(gradient[a] * plain[b] for a in range(3) for b in range(3)))

    atoms, gradient, strains = over_rows(edges, term, table, rows, space)
    return jnp.sum(atoms), _of_atoms(term, gradient), jnp.stack([jnp.sum(part) for part in strains]).reshape(3, 3)


def _of_atoms(term: BoundTerm, gradient: Columns) -> jax.Array:
    """∂E/∂x of each row from the gradients of all edges, shape=(rows, 3) [eV/Å]."""
    neighbors = term.neighbors
    # The opposite edge may be that of any device, so that all get all of them.
    flat = gathered(neighbors.mesh, tuple(part.reshape(-1) for part in gradient))

    def sums(block: tuple[jax.Array, Columns], flat: Columns) -> tuple[jax.Array, ...]:
        # Padding names itself as its opposite, and cancels.
        opposite, own = block
        return sum_entries(*(take(flat[c], opposite) - own[c] for c in range(3)))

    by_atom = by_blocks(sums, (neighbors.reverse, gradient), flat, neighbors.mesh)
    return jnp.stack(gathered(neighbors.mesh, by_atom), axis=1)


def squares(table: NeighborTable, x: jax.Array) -> jax.Array:
    """r² of each entry, shape=(rows, e) [Å²]; infinite for padding."""
    rows, space = laid_out(table, jnp.zeros(x.shape[0], dtype=jnp.int32), x, None)

    def of(block: Block, space: Space) -> jax.Array:
        return jnp.where(block.index != block.own[:, None], _norm2(vectors(block, space)[0]), jnp.inf)

    return by_blocks(of, rows, space, table.mesh)
