"""Arithmetic of parameters as text, such as `0.5 * (Ar.sigma + Kr.sigma)`: parsed, checked for dimensions, evaluated, differentiated.

Nothing but numbers, names of parameters, `+ - * / ^` (or `**`), brackets and the functions below is understood. A name that holds anything
else than letters, digits, `_`, `.`, `-` and `~` is written between backticks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

FUNCTIONS = ("sqrt", "exp", "log")
LONGEST = 2000
"""Characters of an expression; nobody writes as many."""
_DEEPEST = 40
_NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"[^\W\d][\w.~-]*")
_QUOTED = re.compile(r"`([^`]+)`")
_SIGNS = ("**", "^", "*", "/", "+", "-", "(", ")")

Dimension = tuple[float, float, float]
"""Exponents of energy, length and charge."""
NO_DIMENSION: Dimension = (0.0, 0.0, 0.0)


class Call(NamedTuple):
    """An operation on one or two operands."""

    operation: str
    operands: tuple[Node, ...]


Node: TypeAlias = "float | str | Call"
"""A number, the name of a parameter, or an operation."""


class ExpressionError(Exception):
    """What is wrong with an expression."""


class _Token(NamedTuple):
    kind: str
    value: Any


def parse(text: str, find: Callable[[str], str | None]) -> Node:
    """The tree of an expression.

    Args:
        find: a name as written → the full name of a parameter, or None where there is none.

    Raises:
        ExpressionError: with what is wrong.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"{len(text)} characters are too long for an expression")
    tokens = _tokens(text, find)
    node, rest = _sum(tokens, 0)
    if rest:
        raise ExpressionError(f"{_shown(rest)} is not expected there")
    return node


def _tokens(text: str, find: Callable[[str], str | None]) -> list[_Token]:
    tokens, place = [], 0
    while place < len(text):
        rest = text[place:]
        if rest[0].isspace():
            place += 1
        elif found := _NUMBER.match(rest):
            tokens.append(_Token("number", float(found[0])))
            place += found.end()
        elif found := _QUOTED.match(rest):
            tokens.append(_Token("name", _known(found[1], find)))
            place += found.end()
        elif found := _WORD.match(rest):
            token, length = _word(found[0], find, rest)
            tokens.append(token)
            place += length
        elif sign := next((sign for sign in _SIGNS if rest.startswith(sign)), None):
            tokens.append(_Token("sign", "^" if sign == "**" else sign))
            place += len(sign)
        else:
            raise ExpressionError(f"{rest[0]!r} is no part of an expression")
    return tokens


def _word(word: str, find: Callable[[str], str | None], rest: str) -> tuple[_Token, int]:
    """A function, or the longest start of `word` that names a parameter: `a.A-B.x` is one name where there is one, else a difference.

    Args:
        rest: of the text, which begins with `word`.
    """
    cuts = [place for place, char in enumerate(word) if char == "-"]
    for cut in (len(word), *reversed(cuts)):
        if word[:cut] in FUNCTIONS:
            return _Token("function", word[:cut]), cut
        if (name := find(word[:cut])) is not None:
            return _Token("name", name), cut
    whole = re.split(r"[\s*/+^()]", rest, maxsplit=1)[0]
    advice = f"; a name with other signs stands between backticks: `{whole[:200]}`" if len(whole) > len(word) else ""
    raise ExpressionError(f"no parameter is called {word[:200]!r}{advice}")


def _known(word: str, find: Callable[[str], str | None]) -> str:
    name = find(word)
    if name is None:
        raise ExpressionError(f"no parameter is called {word[:200]!r}")
    return name


def _shown(tokens: list[_Token]) -> str:
    return f"{tokens[0].value!r}" if tokens else "the end"


def _binary(
    below: Callable[[list[_Token], int], tuple[Node, list[_Token]]], signs: str, tokens: list[_Token], depth: int
) -> tuple[Node, list[_Token]]:
    """Operands joined by signs of one rank, from left to right."""
    node, rest = below(tokens, depth)
    while rest and rest[0].kind == "sign" and rest[0].value in signs:
        other, after = below(rest[1:], depth)
        node, rest = Call(rest[0].value, (node, other)), after
    return node, rest


def _sum(tokens: list[_Token], depth: int) -> tuple[Node, list[_Token]]:
    return _binary(partial(_binary, _signed, "*/"), "+-", tokens, depth)


def _signed(tokens: list[_Token], depth: int) -> tuple[Node, list[_Token]]:
    if depth > _DEEPEST:
        raise ExpressionError("nested too deeply")
    if tokens and tokens[0].kind == "sign" and tokens[0].value in "+-":
        node, rest = _signed(tokens[1:], depth + 1)
        if tokens[0].value == "+":
            return node, rest
        return -node if isinstance(node, float) else Call("negative", (node,)), rest
    base, rest = _atom(tokens, depth)
    if rest and rest[0] == ("sign", "^"):     # from right to left, and stronger than a sign before it
        exponent, rest = _signed(rest[1:], depth + 1)
        return Call("^", (base, exponent)), rest
    return base, rest


def _atom(tokens: list[_Token], depth: int) -> tuple[Node, list[_Token]]:
    if not tokens or (tokens[0].kind == "sign" and tokens[0].value != "("):
        raise ExpressionError(f"{_shown(tokens)} stands where a number or a parameter is expected")
    first = tokens[0]
    if first.kind in ("number", "name"):
        return first.value, tokens[1:]
    inner = tokens if first.kind == "sign" else tokens[1:]
    if not inner or inner[0] != ("sign", "("):
        raise ExpressionError(f"{first.value} needs brackets around what it is taken of")
    node, rest = _sum(inner[1:], depth + 1)
    if not rest or rest[0] != ("sign", ")"):
        raise ExpressionError("a bracket is not closed")
    return node if first.kind == "sign" else Call(first.value, (node,)), rest[1:]


def plain(name: str) -> str:
    """A name as an expression may hold it, between backticks where it must."""
    return name if _WORD.fullmatch(name) else f"`{name}`"


def names_in(node: Node) -> tuple[str, ...]:
    """Parameters that an expression reads, each once."""
    if isinstance(node, str):
        return (node,)
    if isinstance(node, float):
        return ()
    return tuple(dict.fromkeys(name for operand in node.operands for name in names_in(operand)))


_VALUES: dict[str, Callable[..., Any]] = {
    "+": lambda module, a, b: a + b,
    "-": lambda module, a, b: a - b,
    "*": lambda module, a, b: a * b,
    "/": lambda module, a, b: a / b,
    "^": lambda module, a, b: a**b,
    "negative": lambda module, a: -a,
    **{name: lambda module, a, name=name: getattr(module, name)(a) for name in FUNCTIONS},
}


def evaluate(node: Node, values: Mapping[str, Any], module: ModuleType = np) -> Any:
    """Value of an expression of numbers, or of arrays of `module` (numpy or jax.numpy)."""
    if isinstance(node, str):
        return values[node]
    if isinstance(node, float):
        return np.float64(node) if module is np else node
    return _VALUES[node.operation](module, *(evaluate(operand, values, module) for operand in node.operands))


_SLOPES: dict[str, Callable[..., tuple[Any, ...]]] = {
    "+": lambda f, a, b: (1.0, 1.0),
    "-": lambda f, a, b: (1.0, -1.0),
    "*": lambda f, a, b: (b, a),
    "/": lambda f, a, b: (1.0 / b, -f / b),
    "^": lambda f, a, b: (b * a ** (b - 1.0), f * np.log(a)),
    "negative": lambda f, a: (-1.0,),
    "sqrt": lambda f, a: (0.5 / f,),
    "exp": lambda f, a: (f,),
    "log": lambda f, a: (1.0 / a,),
}
"""(value, operands) → derivative with respect to each operand."""


def slope(node: Node, values: Mapping[str, Any], tangents: Mapping[str, np.ndarray], zero: np.ndarray) -> tuple[Any, np.ndarray]:
    """Value and derivatives along several directions at once.

    Args:
        tangents: of each parameter, shape=(k,).
        zero: the tangent of a number.
    """
    if isinstance(node, str):
        return values[node], tangents[node]
    if isinstance(node, float):
        return np.float64(node), zero
    pairs = [slope(operand, values, tangents, zero) for operand in node.operands]
    operands = [value for value, _ in pairs]
    value = _VALUES[node.operation](np, *operands)
    total = zero
    for factor, (_, tangent) in zip(_SLOPES[node.operation](value, *operands), pairs, strict=True):
        if np.any(tangent):     # a constant exponent, whose derivative may not exist, does not matter
            total = total + factor * tangent
    return value, total


def dimension(node: Node, of: Mapping[str, Dimension]) -> Dimension:
    """Dimension of an expression of parameters of given dimensions.

    Raises:
        ExpressionError: where numbers of different dimensions are added, or a function is taken of one that has any.
    """
    if isinstance(node, str):
        return of[node]
    if isinstance(node, float):
        return NO_DIMENSION
    operation = node.operation
    dimensions = [dimension(operand, of) for operand in node.operands]
    first, last = dimensions[0], dimensions[-1]
    if operation == "negative":
        return first
    if operation in "+-":
        if first != last:
            raise ExpressionError("adds numbers of different units; a number with a unit is written as a variable")
        return first
    if operation in "*/":
        sign = 1.0 if operation == "*" else -1.0
        return first[0] + sign * last[0], first[1] + sign * last[1], first[2] + sign * last[2]
    if operation == "sqrt":
        return 0.5 * first[0], 0.5 * first[1], 0.5 * first[2]
    if operation == "^" and last == NO_DIMENSION and not names_in(node.operands[1]):
        exponent = float(evaluate(node.operands[1], {}))
        return exponent * first[0], exponent * first[1], exponent * first[2]
    if first != NO_DIMENSION or last != NO_DIMENSION:
        raise ExpressionError(f"takes {operation} of what has a unit")
    return NO_DIMENSION
