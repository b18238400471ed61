"""From a structure, a force field and options to an equilibrium, with a fixed or a relaxed cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np

from md_sensitivity.analysis.directions import Directions
from md_sensitivity.analysis.options import Options
from md_sensitivity.analysis.sensitivity import FORWARD, Parts
from md_sensitivity.building import build_system
from md_sensitivity.compilation import program
from md_sensitivity.curvature.products import gradient
from md_sensitivity.curvature.solvers.dense import RELATIVE_ZERO
from md_sensitivity.energy import Deformed
from md_sensitivity.enthalpy import EnthalpyFunction, enthalpy_function, pressure_symbol
from md_sensitivity.errors import UsageError
from md_sensitivity.forcefields import ForceField
from md_sensitivity.implicit.equilibrium import equilibrium_vjp
from md_sensitivity.minimization import Equilibrium, minimize
from md_sensitivity.minimization.equilibrium import FAILED, MINIMUM, UNCONVERGED
from md_sensitivity.progress import Progress
from md_sensitivity.sharding import devices_for
from md_sensitivity.system import EnergyFunction, System, energy_function
from md_sensitivity.types import Structure

_HELD = 1e-6
"""Share of a motion without energy that may be a strain by rounding."""
_GROWN = 3.0
"""A cell that is so many times larger than that of the input and at no minimum has nothing that holds it."""


def system_for(structure: Structure, force_field: ForceField, options: Options) -> System:
    """The padded system, on one device or split over several."""
    return build_system(structure, force_field, dimensions=options.dimensions, padded=True, devices=devices_for(structure.size))


def energy_for(system: System, options: Options) -> EnergyFunction | EnthalpyFunction:
    """What is minimized: E, or the enthalpy where the cell relaxes.

    Raises:
        UsageError: where a pressure is given for a fixed cell, or the cell cannot relax.
    """
    if options.relax_cell:
        return enthalpy_function(system, relax=options.relax_cell, pressure=options.pressure)
    if options.pressure:
        raise UsageError("a pressure acts on a cell that relaxes: add --relax-cell isotropic or full, or leave out --pressure")
    return energy_function(system)


def relaxed(system: System, force_field: ForceField, options: Options, progress: Progress) -> Equilibrium:
    """The equilibrium that the options ask for, whatever its status."""
    energy = energy_for(system, options)
    fmax, start = options.fmax, system.positions
    if isinstance(energy, EnthalpyFunction):
        # A coordinate of strain feels volume · stress / length; where that is the stricter one, all forces are made as small.
        fmax, start = min(fmax, options.smax * energy.force_of_stress), energy.start
    found = minimize(
        energy,
        start,
        force_field.parameters,
        fmax=fmax,
        max_steps=options.max_steps,
        minimizer=options.minimizer,
        throw=False,
        report=lambda stage, share: progress.update(f"minimize ({stage})", share),
    )
    return _explained(found, options)


def _explained(found: Equilibrium, options: Options) -> Equilibrium:
    """The equilibrium with a message that speaks of stress where it did not converge, or of a cell that grows without end."""
    energy = found.energy
    if found.status not in (FAILED, UNCONVERGED) or not isinstance(energy, EnthalpyFunction):
        return found
    growth = float(energy.volume(found.x)) / abs(float(np.linalg.det(np.asarray(energy.origin))))
    left = relaxed_cell(found)
    if not growth > _GROWN:
        if found.status == FAILED or left is None:
            return found
        message = (
            f"after {found.steps} steps the largest force component is {left.max_force:.3g} (fmax {options.fmax:g}), and the largest "
            f"stress component beyond the pressure {left.max_stress:.3g} {pressure_symbol(energy.system)} (smax {options.smax:g}): allow "
            "more steps, loosen what is above its limit, or ask for a pressure that the structure can bear"
        )
        return replace(found, message=message)
    message = (
        f"the cell grew to {growth:.3g} times its size after {found.steps} steps, and nothing holds it at a pressure of "
        f"{options.pressure:g}: ask for less tension, or check the structure and the units of the force field"
    )
    return replace(found, message=message)


def specs_of(system: System, options: Options, *, compared: bool = False) -> tuple[str, ...]:
    """Observables that are asked for, or the default ones; where the structure is compared with references, its formation energy, too."""
    default = (*default_observables(system, options), *(("formation_energy",) if compared else ()))
    return tuple(dict.fromkeys(options.observables or default))


def default_observables(system: System, options: Options) -> tuple[str, ...]:
    """Energy, and pressure where the structure is periodic, or volume where its cell relaxes."""
    if not all(system.pbc[: system.dimensions]):
        return ("energy",)
    if options.relax_cell and system.dimensions == 3:
        return ("energy", "volume")
    return ("energy", "pressure")


def solver_for(options: Options, equilibrium: Equilibrium) -> str:
    """The solver asked for; where there is no minimum, one that does not need positive curvature."""
    known = equilibrium.spectrum
    if options.solver == "auto" and equilibrium.status != MINIMUM and (known is None or known.eigenvectors is None):
        return "minres"
    if options.solver == "auto" and options.precision == "mixed" and (known is None or known.eigenvectors is None):
        return "mixed-cg"
    return options.solver


def motions(equilibrium: Equilibrium, responses: Any) -> np.ndarray:
    """dx*/dθ of all atoms, shape=(p, n, 3) [Å per unit]; where the cell relaxes they move with it, and fractional centroids stay.

    Args:
        responses: stacked trees like x.
    """
    if not isinstance(responses, Deformed):
        return np.asarray(responses)
    strains = _strains(equilibrium, responses.strain)
    return np.asarray(responses.positions) + np.einsum("nb,pba->pna", equilibrium.positions, strains)


def second_motion(equilibrium: Equilibrium, first: Any, second: Any) -> np.ndarray:
    """d²x*/dt² of all atoms along a path, shape=(n, 3) [Å per unit squared], of first and second responses, trees like x."""
    if not isinstance(second, Deformed):
        return np.asarray(second)
    strain, bent = _strains(equilibrium, np.stack([np.asarray(first.strain), np.asarray(second.strain)]))
    return np.asarray(second.positions) + 2.0 * np.asarray(first.positions) @ strain + equilibrium.positions @ bent


def cell_motions(equilibrium: Equilibrium, found: Parts, directions: Directions, cell: np.ndarray) -> np.ndarray | None:
    """Change of lattice vectors, the rows of `cell`, by symmetric strains, shape=(p, 3, 3) [Å per unit]; None where the cell is fixed.

    Args:
        found: derivatives along the directions; of the adjoint mode they hold no response, and one more solve for each strain is made.
    """
    x = equilibrium.x
    if not isinstance(x, Deformed):
        return None
    if found.mode == FORWARD:
        amounts = np.asarray(found.response.value.strain)
    else:
        count = len(x.strain)
        each = Deformed(np.zeros((count, *np.shape(x.positions))), np.eye(count))
        amounts = directions.along(equilibrium_vjp(equilibrium, each, throw=False).value).T
    return np.einsum("ab,pbc->pac", cell, _strains(equilibrium, amounts))


def _strains(equilibrium: Equilibrium, amounts: Any) -> np.ndarray:
    """Strains of stacked coordinates of strain, shape=(p, 3, 3)."""
    energy = equilibrium.energy
    assert isinstance(energy, EnthalpyFunction)
    return np.tensordot(np.asarray(amounts) / float(energy.length), np.asarray(energy.basis), axes=1)


def loose_cell(equilibrium: Equilibrium) -> str:
    """Why properties of a relaxed cell have no derivatives: strains that cost no energy, as of molecules far apart; else ""."""
    spectrum = equilibrium.spectrum
    if not isinstance(equilibrium.x, Deformed) or spectrum is None or not spectrum.floppy or spectrum.eigenvectors is None:
        return ""
    values = np.asarray(spectrum.eigenvalues)
    count = len(equilibrium.x.strain)
    strains = np.asarray(spectrum.eigenvectors)[-count:, np.abs(values) <= RELATIVE_ZERO * spectrum.largest]
    if not np.any(np.abs(strains) > _HELD):
        return ""
    return "nothing holds the cell: there are strains that cost no energy, so that its properties have no derivatives"


class RelaxedCell(NamedTuple):
    """What is to be said of an equilibrium whose cell relaxed.

    Attributes:
        energy: without PV [eV].
        max_force: largest force component of an atom [eV/Å].
        max_stress: largest component of stress and pressure that is left, of strains that were free [unit of the pressure].
    """

    energy: float
    max_force: float
    max_stress: float


def relaxed_cell(equilibrium: Equilibrium) -> RelaxedCell | None:
    """What is left to be said where the cell relaxed; None where it was fixed."""
    energy = equilibrium.energy
    if not isinstance(energy, EnthalpyFunction):
        return None
    value, slope = _potential_and_slope(energy, equilibrium.x, equilibrium.theta)
    stress = np.tensordot(np.asarray(slope.strain), np.asarray(energy.basis), axes=1) / energy.force_of_stress
    return RelaxedCell(float(value), float(np.max(np.abs(np.asarray(slope.positions)))), float(np.max(np.abs(stress))))


@program
def _potential_and_slope(energy: EnthalpyFunction, x: Deformed, theta: Any) -> tuple[jax.Array, Deformed]:
    return energy.strained(x, theta, None), gradient(energy, x, theta)


def cell_at(equilibrium: Equilibrium) -> np.ndarray:
    """Lattice vectors at an equilibrium of a system, those of axes that are not periodic completed, shape=(3, 3) [Å]."""
    energy = equilibrium.energy
    assert isinstance(energy, EnergyFunction | EnthalpyFunction)
    return np.asarray(energy.cell(equilibrium.x))


def cell_of(equilibrium: Equilibrium, structure: Structure) -> np.ndarray:
    """The structure's lattice vectors at an equilibrium, rows of zeros where it has none, shape=(3, 3) [Å]."""
    cell = np.asarray(structure.cell, dtype=np.float64)
    energy = equilibrium.energy
    if not isinstance(energy, EnthalpyFunction):
        return cell
    return np.asarray(cell @ np.linalg.solve(np.asarray(energy.origin), cell_at(equilibrium)))
