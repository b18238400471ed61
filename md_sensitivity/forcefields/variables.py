"""Variables: numbers of a force field that belong to no potential, which parameters may follow."""

from __future__ import annotations

import re
from typing import Any

from md_sensitivity.errors import InputError
from md_sensitivity.files import quotation, shortened
from md_sensitivity.forcefields.expressions import NO_DIMENSION, Dimension
from md_sensitivity.forcefields.numbers import numbers_of
from md_sensitivity.forcefields.parameter_blocks import block_of
from md_sensitivity.forcefields.table import VARIABLE, ParameterBlock
from md_sensitivity.potentials.base import ParameterSpec
from md_sensitivity.units import UnitSystem

_FACTOR = re.compile(r"(?:\^?(-?\d+(?:\.\d+)?)|([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+(?:·[⁰¹²³⁴⁵⁶⁷⁸⁹]+)?))?")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻·", "0123456789-.")


def variables_of(given: Any, units: UnitSystem, source: str) -> tuple[list[ParameterBlock], dict[str, Dimension]]:
    """Blocks and dimensions of the table `[variables]`.

    Raises:
        InputError: with file, place and reason.
    """
    if not isinstance(given, dict):
        raise InputError(f"{source}: variables must be a table such as [variables]")
    blocks, dimensions = [], {}
    for name, said in given.items():
        where = f"{source}: variables.{shortened(name)}"
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise InputError(f"{where}: a variable is called with letters, digits and `_`")
        long = dict(said) if isinstance(said, dict) else {"value": said}
        dimensions[name] = _dimension(long.pop("unit", "1"), units, where)
        energy, length, charge = dimensions[name]
        spec = ParameterSpec(name=name, energy=energy, length=length, charge=charge)
        numbers = numbers_of(long, spec, None, {}, where=where)
        blocks.append(block_of(spec, numbers, 0, units, label=VARIABLE))
    return blocks, dimensions


def _dimension(unit: Any, units: UnitSystem, where: str) -> Dimension:
    """Dimension of a unit such as `eV`, `Å^6*eV` or `1/Å`, made of the file's own units."""
    if units.reduced:
        if unit not in ("1", "reduced"):
            raise InputError(f"{where}: numbers in reduced units have no unit; remove it")
        return NO_DIMENSION
    if not isinstance(unit, str):
        raise InputError(f"{where}: unit must be a text")
    bases = {units.energy_symbol: 0, units.length_symbol: 1, "e": 2}
    exponents, rest, sign = [0.0, 0.0, 0.0], unit.replace(" ", "").replace("Angstrom", "Å"), 1.0
    known = f"{where}: unit {quotation(unit)}: made of {', '.join(bases)} with * / ^, such as {units.symbol(1, -1)}"
    while rest:
        base = next((symbol for symbol in bases if rest.startswith(symbol)), None)
        if base is None and not rest.startswith("1"):
            raise InputError(known)
        rest = rest[len(base or "1") :]
        power = _FACTOR.match(rest) if base else None
        if power and base:
            text = power[1] or (power[2] or "1").translate(_LOWERED)
            exponents[bases[base]] += sign * _exponent(text, known)
            rest = rest[power.end() :]
        if rest and (rest[0] not in "*·/" or len(rest) == 1):
            raise InputError(known)
        sign, rest = (-1.0 if rest[:1] == "/" else 1.0), rest[1:]
    return exponents[0], exponents[1], exponents[2]


def _exponent(text: str, known: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(known) from None
