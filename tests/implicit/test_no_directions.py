"""No direction in parameter space is an answer too: empty, from every route."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from md_sensitivity.implicit import equilibrium_jacobian
from md_sensitivity.minimization import minimize


@pytest.mark.parametrize("solver", ["auto", "cg", "minres", "dense"])
def test_no_directions_give_an_empty_response(solver: str) -> None:
    equilibrium = minimize(lambda x, theta: jnp.sum((x - theta) ** 2), jnp.zeros(3), jnp.ones(3))
    response = equilibrium_jacobian(equilibrium, np.zeros((0, 3)), solver=solver)
    assert response.value.shape == (0, 3)
    assert response.residual.shape == (0,)
