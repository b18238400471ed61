"""Declared dimensions are the real ones, and the same physics in another unit system gives the same energy."""

from __future__ import annotations

import json
from typing import Any

import jax
import numpy as np
import pytest
from small_systems import FORCE_FIELDS, build, close, cluster, crystal, force_field, gradient, sampled, structure, theta_gradient, value

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields import ForceField
from md_sensitivity.potentials import POTENTIALS
from md_sensitivity.potentials.base import PairForm, default_label
from md_sensitivity.units import GROMACS, LAMMPS_METAL, LAMMPS_REAL, METAL, REAL, REDUCED, UNIT_SYSTEMS, UnitSystem

# Independent of md_sensitivity.units: CODATA 2018 (exact), as pint or scipy.constants have them.
KILOJOULE_PER_MOLE_IN_EV = 0.010364269656262174
EV_PER_CUBIC_ANGSTROM_IN_GPA = 160.21766339999997


def label_of(potential: str) -> str:
    return default_label(POTENTIALS[potential])


RELATIVE = [
    name for name in FORCE_FIELDS if not (isinstance(form := POTENTIALS[name], PairForm) and form.absolute) and name != "vashishta"
]
"""Forms without lengths or energies of nature. (Those of Vashishta's H depend on its exponent, and e²/4πε₀ is an option.)"""


def exponents_of(potential: str, dimension: str) -> dict[str, float]:
    """Parameter → exponent of energy or length; the square of a charge is an energy times a length."""
    return {spec.name: getattr(spec, dimension) + 0.5 * spec.charge for spec in POTENTIALS[potential].parameters}


def rescaled(field: ForceField, energy: float, length: float) -> Any:
    """θ with each parameter multiplied by energy^a length^b of its declared dimension."""
    tree = {}
    for term in field.terms:
        a, b = (exponents_of(term.form.name, dimension) for dimension in ("energy", "length"))
        values = field.parameters[term.label]
        tree[term.label] = {name: v * energy ** a[name] * length ** b[name] for name, v in values.items()}
    return tree


@pytest.mark.parametrize("potential", RELATIVE)
def test_energies_scale_as_the_declared_energy_exponents_say(potential: str) -> None:
    energy, x, theta = build(FORCE_FIELDS[potential], crystal())
    doubled = rescaled(force_field(FORCE_FIELDS[potential]), 2.0, 1.0)
    assert close(value(energy, x, doubled), 2 * value(energy, x, theta), 1e-13)
    # Euler: Σ eᵢ θᵢ ∂E/∂θᵢ = E
    slopes = theta_gradient(energy, x, theta)[label_of(potential)]
    exponents = exponents_of(potential, "energy")
    euler = sum(exponents[name] * float(np.vdot(theta[label_of(potential)][name], slopes[name])) for name in slopes)
    assert euler == pytest.approx(float(value(energy, x, theta)), rel=1e-12)


def with_lengths(potential: str, factor: float) -> str:
    """Its text without a cutoff, if it may have none, and with its own options multiplied by factor^b of their dimension."""
    form = POTENTIALS[potential]
    options = {option.name: option.length for option in form.options}
    lines = []
    for line in FORCE_FIELDS[potential].splitlines():
        name, _, number = line.partition(" = ")
        if name in options:
            lines.append(f"{name} = {float(number) * factor ** options[name]!r}")
        elif name not in ("cutoff", "switch_from"):
            lines.append(line)
    return "\n".join(lines)


@pytest.mark.parametrize("potential", RELATIVE)
def test_energies_scale_as_the_declared_length_exponents_say(potential: str) -> None:
    # In free space and without a cutoff nothing else has a length.
    factor = 1.01
    text = with_lengths(potential, 1.0)
    energy, x, theta = build(text, cluster())
    wider, _, _ = build(with_lengths(potential, factor), cluster())
    grown = rescaled(force_field(text), 1.0, factor)
    assert close(value(wider.updated(factor * x, grown), factor * x, grown), value(energy, x, theta), 1e-12)
    if any(option.length for option in POTENTIALS[potential].options):
        return  # then θ and x do not hold all lengths
    slopes = theta_gradient(energy, x, theta)[label_of(potential)]
    exponents = exponents_of(potential, "length")
    euler = sum(exponents[name] * float(np.vdot(theta[label_of(potential)][name], slopes[name])) for name in slopes)
    assert euler == pytest.approx(-float(np.vdot(x, gradient(energy, x, theta))), rel=1e-11)


def factor_of(spec: Any, units: UnitSystem) -> float:
    """A number in other units → that in metal units. Reduced charges are those of which the square is an energy times a length."""
    return units.factor(spec.energy, spec.length) * (units.coulomb / METAL.coulomb) ** (0.5 * getattr(spec, "charge", 0.0))


def converted(potential: str, units: UnitSystem) -> str:
    """The same physics written in other units."""
    lines = []
    specs = {spec.name: spec for spec in (*POTENTIALS[potential].parameters, *POTENTIALS[potential].options)}
    for line in FORCE_FIELDS[potential].splitlines():
        name, _, number = line.partition(" = ")
        if name.strip('"') in specs:
            values = np.array(json.loads(number)) / factor_of(specs[name.strip('"')], units)
            line = f"{name} = {values.tolist()!r}"
        elif name in ("cutoff", "switch_from"):
            line = f"{name} = {float(number) / units.length!r}"
        lines.append(line)
    return f'units = "{units.name}"\n' + "\n".join(lines)


@pytest.mark.parametrize("potential", sampled(FORCE_FIELDS))
@pytest.mark.parametrize("units", [REAL, GROMACS, REDUCED], ids=lambda units: units.name)
def test_the_same_physics_in_other_units_has_the_same_energy_and_derivatives(potential: str, units: UnitSystem) -> None:
    if units.reduced and potential not in RELATIVE:
        with pytest.raises(InputError, match="no reduced units"):
            build(converted(potential, units), crystal())
        return
    metal, x, theta = build(FORCE_FIELDS[potential], crystal())
    other, _, written = build(converted(potential, units), crystal())
    assert close(value(metal, x, theta), value(other, x, written), 1e-12)
    assert close(gradient(metal, x, theta), gradient(other, x, written), 1e-11)
    by_metal, by_other = (theta_gradient(energy, x, t)[label_of(potential)] for energy, t in ((metal, theta), (other, written)))
    for spec in (spec for spec in POTENTIALS[potential].parameters if not spec.option):
        assert close(by_other[spec.name], by_metal[spec.name] * factor_of(spec, units), 1e-11), spec.name


def test_unit_systems_are_their_definitions() -> None:
    assert set(UNIT_SYSTEMS) == {"metal", "real", "gromacs", "reduced"}
    assert (METAL.energy, METAL.length, REAL.length, GROMACS.length) == (1.0, 1.0, 1.0, 10.0)
    assert GROMACS.energy == pytest.approx(KILOJOULE_PER_MOLE_IN_EV, rel=1e-14)
    assert REAL.energy == pytest.approx(4.184 * KILOJOULE_PER_MOLE_IN_EV, rel=1e-14)
    assert METAL.pressure == pytest.approx(EV_PER_CUBIC_ANGSTROM_IN_GPA, rel=1e-14)
    # CODATA 2018; LAMMPS has fewer digits.
    assert METAL.coulomb == REAL.coulomb == GROMACS.coulomb == pytest.approx(14.3996454784, rel=1e-11)
    assert (LAMMPS_METAL.coulomb, REDUCED.coulomb) == (14.399645, 1.0)
    assert LAMMPS_REAL.coulomb / REAL.energy == pytest.approx(332.06371, rel=1e-14)
    assert LAMMPS_METAL.pressure == pytest.approx(METAL.pressure, rel=1e-7) and LAMMPS_METAL.pressure != METAL.pressure


def test_unit_systems_agree_with_ase() -> None:
    from ase import units as ase_units

    # ASE's units follow CODATA 2014 by default, which is 1e-8 off the exact values.
    assert ase_units.kcal / ase_units.mol == pytest.approx(REAL.energy, rel=2e-8)
    assert ase_units.kJ / ase_units.mol == pytest.approx(GROMACS.energy, rel=2e-8)
    assert 1 / ase_units.GPa == pytest.approx(METAL.pressure, rel=2e-8)


@pytest.mark.parametrize(
    ("units", "energy", "length", "symbol"),
    [
        (METAL, 1, 0, "eV"),
        (METAL, 0, 1, "Å"),
        (METAL, 0, -1, "1/Å"),
        (METAL, 1, 6, "eV·Å⁶"),
        (REAL, 1, -2, "kcal/mol/Å²"),
        (GROMACS, 1, 6, "kJ/mol·nm⁶"),
        (METAL, 0, 0, "1"),
        (REDUCED, 1, 6, "reduced"),
    ],
)
def test_units_are_printed_as_people_write_them(units: UnitSystem, energy: float, length: float, symbol: str) -> None:
    assert units.symbol(energy, length) == symbol


def test_a_dimer_in_other_units_has_its_minimum_where_it_belongs() -> None:
    # σ = 0.34 nm, ε = 1 kJ/mol: the minimum is at 2^(1/6) × 3.4 Å, and is −1 kJ/mol deep.
    text = 'units = "gromacs"\n[[potential]]\nstyle = "lennard_jones"\n[potential.parameters.A]\nsigma = 0.34\nepsilon = 1.0\n'
    r = 2 ** (1 / 6) * 3.4
    energy, x, theta = build(text, structure(np.array([[0.0, 0, 0], [r, 0, 0]]), "AA"))
    assert float(value(energy, x, theta)) == pytest.approx(-KILOJOULE_PER_MOLE_IN_EV, rel=1e-13)
    assert np.abs(gradient(energy, x, theta)).max() < 1e-15
    assert jax.tree.structure(theta) == jax.tree.structure(theta_gradient(energy, x, theta))
