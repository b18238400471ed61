"""One minimization with derivatives in a process of its own: `python -m benchmarks.memory_child ATOMS PARAMETERS`, JSON on stdout."""

from __future__ import annotations

import json
import sys

from benchmarks.child import peak_gb


def main(size: int, parameters: int) -> None:
    """Peak memory after jax is there, after the minimization, and after the derivatives [GB]."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    jnp.zeros(()).block_until_ready()
    peaks = {"jax_gb": peak_gb()}
    from benchmarks import ours
    from benchmarks.systems import ALLOY, crystal

    bound = ours.bind(crystal(size, ALLOY))
    peaks["bound_gb"] = peak_gb()
    equilibrium = ours.minimized(bound, ours.minimizers()[0])
    peaks["minimized_gb"] = peak_gb()
    response = ours.all_parameters(equilibrium, ours.some(bound, parameters))
    print(json.dumps({**peaks, "all_gb": peak_gb(), "residual": float(response.residual.max())}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
