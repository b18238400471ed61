"""How much of each reference a structure is made of: the exact solution of Σ c_k n_k(species) = n(species)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction

from md_sensitivity.errors import UsageError
from md_sensitivity.forcefields import ForceField, species_of
from md_sensitivity.types import Structure

Composition = Mapping[str, int]


def composition_of(force_field: ForceField, structure: Structure) -> Composition:
    """Number of atoms of each species of the force field; of each element where a topology names the types."""
    return Counter(structure.symbols if force_field.typing is not None else species_of(force_field, structure))


def amounts(composition: Composition, references: Sequence[tuple[str, Composition]], *, parts: bool = False) -> tuple[Fraction, ...]:
    """Coefficients c_k of references, in their order.

    Args:
        composition: of the structure.
        references: name, for messages, and composition of each.
        parts: whether the references are parts of the structure: then each is there a whole number of times, once where that
            composes it.

    Raises:
        UsageError: where there is no solution, or more than one; it says which species are unbalanced.
    """
    species = sorted(set(composition).union(*(each for _, each in references)))
    columns = [[Fraction(each.get(name, 0)) for name in species] for _, each in references]
    wanted = [Fraction(composition.get(name, 0)) for name in species]
    if parts and [sum(column[row] for column in columns) for row in range(len(species))] == wanted:
        return (Fraction(1),) * len(columns)
    absent = [name for name in composition if not any(name in each for _, each in references)]
    if absent:
        raise UsageError(f"no reference has {_listed(absent)}, of which the structure ({formula(composition)}) is made: add one that has")
    found = _solved(columns, wanted)
    if found is None:
        raise UsageError(
            f"the references ({_described(references)}) cannot be balanced with the structure ({formula(composition)}): "
            f"{_listed(_unbalanced(columns, wanted, species))} would be left over or missing; other references, or one more, are needed"
        )
    solution, unique = found
    if not unique:
        raise UsageError(
            f"how much of each reference ({_described(references)}) the structure ({formula(composition)}) is made of is not unique: "
            "leave out a reference that the others can stand for"
        )
    if parts and not all(amount >= 1 and amount.denominator == 1 for amount in solution):
        shown = ", ".join(f"{amount} × {name}" for amount, (name, _) in zip(solution, references, strict=True))
        raise UsageError(f"a binding energy is that of whole parts, and the structure ({formula(composition)}) would be {shown}")
    return solution


def _solved(columns: Sequence[Sequence[Fraction]], wanted: Sequence[Fraction]) -> tuple[tuple[Fraction, ...], bool] | None:
    """A solution of Σ c_k column_k = wanted by elimination, and whether it is the only one; None where there is none."""
    count = len(columns)
    rows = [[column[row] for column in columns] + [wanted[row]] for row in range(len(wanted))]
    pivots: list[int] = []
    for place in range(count):
        done = len(pivots)
        chosen = next((row for row in range(done, len(rows)) if rows[row][place]), None)
        if chosen is None:
            continue
        rows[done], rows[chosen] = rows[chosen], rows[done]
        rows[done] = [value / rows[done][place] for value in rows[done]]
        for row in range(len(rows)):
            factor = rows[row][place]
            if row != done and factor:
                rows[row] = [value - factor * other for value, other in zip(rows[row], rows[done], strict=True)]
        pivots.append(place)
    if any(row[count] for row in rows[len(pivots) :]):
        return None
    solution = [Fraction(0)] * count
    for row, place in enumerate(pivots):
        solution[place] = rows[row][count]
    return tuple(solution), len(pivots) == count


def _unbalanced(columns: Sequence[Sequence[Fraction]], wanted: Sequence[Fraction], species: Sequence[str]) -> list[str]:
    """Species that the amounts which come nearest, in the sense of least squares, leave over or lack."""
    normal = [[sum((a * b for a, b in zip(one, two, strict=True)), Fraction(0)) for two in columns] for one in columns]
    right = [sum((a * b for a, b in zip(column, wanted, strict=True)), Fraction(0)) for column in columns]
    found = _solved(normal, right)
    assert found is not None    # normal equations always have a solution
    pairs = list(zip(found[0], columns, strict=True))
    sums = [sum((amount * column[row] for amount, column in pairs), Fraction(0)) for row in range(len(wanted))]
    return [name for name, got, need in zip(species, sums, wanted, strict=True) if got != need]


def formula(composition: Composition) -> str:
    """Species and their numbers, such as `Ar499` or `Na31 Cl31`."""
    return " ".join(f"{name}{count}" for name, count in sorted(composition.items()))


def _described(references: Sequence[tuple[str, Composition]]) -> str:
    return "; ".join(f"{name}: {formula(each)}" for name, each in references)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
