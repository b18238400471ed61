"""Numbers that no molecule has, such as lengths in another unit or with digits too many: a minimization would go on and on with them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.forcefields.table import TypeTuple, join_types
from md_sensitivity.potentials.base import ParameterSpec
from md_sensitivity.units import UnitSystem

LONGEST = 100.0
"""Bonds, radii of atoms and of coarse grains are shorter [Å]."""
WIDEST = 2.0 * math.pi
"""An angle at rest, of three atoms, is smaller [rad]; phases of torsions may be any."""


def require_plausible(spec: ParameterSpec, values: np.ndarray, units: UnitSystem, place: str, of: TypeTuple | str) -> None:
    """Refuses lengths and angles at rest that are beyond any molecule's.

    Args:
        values: of one parameter, in the file's units.
        place: file and line.
        of: types or label that they belong to.

    Raises:
        InputError: with place, name and number.
    """
    plain = not (spec.energy or spec.charge or spec.radian)
    if spec.length == 1 and plain:
        most, unit = LONGEST / units.length, units.length_symbol
    elif spec.angle == 1 and plain and not spec.length and spec.lower == 0:
        most, unit = WIDEST / units.angle, units.angle_symbol
    else:
        return
    if np.any(values > most):
        name = of if isinstance(of, str) else join_types(of)
        raise InputError(
            f"{place}: {spec.description} {spec.name} = {np.max(values):g} {unit} of {name} is more than {most:g} {unit}, which no "
            "molecule has; check the number and its unit"
        )


def require_plausible_powers(values: Mapping[str, Any], units: UnitSystem, place: str, of: TypeTuple | str) -> None:
    """The same for the distance that C6 and C12 of Lennard-Jones amount to.

    Raises:
        InputError: with place and number.
    """
    sixth, twelfth = float(values["C6"]), float(values["C12"])
    sigma = (twelfth / sixth) ** (1.0 / 6.0) if sixth > 0 else 0.0
    most = LONGEST / units.length
    if sigma > most:
        name = of if isinstance(of, str) else join_types(of)
        raise InputError(
            f"{place}: C6 = {sixth:g} and C12 = {twelfth:g} of {name} amount to a sigma of {sigma:g} {units.length_symbol}, and no atom "
            f"is larger than {most:g} {units.length_symbol}; check both numbers and their units"
        )
