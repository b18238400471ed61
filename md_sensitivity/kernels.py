"""Sums over neighbors: energies, gathered gradients, strain derivatives, block by block of atoms.

On a CPU the rows of a table are worked through in blocks small enough for the cache; an accelerator takes them all at once. What leads
to a sum is computed inside its loop (`reduction.py`), so that nothing of the size of the table is ever stored by a pair potential.
Where devices share a table (`sharding.py`), each works through its own rows, and sums for each atom are gathered on all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from md_sensitivity.neighbors import ROWS, NeighborTable
from md_sensitivity.potentials.base import Coefficients, Edges, ManyBodyForm, PairForm, distance_of
from md_sensitivity.potentials.truncation import switch, taylor_at
from md_sensitivity.reduction import sum_entries
from md_sensitivity.sharding import gathered, on_rows

if TYPE_CHECKING:
    from md_sensitivity.interactions import BoundTerm

_FEW = 4
"""With up to so many types, parameters are selected by comparison, which vectorizes; with more they are gathered."""
Columns = tuple[jax.Array, jax.Array, jax.Array]


class Block(NamedTuple):
    """Some rows of a table.

    Attributes:
        own: numbers of the rows, shape=(b,).
        index: entries, shape=(b, e).
        kind: type of each center, shape=(b,).
        center: its position, three arrays of shape=(b,) [Å].
    """

    own: jax.Array
    index: jax.Array
    kind: jax.Array
    center: Columns


class Space(NamedTuple):
    """Atoms and their images.

    Attributes:
        position: three arrays of shape=(rows + g,) [Å].
        kind: type of each, shape=(rows + g,).
        strain: deforms all edges by 1 + strain, shape=(3, 3); None for no strain.
    """

    position: Columns
    kind: jax.Array
    strain: jax.Array | None


def by_blocks(function: Callable[[Any, Any], Any], rows: Any, shared: Any, mesh: Mesh | None) -> Any:
    """A function of some rows, of all rows; each array of `rows` and of the answer has a leading axis over them.

    Args:
        shared: second argument of the function: all arrays that it needs of other rows, or of none. It closes over no array.
        mesh: devices that share the rows, and keep their parts of the answer; None where one has all.
    """
    return _in_turn(function, rows, shared) if mesh is None else on_rows(partial(_in_turn, function), rows, shared, mesh)


def _in_turn(function: Callable[[Any, Any], Any], rows: Any, shared: Any) -> Any:
    """The same for the rows that one device has."""
    count = jax.tree.leaves(rows)[0].shape[0]
    if count <= ROWS or jax.default_backend() != "cpu":
        return function(rows, shared)
    split = jax.tree.map(lambda a: a.reshape(count // ROWS, ROWS, *a.shape[1:]), rows)
    # Reverse mode computes a block again instead of storing what was between.
    found = jax.lax.map(jax.checkpoint(lambda block: function(block, shared), prevent_cse=False), split)
    return jax.tree.map(lambda a: a.reshape(count, *a.shape[2:]), found)


def padded_rows(table: NeighborTable, values: jax.Array) -> jax.Array:
    """Values of atoms, shape=(n, ...), with zeros for the rows that only pad the table, shape=(rows, ...)."""
    extra = table.index.shape[0] - values.shape[0]
    return jnp.pad(values, [(0, extra)] + [(0, 0)] * (values.ndim - 1)) if extra else values


def columns(table: NeighborTable, x: jax.Array) -> Columns:
    """Components of a vector of each row, from shape=(n, 3)."""
    values = padded_rows(table, x)
    return values[:, 0], values[:, 1], values[:, 2]


def with_images(table: NeighborTable, values: Columns, *, shifted: bool) -> Columns:
    """Components of atoms and of their images; `shifted` for positions, not for displacements."""
    found = []
    for c, column in enumerate(values):
        copies = column[table.source]
        found.append(jnp.concatenate([column, copies + table.shift[:, c] if shifted else copies]))
    return found[0], found[1], found[2]


def laid_out(table: NeighborTable, kinds: jax.Array, x: jax.Array, strain: jax.Array | None) -> tuple[Block, Space]:
    """All rows, and the space they look into."""
    count = table.index.shape[0]
    own = jnp.arange(count, dtype=jnp.int32)
    # Said here, because the compiler would otherwise spread vectors over the devices in one program and not in the next.
    position = columns(table, gathered(table.mesh, x))
    kind = padded_rows(table, kinds)
    space = Space(with_images(table, position, shifted=True), jnp.concatenate([kind, kind[table.source]]), strain)
    return Block(own, table.index, kind, position), space


def take(values: jax.Array, index: jax.Array) -> jax.Array:
    """values[index], for indices that are known to be valid."""
    return values.at[index].get(mode="promise_in_bounds")


def vectors(block: Block, space: Space) -> tuple[Columns, Columns]:
    """Edge vectors with and without strain, each three arrays of shape=(b, e) [Å]; zero for padding."""
    x, y, z = (take(space.position[c], block.index) - block.center[c][:, None] for c in range(3))
    if space.strain is None:
        return (x, y, z), (x, y, z)
    plain = (x, y, z)
    moved = [plain[a] + sum(space.strain[a, b] * plain[b] for b in range(3)) for a in range(3)]
    return (moved[0], moved[1], moved[2]), plain


def at_edges(values: jax.Array, block: Block, space: Space) -> jax.Array:
    """Values of pairs of types, shape=(s, s), at each edge; of shape (), (b, e) or between."""
    types = values.shape[0]
    if types == 1:
        return values[0, 0]
    neighbor = take(space.kind, block.index)
    if types > _FEW:
        return values.reshape(-1)[block.kind[:, None] * types + neighbor]
    rows = values[block.kind]
    chosen = rows[:, :1]
    for kind in range(1, types):
        chosen = jnp.where(neighbor == kind, rows[:, kind : kind + 1], chosen)
    return chosen


def pair_energies(
    term: BoundTerm, form: PairForm, table: Coefficients, block: Block, space: Space, square: jax.Array
) -> tuple[Callable[[jax.Array], jax.Array], jax.Array, jax.Array]:
    """φ of each edge as a function of r² with its cutoff applied, the r² at which to evaluate it, and where it acts, shape=(b, e)."""
    options = dict(term.options)
    local = {name: at_edges(values, block, space) for name, values in table.items()}
    inside = (block.index != block.own[:, None]) & (square < term.cutoff**2)
    ends = None
    if term.truncation in ("shift", "force-shift"):
        end = jnp.broadcast_to(term.cutoff, next(iter(table.values())).shape)
        ends = [at_edges(part, block, space) for part in taylor_at(lambda r: form.energy(distance_of(r * r), table, options), end)]

    def energy(square: jax.Array) -> jax.Array:
        d = distance_of(square)
        phi = form.energy(d, local, options)
        if ends is not None:
            phi = phi - ends[0]
            if term.truncation == "force-shift":
                phi = phi - ends[1] * (d.r - term.cutoff)
        elif term.truncation == "switch":
            phi = phi * switch(d.r, term.switch_from, term.cutoff)
        return phi

    # Masked arguments are made safe first, and results masked after: no derivative meets a zero distance.
    return energy, jnp.where(inside, square, 1.0), inside


def _norm2(d: Columns) -> jax.Array:
    return d[0] * d[0] + d[1] * d[1] + d[2] * d[2]


def _pair_rows(term: BoundTerm, form: PairForm, table: Coefficients, block: Block, space: Space) -> tuple[jax.Array, ...]:
    """φ, and the three components of φ′/r times the edge vector, of each edge; then φ′/r and the vectors."""
    d, plain = vectors(block, space)
    energy, square, inside = pair_energies(term, form, table, block, space, _norm2(d))
    phi, half = jax.jvp(energy, (square,), (jnp.ones_like(square),))
    slope = jnp.where(inside, 2.0 * half, 0.0)
    return jnp.where(inside, phi, 0.0), slope, *d, *plain


def over_pairs(function: Callable[..., Any], term: BoundTerm, table: Coefficients, rows: Block, space: Space) -> Any:
    """function(block, (term, table, space)) of all rows, the term without its neighbors."""
    bare = replace(term, neighbors=None)  # type: ignore[arg-type]
    return by_blocks(function, rows, (bare, table, space), term.neighbors.mesh)


Shared = tuple["BoundTerm", Coefficients, Space]
"""What the kernels of a pair potential read besides their rows; the term without its neighbors."""


def pair_energy(term: BoundTerm, form: PairForm, table: Coefficients, rows: Block, space: Space) -> jax.Array:
    """Energy of a pair potential [eV]."""

    def energy(block: Block, shared: Shared) -> jax.Array:
        term, table, space = shared
        d, _ = vectors(block, space)
        phi, square, inside = pair_energies(term, form, table, block, space, _norm2(d))
        return sum_entries(jnp.where(inside, phi(square), 0.0))[0]

    return 0.5 * jnp.sum(over_pairs(energy, term, table, rows, space))


def pair_gradient(
    term: BoundTerm, form: PairForm, table: Coefficients, rows: Block, space: Space
) -> tuple[jax.Array, jax.Array]:
    """Energy [eV], and ∂E/∂x of each row with respect to strained edges, shape=(rows, 3) [eV/Å].

    A pair's opposite edge carries the opposite gradient, so that a row needs its own edges only.
    """

    def sums(block: Block, shared: Shared) -> tuple[jax.Array, ...]:
        term, table, space = shared
        phi, slope, x, y, z, *_ = _pair_rows(term, form, table, block, space)
        return sum_entries(phi, slope * x, slope * y, slope * z)

    energy, *gradient = over_pairs(sums, term, table, rows, space)
    return 0.5 * jnp.sum(energy), -jnp.stack(gathered(term.neighbors.mesh, gradient), axis=1)


def pair_strain(term: BoundTerm, form: PairForm, table: Coefficients, rows: Block, space: Space) -> jax.Array:
    """∂E/∂strain, shape=(3, 3) [eV]."""

    def sums(block: Block, shared: Shared) -> tuple[jax.Array, ...]:
        term, table, space = shared
        _, slope, *both = _pair_rows(term, form, table, block, space)
        return sum_entries(*(slope * both[a] * both[3 + b] for a in range(3) for b in range(3)))

    return 0.5 * jnp.stack([jnp.sum(part) for part in over_pairs(sums, term, table, rows, space)]).reshape(3, 3)


def edges_of(block: Block, space: Space) -> tuple[Edges, Columns]:
    """Edges as many-body forms want them, padding one length unit long, and the vectors without strain."""
    d, plain = vectors(block, space)
    mask = block.index != block.own[:, None]
    edges = Edges(
        x=jnp.where(mask, d[0], 1.0),
        y=jnp.where(mask, d[1], 0.0),
        z=jnp.where(mask, d[2], 0.0),
        mask=mask,
        center=block.kind[:, None],
        neighbor=take(space.kind, block.index),
    )
    return edges, plain


def many_body_energy(
    form: ManyBodyForm, table: Coefficients, rows: Block, space: Space, neighbors: NeighborTable
) -> jax.Array:
    """Energy of a many-body potential [eV]."""

    def energy(block: Block, shared: tuple[Coefficients, Space]) -> jax.Array:
        table, space = shared
        return form.energy(edges_of(block, space)[0], table)

    return jnp.sum(by_blocks(energy, rows, (table, space), neighbors.mesh))


def _edge_gradients(form: ManyBodyForm, table: Coefficients, block: Block, space: Space) -> tuple[jax.Array, Columns, Columns]:
    """Energy of each atom, ∂E/∂r of each edge, and the vectors without strain."""
    edges, plain = edges_of(block, space)

    def energy(d: Columns) -> tuple[jax.Array, jax.Array]:
        atoms = form.energy(edges._replace(x=d[0], y=d[1], z=d[2]), table)
        return jnp.sum(atoms), atoms

    gradient, atoms = jax.grad(energy, has_aux=True)((edges.x, edges.y, edges.z))
    return atoms, gradient, plain


def many_body_gradient(
    form: ManyBodyForm, table: Coefficients, rows: Block, space: Space, neighbors: NeighborTable
) -> tuple[jax.Array, jax.Array]:
    """Energy [eV], and ∂E/∂x of each row with respect to strained edges, shape=(rows, 3) [eV/Å]."""

    def edges(block: Block, shared: tuple[Coefficients, Space]) -> tuple[jax.Array, Columns]:
        table, space = shared
        atoms, gradient, _ = _edge_gradients(form, table, block, space)
        return atoms, gradient

    atoms, gradient = by_blocks(edges, rows, (table, space), neighbors.mesh)
    # The opposite edge may be that of any device, so that all get all of them.
    flat = gathered(neighbors.mesh, tuple(part.reshape(-1) for part in gradient))

    def sums(block: tuple[jax.Array, Columns], flat: Columns) -> tuple[jax.Array, ...]:
        # Padding names itself as its opposite, and cancels.
        opposite, own = block
        return sum_entries(*(take(flat[c], opposite) - own[c] for c in range(3)))

    by_atom = by_blocks(sums, (neighbors.reverse, gradient), flat, neighbors.mesh)
    return jnp.sum(atoms), jnp.stack(gathered(neighbors.mesh, by_atom), axis=1)


def many_body_strain(
    form: ManyBodyForm, table: Coefficients, rows: Block, space: Space, neighbors: NeighborTable
) -> jax.Array:
    """∂E/∂strain, shape=(3, 3) [eV]."""

    def sums(block: Block, shared: tuple[Coefficients, Space]) -> tuple[jax.Array, ...]:
        table, space = shared
        _, gradient, plain = _edge_gradients(form, table, block, space)
        return sum_entries(*(gradient[a] * plain[b] for a in range(3) for b in range(3)))

    parts = by_blocks(sums, rows, (table, space), neighbors.mesh)
    return jnp.stack([jnp.sum(part) for part in parts]).reshape(3, 3)


def squares(table: NeighborTable, x: jax.Array) -> jax.Array:
    """r² of each entry, shape=(rows, e) [Å²]; infinite for padding."""
    rows, space = laid_out(table, jnp.zeros(x.shape[0], dtype=jnp.int32), x, None)

    def of(block: Block, space: Space) -> jax.Array:
        return jnp.where(block.index != block.own[:, None], _norm2(vectors(block, space)[0]), jnp.inf)

    return by_blocks(of, rows, space, table.mesh)
