"""Analyze the vacancy with the network: `python inputs/silicon_model/analyze.py [FOLDER]`. Writes the usual report.

First all weights at once, in the adjoint mode, which costs one linear solve for each observable; then how every atom answers to the
weights of the last layer, in the forward mode.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import model
import numpy as np

import md_sensitivity as mds
from md_sensitivity.pipeline import Options, analyze
from md_sensitivity.reports import write_result


def main(folder: Path) -> None:
    """Both analyses, each with its certificate."""
    jax.config.update("jax_enable_x64", True)
    structure = mds.read_structure(Path(__file__).with_name("structure.extxyz"))
    network = model.force_field()
    gap = ("energy", "pressure", "distance:0-1")
    everything = analyze(structure, network, Options(mode="adjoint", observables=gap), name="all_weights")
    last = analyze(structure, network, Options(parameters=("network.layers.2.*",), observables=gap, check=2), name="last_layer")
    for result in (everything, last):
        write_result(result, folder)
        certificate = result.document.certificate
        print(result.name, result.document.status, "certificate passed:", certificate is not None and certificate.passed)
    distance = everything.document.observables[2]
    print("|d distance / d weights| =", np.linalg.norm(np.asarray(distance.total, dtype=float)), distance.unit)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/silicon_model"))
