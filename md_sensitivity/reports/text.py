"""Numbers and units as people read them; the same on the terminal and in the report."""

from __future__ import annotations

import math
import re

ASCII = str.maketrans(
    {"Å": "A", "θ": "theta", "²": "^2", "³": "^3", "·": "*", "×": "x", "±": "+-", "∂": "d", "…": "...", "−": "-", "°": "deg"}
)
"""What to write where an encoding has no such letters."""
DIGITS, SUPERSCRIPT_DIGITS = "0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"
SUPERSCRIPTS = str.maketrans(DIGITS, SUPERSCRIPT_DIGITS)
PLAIN_DIGITS = str.maketrans(SUPERSCRIPT_DIGITS, DIGITS)


def number(value: float | None, digits: int = 5) -> str:
    """Plain ASCII number with at most `digits` significant digits, such as -1.2345e-06; an empty string for None."""
    if value is None:
        return ""
    text = f"{value:.{digits}g}"
    return "0" if text == "-0" else text


def pretty(value: float | None, digits: int = 5) -> str:
    """The same in print: −1.2345×10⁻⁶, thousands separated by thin spaces."""
    text = number(value, digits)
    mantissa, _, exponent = text.partition("e")
    sign = "−" if mantissa.startswith("-") else ""
    whole, point, fraction = mantissa.lstrip("-").partition(".")
    if len(whole) > 4 and whole.isdigit():
        whole = f"{int(whole):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    power = f"×10{str(int(exponent)).translate(SUPERSCRIPTS)}" if exponent else ""
    return f"{sign}{whole}{point}{fraction}{power}"


def signed(value: float, digits: int = 3) -> str:
    """A printed number that always shows its sign."""
    text = pretty(value, digits)
    return text if value <= 0 else f"+{text}"


def rounded(value: float, digits: int = 2) -> str:
    """A factor in words: 1200 rather than 1.2×10³."""
    return pretty(float(f"{value:.{digits}g}"), 12 if value < 1e7 else digits)


def visible(unit: str) -> str:
    """A unit as people write it: a plain number, whose unit is "1" in the files for programs, has none."""
    return "" if unit == "1" else unit


def per(unit: str, parameter_unit: str) -> str:
    """Unit of a derivative: `GPa per Å`; the numerator alone where the parameter has no unit, `per Å` where the observable has none."""
    if not visible(parameter_unit):
        return visible(unit)
    return unit if unit == parameter_unit == "reduced" else f"{visible(unit)} per {parameter_unit}".lstrip()


def count(number_of: int, noun: str) -> str:
    """`1 atom`, `2 atoms`."""
    return f"{number_of} {noun}" if number_of == 1 else f"{number_of:,} {noun}s".replace(",", "\N{NARROW NO-BREAK SPACE}")


def periodicity(periodic: list[bool]) -> str:
    """What the three flags mean."""
    axes = [axis for axis, flag in zip("abc", periodic, strict=False) if flag]
    return f"periodic along {', '.join(axes)}" if axes else "not periodic"


def magnitude(value: float | None) -> float:
    """|value|, zero where there is none; what bars and color scales are made of."""
    return 0.0 if value is None or not math.isfinite(value) else abs(value)


def plain_powers(text: str) -> str:
    """Printed numbers back in ASCII: 1.2×10⁻⁶ becomes 1.2e-06."""
    return re.sub(f"×10([{SUPERSCRIPT_DIGITS}]+)", lambda power: f"e{int(power[1].translate(PLAIN_DIGITS)):+03d}", text)


def ascii_only(text: str) -> str:
    """Text for formats and terminals that know no other letters: Å becomes A; what has no such form becomes a question mark."""
    return plain_powers(text).translate(ASCII).encode("ascii", "replace").decode("ascii")
