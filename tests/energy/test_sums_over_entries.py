"""The primitive behind all sums over neighbors against plain sums, in every mode of differentiation."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from md_sensitivity.reduction import sum_entries

X = jnp.asarray(np.random.default_rng(0).normal(size=(3, 5)))


def ours(x: jax.Array) -> jax.Array:
    """A curved function of several sums of one table."""
    a, b, c = sum_entries(jnp.sin(x), x * x, x * jnp.ones(5))
    return jnp.sum(a * b + jnp.exp(c) * a)


def plain(x: jax.Array) -> jax.Array:
    """The same with one sum for each array."""
    a, b, c = jnp.sin(x).sum(-1), (x * x).sum(-1), x.sum(-1)
    return jnp.sum(a * b + jnp.exp(c) * a)


def close(a: jax.Array, b: jax.Array) -> bool:
    return np.allclose(np.asarray(a), np.asarray(b), rtol=1e-12, atol=1e-12)


def test_values_and_derivatives_of_every_mode_are_those_of_plain_sums() -> None:
    v = jnp.cos(X)
    for f in (lambda g: g(X), lambda g: jax.grad(g)(X), lambda g: jax.jvp(g, (X,), (v,))[1], lambda g: jax.jvp(jax.grad(g), (X,), (v,))[1]):
        assert close(f(ours), f(plain))
        assert close(jax.jit(lambda f=f: f(ours))(), f(plain))
    assert close(jax.jacrev(jax.jacrev(ours))(X), jax.hessian(plain)(X))
    assert close(jax.jacfwd(jax.jacfwd(jax.grad(ours)))(X), jax.jacfwd(jax.hessian(plain))(X))


def test_it_maps_over_any_axis_of_some_of_its_arrays() -> None:
    several = jnp.stack([X, 2 * X, 3 * X], axis=1)
    found = jax.vmap(lambda a: sum_entries(a, X), in_axes=1, out_axes=1)(several)
    assert close(found[0], several.sum(-1)) and close(found[1], jnp.stack([X.sum(-1)] * 3, axis=1))


def test_sums_that_nobody_reads_are_not_computed() -> None:
    traced = jax.make_jaxpr(lambda x: jax.jit(lambda y: sum_entries(y, jnp.sin(y)))(x)[0])(X)
    program = jax.jit(lambda x: sum_entries(x, jnp.sin(x))[0]).lower(X).as_text()
    assert "sin" in str(traced) and "sine" not in program
