"""Second derivatives of a sum over waves on a mesh, with the splines of all atoms kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp

from md_sensitivity.potentials.base import Coefficients, Options, Site
from md_sensitivity.potentials.ewald import charges
from md_sensitivity.potentials.mesh import (
    Stencil,
    mesh_sizes,
    places,
    response,
    spline_values,
    spread,
    stencil_of,
    to_mesh,
    weights_of_center,
)
from md_sensitivity.voigt import PLACES, VOIGT


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["stencil", "splines", "slopes", "own", "response", "scale", "center", "q"],
    meta_fields=["sizes"],
)
@dataclass(frozen=True, kw_only=True)
class MeshProducts:
    """How to multiply.

    With splines W of each atom, the mesh ρ = Σ q W and the potential φ there, H is the curvature of each atom's own splines, q ∂∂W·φ, and
    what it feels, q ∂W·δφ, of the mesh δρ = Σ q ∂W·δx that the displacements of all atoms make.

    Attributes:
        splines, slopes: of each atom along three axes, shape=(3, n, order); slopes for each mesh spacing.
        own: curvature of each atom's own splines, xx yy zz yz xz xy along the mesh, shape=(6, n) [eV].
        response: energy of each wave, shape=(m0, m1, m2/2 + 1) [eV/e²].
        scale: mesh spacings for each Å, see `to_mesh`.
        center: see `weights_of_center`.
        q: charges, shape=(n,) [e].
        sizes: of the mesh.
    """

    stencil: Stencil
    splines: jax.Array
    slopes: jax.Array
    own: jax.Array
    response: jax.Array
    scale: jax.Array
    center: jax.Array
    q: jax.Array
    sizes: tuple[int, int, int]

    def product(self, v: jax.Array) -> jax.Array:
        """H v for vectors of shape=(p, 3, rows)."""
        return jax.lax.map(self._column, v)

    def _column(self, v: jax.Array) -> jax.Array:
        n = len(self.q)
        moved = self.scale.T @ (v[:, :n] - (v[:, :n] @ self.center)[:, None])
        (x, y, z), (dx, dy, dz), a = self.splines, self.slopes, (self.q * moved)[:, :, None]
        plane = (a[0] * dx)[:, :, None] * y[:, None, :] + x[:, :, None] * (a[1] * dy)[:, None, :]
        along = (x[:, :, None] * y[:, None, :])[..., None] * (a[2] * dz)[:, None, None, :]
        mesh = spread(self.stencil, plane[..., None] * z[:, None, None, :] + along, self.sizes)
        felt = felt_slopes(self.stencil, potential(mesh, self.response), (self.splines, self.slopes), _FIRST)
        own = jnp.stack([sum(self.own[place] * moved[c] for c, place in enumerate(row)) for row in PLACES])
        found = self.scale @ (self.q * felt + own)
        found = found - jnp.sum(found, axis=1)[:, None] * self.center
        return jnp.pad(found, ((0, 0), (0, v.shape[1] - n)))


_FIRST = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
_SECOND = tuple(tuple((axis == a) + (axis == b) for axis in range(3)) for a, b in VOIGT)
"""How often splines are differentiated along each axis."""


def mesh_products(site: Site, p: Coefficients, options: Options, setup: Mapping[str, jax.Array]) -> MeshProducts:
    """Second derivatives at the positions of a site."""
    sizes, q, stencil = mesh_sizes(options), charges(site, p), stencil_of(site, options)
    splines = _splines(stencil, int(options["order"]))
    x, y, z = splines[0]
    mesh = spread(stencil, (q[:, None] * x)[:, :, None, None] * y[:, None, :, None] * z[:, None, None, :], sizes)
    waves = response(site.cell, options, setup)
    return MeshProducts(
        stencil=stencil,
        splines=splines[0],
        slopes=splines[1],
        own=q * felt_slopes(stencil, potential(mesh, waves), splines, _SECOND),
        response=waves,
        scale=to_mesh(site.cell, sizes),
        center=weights_of_center(site),
        q=q,
        sizes=sizes,
    )


def _splines(stencil: Stencil, order: int) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Splines of each atom along three axes with their first and second derivatives, shape=(3, n, order) each."""

    def slope(f: Callable[[jax.Array], jax.Array]) -> Callable[[jax.Array], jax.Array]:
        return lambda t: jax.jvp(f, (t,), (jnp.ones_like(t),))[1]

    values = partial(spline_values, order=order)
    t = stencil.beyond.T
    return values(t), slope(values)(t), slope(slope(values))(t)


def potential(mesh: jax.Array, waves: jax.Array) -> jax.Array:
    """Derivative of the energy by what is on the mesh [eV/e]."""
    return 2.0 * mesh.size * jnp.fft.irfftn(jnp.fft.rfftn(mesh) * waves, s=mesh.shape)


def felt_slopes(stencil: Stencil, mesh: jax.Array, splines: tuple[jax.Array, ...], wanted: tuple[tuple[int, ...], ...]) -> jax.Array:
    """Σ φ ∂W over the points of each atom, for several ways to differentiate W, shape=(len(wanted), n).

    Args:
        mesh: φ.
        splines: W along three axes and its derivatives, shape=(3, n, order) each.
        wanted: how often W is differentiated along each axis.
    """
    flat, last = mesh.reshape(-1), stencil.points[2]
    sums = [jnp.zeros(()) for _ in splines]
    # One point of the last axis at a time: all of them together would not stay in the cache.
    for k in range(last.shape[1]):
        seen = flat.at[places((*stencil.points[:2], last[:, k : k + 1]), mesh.shape)[..., 0]].get(mode="promise_in_bounds")
        sums = [total + seen * each[2, :, k, None, None] for total, each in zip(sums, splines, strict=True)]
    return jnp.stack([
        jnp.sum(splines[a][0] * jnp.sum(sums[c] * splines[b][1][:, None, :], axis=2), axis=1) for a, b, c in wanted
    ])
