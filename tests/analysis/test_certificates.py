"""What an analysis certifies: spot checks that catch wrong derivatives, honest gaps, statuses, units, and null where nothing exists."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_systems import FORCE_FIELDS, cluster, crystal, force_field, mixed, structure

from md_sensitivity import bound, kernels, pipeline
from md_sensitivity.analysis.document import softest_atoms
from md_sensitivity.analysis.result import ResultDocument
from md_sensitivity.analysis.spotcheck import RANDOM
from md_sensitivity.curvature.spectrum import Spectrum
from md_sensitivity.pipeline import Options, analyze

MORSE = FORCE_FIELDS["morse"]
ASKED = ("energy", "stress", "distance:0-2")
"""What is asked of the Morse crystal, always the same, so that all tests of it share their compiled programs."""
ALONE = '[[potential]]\nstyle = "morse"\n{settings}[potential.parameters.A-A]\nD = {D!r}\nalpha = {alpha!r}\nr0 = {r0!r}\n'
"""Morse between atoms of one type."""


MIXED = mixed("lorentz-berthelot", "force-shift")


def document(text: str, of: Any, **options: Any) -> ResultDocument:
    return analyze(of, force_field(text), Options(**options)).document


def errors(found: ResultDocument) -> list[float | None]:
    assert found.certificate is not None
    return [difference.relative_error for difference in found.certificate.finite_differences]


def forget_compiled() -> None:
    """Programs compiled before a fault was planted would hide it."""
    jax.clear_caches()


def test_a_certificate_tells_how_right_a_derivative_is() -> None:
    found = document(MORSE, crystal(), observables=ASKED, check=2)
    certificate, equilibrium = found.certificate, found.equilibrium
    assert certificate is not None and equilibrium is not None and found.status == "minimum"
    assert (certificate.mode, certificate.solver, certificate.passed) == ("forward", "dense", True)
    assert certificate.relative_residual < 1e-8 and certificate.force_residual == equilibrium.max_force <= 1e-8
    assert certificate.error_estimate is not None and certificate.error_estimate < 1e-6
    assert certificate.kink_distance is None, "a C² switch has no kink"
    assert equilibrium.zero_modes == 3 and equilibrium.lowest_eigenvalue > 0
    named = [d.parameter for d in certificate.finite_differences[:-1]]
    assert len(named) == 2 and set(named) <= {row.name for row in found.parameters}
    assert certificate.finite_differences[-1].direction == RANDOM
    # The differences of so anharmonic a crystal are no better; what they say of themselves is compared by `passed`.
    assert all(error is not None and error < 1e-5 for error in errors(found)), errors(found)


def test_a_spot_check_catches_a_wrong_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    right = pipeline.parts

    def wrong(*arguments: Any, **settings: Any) -> Any:
        found = right(*arguments, **settings)
        return replace(found, response=found.response._replace(value=1.001 * found.response.value))

    monkeypatch.setattr(pipeline, "parts", wrong)
    found = document(MORSE, crystal(), observables=ASKED, check=1)
    assert found.certificate is not None and not found.certificate.passed
    assert all(error is not None and error > 5e-4 for error in errors(found))


def test_nothing_is_frozen_at_build_time() -> None:
    sound = document(MIXED, crystal(), check=1).certificate
    assert sound is not None and sound.passed and sound.finite_differences[-1].relative_error < 1e-5


@pytest.mark.parametrize("fault", ["shift", "mixing"])
def test_a_spot_check_catches_what_was_frozen_at_build_time(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = jax.lax.stop_gradient
    taylor, rules = kernels.taylor_at, bound.MIXING_RULES
    if fault == "shift":
        monkeypatch.setattr(kernels, "taylor_at", lambda phi, r: stop(taylor(phi, r)))
    else:
        frozen = {rule: {name: (lambda a, b, m=mean: stop(m(a, b))) for name, mean in means.items()} for rule, means in rules.items()}
        monkeypatch.setattr(bound, "MIXING_RULES", frozen)
    forget_compiled()
    try:
        found = document(MIXED, crystal(), check=1)
        assert found.certificate is not None and not found.certificate.passed
        assert found.certificate.finite_differences[-1].relative_error > 1e-5
    finally:
        forget_compiled()


def test_a_parameter_at_its_bound_is_checked_from_one_side() -> None:
    found = document(MORSE.replace("D = 0.3", "D = 0.0"), crystal(), observables=ASKED, check=9)
    assert found.status == "minimum" and [row.name for row in found.parameters if row.value == 0.0] == ["morse.B-B.D"]
    (at_bound,) = [d for d in found.certificate.finite_differences if d.parameter == "morse.B-B.D"]
    assert at_bound.relative_error is not None and at_bound.relative_error < 1e-5


def test_a_check_that_would_cross_a_cutoff_is_null_with_the_reason() -> None:
    r0 = 2.5
    chain = structure(np.array([[0.0, 0, 0], [r0, 0, 0]]), "AA")
    text = ALONE.format(settings=f'cutoff = {r0 + 1e-12!r}\ntruncation = "shift"\n', D=0.4, alpha=1.3, r0=r0)
    found = document(text, chain, check=1, fmax=1e-9)
    assert found.certificate is not None and found.certificate.kink_distance == pytest.approx(1e-12, abs=1e-13)
    assert errors(found)[0] is None and "cutoff" in found.certificate.finite_differences[0].reason
    assert found.certificate.passed
    assert any("one-sided" in warning for warning in found.certificate.warnings)


def test_a_derivative_that_does_not_exist_is_null_with_a_warning() -> None:
    found = document(MIXED.replace("epsilon = 0.5", "epsilon = 0.0"), crystal(), check=1)
    names = [row.name for row in found.parameters]
    missing = names.index("lennard_jones.B.epsilon")
    assert found.certificate is not None and found.position_norm is not None
    for observable in found.observables:
        for column in (observable.direct, observable.relaxation, observable.total, observable.logarithmic):
            assert [value is None for value in column] == [i == missing for i in range(len(names))]
    assert [value is None for value in found.position_norm.l2] == [i == missing for i in range(len(names))]
    assert any("lennard_jones.B.epsilon does not exist" in warning for warning in found.certificate.warnings)


def test_adjoint_documents_are_forward_documents() -> None:
    settings = {"observables": ASKED, "check": 0, "positions": False}
    forward, adjoint = (document(MORSE, crystal(), mode=mode, **settings) for mode in ("forward", "adjoint"))
    assert (forward.certificate.mode, adjoint.certificate.mode) == ("forward", "adjoint")
    for one, other in zip(forward.observables, adjoint.observables, strict=True):
        assert one.unit == other.unit and one.value == other.value
        for part in ("direct", "relaxation", "total"):
            a, b = (np.array(getattr(o, part), dtype=float) for o in (one, other))
            assert np.abs(a - b).max() <= 1e-8 * max(np.abs(a).max(), 1e-3), (one.name, part)


def test_the_energy_obeys_the_envelope_theorem_and_is_logarithmically_one() -> None:
    found = document(MORSE, crystal(), observables=ASKED, check=0)
    energy = found.observables[0]
    assert np.abs(np.array(energy.relaxation)).max() < 1e-6
    depths = [i for i, row in enumerate(found.parameters) if row.name.endswith(".D")]
    assert sum(energy.logarithmic[i] for i in depths) == pytest.approx(1.0, rel=1e-10)


def test_a_logarithmic_sensitivity_of_a_zero_value_is_null() -> None:
    lonely = structure(np.array([[0.0, 0, 0], [50.0, 0, 0]]), "AA")
    text = ALONE.format(settings='cutoff = 5.0\ntruncation = "shift"\n', D=1.0, alpha=1.0, r0=2.5)
    found = document(text, lonely, observables=("energy",), check=0)
    assert found.observables[0].value == 0.0 and found.equilibrium.zero_modes == 6
    assert found.observables[0].logarithmic == [None] * 3 and found.observables[0].total == [0.0] * 3
    assert found.equilibrium.lowest_eigenvalue is None


@pytest.mark.parametrize(
    ("units", "energy", "length", "unit"),
    [("real", 4.184 / 96.48533212331002, 1.0, "kcal/mol"), ("gromacs", 1 / 96.48533212331002, 10.0, "kJ/mol")],
)
def test_derivatives_speak_of_the_numbers_of_the_file(units: str, energy: float, length: float, unit: str) -> None:
    of = structure(np.asarray(cluster().positions), "A" * 7)
    settings = {"observables": ("energy", "radius_of_gyration"), "check": 0}
    metal = document(ALONE.format(settings="", D=0.4, alpha=1.3, r0=2.6), of, **settings)
    theirs = ALONE.format(settings="", D=0.4 / energy, alpha=1.3 * length, r0=2.6 / length)
    other = document(f'units = "{units}"\n' + theirs, of, **settings)
    assert other.parameters[0].unit == unit and metal.parameters[0].unit == "eV"
    factors = np.array([energy, 1 / length, length])
    for one, two in zip(metal.observables, other.observables, strict=True):
        assert two.value == pytest.approx(one.value, rel=1e-10) and one.unit == two.unit
        assert np.array(two.total) == pytest.approx(np.array(one.total) * factors, rel=1e-7, abs=1e-8)
        assert np.array(two.logarithmic) == pytest.approx(np.array(one.logarithmic), rel=1e-7, abs=1e-8)


def test_fixed_parameters_are_left_out_unless_they_are_named() -> None:
    text = MORSE.replace("D = 0.5", "D = { value = 0.5, fixed = true }")
    # Adjoint programs do not depend on the number of parameters.
    settings = {"observables": ASKED, "check": 0, "positions": False, "mode": "adjoint"}
    names = [row.name for row in document(text, crystal(), **settings).parameters]
    assert "morse.A-B.D" not in names and len(names) == 8
    named = document(text, crystal(), **settings, parameters=("morse.A-B.*",))
    assert [row.name for row in named.parameters] == ["morse.A-B.D", "morse.A-B.alpha", "morse.A-B.r0"]


def test_statuses_are_what_they_are() -> None:
    few = document(MORSE, crystal(), observables=ASKED, max_steps=1, check=1)
    assert few.status == "unconverged" and "max_steps = 1" in few.message
    assert errors(few) == [None, None] and "unconverged" in few.certificate.finite_differences[0].reason
    assert few.equilibrium.lowest_eigenvalue is None and few.certificate.error_estimate is None
    collapse = structure(np.array([[0.0, 0, 0], [0.6, 0.1, 0], [0.1, 0.5, 0.3]]), "AAA")
    text = '[[potential]]\nstyle = "buckingham"\n[potential.parameters.A-A]\nA = 900.0\nrho = 0.3\nC = 20.0\n'
    failed = document(text, collapse)
    assert failed.status == "failed" and "no lower bound" in failed.message
    assert failed.equilibrium is None and failed.certificate is None and not failed.observables


def test_a_saddle_that_is_not_left_is_not_a_minimum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["md_sensitivity.minimization.minimize"], "_ESCAPES", 0)
    square = structure(2.6 * np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]), "AAAA")
    text = ALONE.format(settings="", D=0.4, alpha=1.3, r0=2.6)
    found = document(text, square, observables=("energy", "radius_of_gyration"))
    assert found.status == "not-a-minimum" and found.equilibrium.lowest_eigenvalue < 0
    assert errors(found) == [None, None]
    assert jnp.all(jnp.isfinite(jnp.array(found.observables[0].total)))


@pytest.mark.parametrize(("lowest", "expected"), [(1e-6, [2, 0]), (1e-3, []), (None, [])])
def test_atoms_of_a_soft_mode_are_named(lowest: float | None, expected: list[int]) -> None:
    mode = np.array([[0.0, 0.5, 0.0], [0.0, 0.0, 0.2], [0.0, 0.6, 0.5], [0.9, 0.0, 0.0]])     # the last is padding
    spectrum = Spectrum(lowest=lowest, largest=1.0, mode=None if lowest is None else mode, floppy=0, method="dense")
    assert softest_atoms(spectrum, 3) == expected
