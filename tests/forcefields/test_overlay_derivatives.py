"""Derivatives of molecules along a tie are the combination by hand, forward and adjoint, and those of re-minimized differences."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import md_sensitivity as mds
from md_sensitivity.forcefields import ForceField, parse_native
from md_sensitivity.pipeline import Options, analyze

ETHANOL = Path(__file__).parents[2] / "inputs" / "ethanol"
FIT = ETHANOL.parent / "ethanol_fit"
MASTER, FOLLOWER = "Coulomb.opls_140.q", "Coulomb.opls_154.q"
RATIO = -0.728016 / -1.489504
"""F2/F1 of the file."""
HEAD = '[molecules]\nfiles = ["force_field.top"]\n[parameters]\n"HarmonicBond.CT-HC.k" = 290000\n'
TIE = (
    f'"{FOLLOWER}" = {{ expression = "-(opls_135.q + 3 * opls_140.q + opls_157.q + 2 * opls_156.q + opls_155.q)" }}\n'
    '"FourierTorsion.CT-CT-OH-HO.F2" = { tie = "CT-CT-OH-HO.F1", scale = 0.5 }\n'
)


def field_of(text: str) -> ForceField:
    return parse_native(HEAD + text, "x.toml", ETHANOL)


def test_the_energy_along_a_tie_is_that_of_master_and_follower() -> None:
    field = field_of(TIE)
    system = mds.build_system(mds.read_structure(ETHANOL / "structure.gro"), field)
    energy = mds.energy_function(system)
    theta = jax.tree.map(jnp.asarray, field.parameters)
    plain = jax.grad(lambda t: energy(system.positions, t))(theta)
    tied = jax.grad(lambda t: energy(system.positions, field.consistent(t)))(theta)
    q = [types[0] for types in next(term for term in field.terms if term.label == "Coulomb").rows["q"]]
    master, follower = q.index("opls_140"), q.index("opls_154")
    by_hand = plain["Coulomb"]["q"][master] - 3.0 * plain["Coulomb"]["q"][follower]
    assert float(tied["Coulomb"]["q"][master]) == pytest.approx(float(by_hand), rel=1e-12)
    assert float(tied["Coulomb"]["q"][follower]) == 0.0
    assert abs(float(by_hand - plain["Coulomb"]["q"][master])) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["forward", "adjoint"])
def test_relaxed_derivatives_along_ties_are_combinations_and_those_of_differences(mode: str) -> None:
    structure = mds.read_structure(ETHANOL / "structure.gro")
    observables = ("dipole", "dihedral:0-4-7-8", "energy")
    torsion = "FourierTorsion.CT-CT-OH-HO"
    base = {"observables": observables, "mode": mode, "positions": False}
    free = analyze(structure, field_of(""), Options(parameters=(MASTER, FOLLOWER, f"{torsion}.F[12]"), check=0, **base)).document
    tied_field = field_of(TIE.replace("scale = 0.5 }", f"scale = {RATIO!r} }}"))
    tied = analyze(structure, tied_field, Options(parameters=(MASTER, f"{torsion}.F1"), check=2, **base)).document
    differences = tied.certificate.finite_differences
    assert len(differences) == 3 and all(each.relative_error is not None and each.relative_error < 1e-6 for each in differences)
    assert tied.status == "minimum" and [each.name for each in tied.parameters] == [f"{torsion}.F1", MASTER]
    at = {each.name: k for k, each in enumerate(free.parameters)}
    for one, other in zip(free.observables, tied.observables, strict=True):
        total = np.asarray(one.total)
        by_hand = [
            total[at[f"{torsion}.F1"]] + RATIO * total[at[f"{torsion}.F2"]],
            total[at[MASTER]] - 3.0 * total[at[FOLLOWER]],
        ]
        np.testing.assert_allclose(other.total, by_hand, rtol=1e-8)
