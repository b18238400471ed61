"""Formulas of LAMMPS variables (`variable x equal ...`): numbers, other variables and arithmetic, evaluated as LAMMPS does.

All binary operators of one rank are taken from left to right, powers included, and a minus sign binds closest: -2^2 is 4 and 2^3^2 is
64. What a formula of a run may ask for besides (thermodynamic keywords, computes, groups, random numbers) is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

Lookup = Callable[[str], float]
"""Name of a variable → its value."""

_TOKEN = re.compile(r"\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z_]\w*)|([-+*/%^()]))", re.ASCII)
_RANKS = ({"+": float.__add__, "-": float.__sub__}, {"*": float.__mul__, "/": float.__truediv__, "%": math.fmod}, {"^": math.pow})
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "sqrt": math.sqrt, "exp": math.exp, "ln": math.log, "log": math.log10, "abs": abs, "sin": math.sin, "cos": math.cos, "tan": math.tan,
    "asin": math.asin, "acos": math.acos, "atan": math.atan, "floor": math.floor, "ceil": math.ceil,
}  # fmt: skip
_DEEPEST = 50


def evaluated(formula: str, lookup: Lookup) -> float:
    """Value of a formula.

    Raises:
        ValueError: with the reason, where it is no formula, has no finite value, or asks for what is not known here.
    """
    reader = _Reader(_tokens(formula), lookup)
    value = reader.sum(0)
    if reader.tokens:
        raise ValueError(f"does not end before {reader.tokens[0]!r}")
    if not math.isfinite(value):
        raise ValueError("has no finite value")
    return value


def _tokens(formula: str) -> list[str]:
    found, place = [], 0
    while formula[place:].strip():
        match = _TOKEN.match(formula, place)
        if match is None:
            raise ValueError(f"has {formula[place:].strip()[0]!r}, which is not understood here")
        found.append(match[0].strip())
        place = match.end()
    return found


def _applied(function: Callable[..., float], *values: float) -> float:
    try:
        return float(function(*values))
    except (ArithmeticError, ValueError):
        raise ValueError("has no finite value") from None


class _Reader:
    """Tokens that are left, and where variables are looked up."""

    def __init__(self, tokens: list[str], lookup: Lookup) -> None:
        self.tokens, self.lookup, self.depth = tokens, lookup, 0

    def next(self) -> str:
        if not self.tokens:
            raise ValueError("ends too early")
        return self.tokens.pop(0)

    def sum(self, rank: int) -> float:
        """A chain of operators of one rank, from left to right."""
        if rank == len(_RANKS):
            return self.operand()
        value = self.sum(rank + 1)
        while self.tokens and self.tokens[0] in _RANKS[rank]:
            operator = _RANKS[rank][self.next()]
            value = _applied(operator, value, self.sum(rank + 1))
        return value

    def operand(self) -> float:
        token, sign = self.next(), 1.0
        while token == "-":
            token, sign = self.next(), -sign
        return sign * self.unsigned(token)

    def unsigned(self, token: str) -> float:
        if token == "(":
            return self.inside()
        if token[0].isdigit() or token[0] == ".":
            return float(token)
        if token == "PI":
            return math.pi
        if token.startswith("v_"):
            return self.lookup(token[2:])
        if token in _FUNCTIONS and self.tokens[:1] == ["("]:
            self.next()
            return _applied(_FUNCTIONS[token], self.inside())
        raise ValueError(f"asks for {token!r}, which is not known here")

    def inside(self) -> float:
        """What stands in parentheses, the first of which was read."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise ValueError("is nested too deeply")
        value = self.sum(0)
        self.depth -= 1
        if self.next() != ")":
            raise ValueError("lacks a closing parenthesis")
        return value
