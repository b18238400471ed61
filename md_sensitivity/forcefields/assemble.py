"""Tables `types → parameter → number` → a term with its rows of the parameter table, every key and number checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from md_sensitivity.errors import InputError
from md_sensitivity.files import shortened
from md_sensitivity.forcefields.data import ForceField, Term
from md_sensitivity.forcefields.expressions import Dimension
from md_sensitivity.forcefields.numbers import number_of, numbers_of, require_known
from md_sensitivity.forcefields.parameter_blocks import block_of
from md_sensitivity.forcefields.relations import relations_of
from md_sensitivity.forcefields.table import VARIABLE, ParameterBlock, ParameterRow, ParameterTable, TypeTuple, join_types, split_types
from md_sensitivity.potentials.base import (
    COULOMB,
    BondedForm,
    Form,
    ManyBodyForm,
    Options,
    PairForm,
    ParameterSpec,
    default_label,
    types_of,
)
from md_sensitivity.units import UnitSystem


def force_field_of(
    form: Form,
    entries: Mapping[TypeTuple, Mapping[str, Any]],
    options: Options,
    units: UnitSystem,
    *,
    name: str,
    source: str,
    label: str = "",
) -> ForceField:
    """Force field of one term with the values of a potential file."""
    tables = {join_types(types): dict(values) for types, values in entries.items()}
    settings = {"options": options_of(form, {}, options, units, source)}
    term, blocks = assembled_term(form, label or default_label(form), tables, units, source=source, settings=settings)
    return completed(blocks, (term,), units, name=name, source=source)


def completed(
    blocks: Sequence[ParameterBlock],
    terms: tuple[Term, ...],
    units: UnitSystem,
    *,
    name: str,
    source: str,
    reference: str = "",
    groups: Mapping[str, tuple[str, ...]] | None = None,
    dimensions: Mapping[str, Dimension] | None = None,
    aliases: Mapping[str, str] | None = None,
    entry: Callable[[ParameterRow], str] | None = None,
) -> ForceField:
    """Force field of assembled terms, values that follow others computed.

    Args:
        dimensions: of variables, by name.
        aliases: other names of species.
        entry: what a message calls the place in the file that speaks of a row; None for the tables of native potentials.

    Raises:
        InputError: where an expression makes no sense, or gives a value that is not admitted.
    """
    table = ParameterTable(blocks=tuple(blocks), groups=groups or {})
    by_label = {term.label: term for term in terms}

    def place_of(position: int) -> str:
        row = table.rows[position]
        if row.label == VARIABLE:
            return f"{source}: variables.{row.parameter}"
        if entry is not None:
            return f"{source}: {entry(row)}"
        if not row.types:
            return f"{source}: potential {row.label!r}: {row.parameter}"
        return f"{source}: potential {row.label!r}: parameters.{join_types(row.types)}.{row.parameter}"

    def dimension_of(position: int) -> Dimension:
        row = table.rows[position]
        if row.label == VARIABLE:
            return (dimensions or {})[row.parameter]
        spec = by_label[row.label].spec(row)
        return spec.energy, spec.length, spec.charge

    relations = relations_of(table, None if units.reduced else dimension_of, place_of)
    table = table.with_values(relations.applied(table.values))
    for relation in relations.items:
        row = table.rows[relation.target]
        place = f"{place_of(relation.target)} = {shortened(row.follows)} = {row.value:g}"
        if not np.isfinite(row.value):
            raise InputError(f"{place} is not finite")
        if row.label != VARIABLE and not by_label[row.label].spec(row).admits(row.value):
            raise InputError(f"{place}: must be {by_label[row.label].spec(row).bounds_text}")
    return ForceField(
        name=name,
        reference=reference,
        units=units,
        terms=terms,
        parameters=table.tree,
        table=table,
        relations=relations,
        aliases=aliases or {},
    )


def options_of(form: Form, given: Mapping[str, Any], known: Options, units: UnitSystem, where: str) -> dict[str, float]:
    """Values of a form's own options, in the file's units: what is given, else what a file says, else a constant, or the default."""
    found = {}
    constants = {COULOMB.name: units.coulomb / units.factor(COULOMB.energy, COULOMB.length)}
    for option in form.options:
        if option.name in given and option.name in known:
            raise InputError(f"{where}: {option.name} is said by the file; remove it here")
        value = given.get(option.name, known.get(option.name, constants.get(option.name, option.default)))
        if value is None:
            raise InputError(f"{where}: {form.name} needs {option.name} = ... ({option.description})")
        above = option.lower if option.open_lower else None
        found[option.name] = number_of(value, f"{where}: {option.name}", at_least=option.lower, above=above)
        if found[option.name] > option.upper:
            raise InputError(f"{where}: {option.name} = {found[option.name]:g} must be at most {option.upper:g}")
        if option.whole and found[option.name] != int(found[option.name]):
            raise InputError(f"{where}: {option.name} = {found[option.name]:g} must be a whole number")
    for option in form.options:
        if option.below and not found[option.name] < found[option.below]:
            raise InputError(
                f"{where}: {option.name} = {found[option.name]:g} must be less than {option.below} = {found[option.below]:g}"
            )
    return found


def assembled_term(
    form: Form, label: str, tables: Mapping[str, Mapping[str, Any]], units: UnitSystem, *, source: str, settings: dict[str, Any]
) -> tuple[Term, list[ParameterBlock]]:
    """Term and its blocks of the table from `types → parameter → number or long form`, types as written.

    Raises:
        InputError: with place and reason.
    """
    if units.reduced and isinstance(form, PairForm) and form.absolute:
        raise InputError(f"{source}: potential {label!r}: {form.name} holds lengths of nature and has no reduced units")
    specs = {spec.name: spec for spec in form.parameters}
    mixed = settings.get("mixing", "none") != "none"
    options = settings.get("options", {})
    seen: dict[tuple[str, TypeTuple], str] = {}
    blocks: list[ParameterBlock] = []
    tuples: dict[str, list[TypeTuple]] = {name: [] for name in specs}
    constants: dict[str, list[float]] = {spec.name: [] for spec in form.parameters if spec.option}
    for key, entry in tables.items():
        where = f"{source}: potential {label!r}: parameters.{shortened(key)}"
        types = _types(key, form, where)
        entry, singles = _singled(entry, specs, options)
        require_known(entry, specs, where)
        own: dict[str, float] = {}
        for spec, given in _given(form, types, entry, where, partial=mixed and len(types) == 2):
            _once(seen, spec, types, key, form, where)
            place = f"{where}.{spec.name}"
            if spec.option:
                constants[spec.name].append(_choice(number_of(given, place), spec, place))
            else:
                size = None if spec.count is None else spec.count(options)
                numbers = numbers_of(given, spec.within(types), size, singles.get(spec.name, {}), where=place)
                blocks.append(block_of(spec, numbers, len(tuples[spec.name]), units, label=label, types=types))
                own[spec.name] = float(numbers.values[-1])
            tuples[spec.name].append(types)
        _require_unlike(form, own, where)
    term = Term(
        form=form,
        label=label,
        rows={name: tuple(found) for name, found in tuples.items()},
        constants={name: tuple(values) for name, values in constants.items()},
        **settings,
    )
    return term, blocks


def _singled(
    entry: Mapping[str, Any], specs: Mapping[str, ParameterSpec], options: Options
) -> tuple[dict[str, Any], dict[str, dict[int, Any]]]:
    """An entry without what it says of single numbers of a series, such as `beta3`; and that: series → number → what is said."""
    counts = {name: spec.count(options) for name, spec in specs.items() if spec.count is not None}
    whole: dict[str, Any] = {}
    singles: dict[str, dict[int, Any]] = {}
    for key, given in entry.items():
        digits = key[len(key.rstrip("0123456789")) :]
        series = key[: len(key) - len(digits)]
        if key in specs or series not in counts or not digits or len(digits) > 12 or not int(digits) < counts[series]:
            whole[key] = given
        else:
            singles.setdefault(series, {})[int(digits)] = given
    return whole, singles


def _require_unlike(form: Form, values: Mapping[str, float], where: str) -> None:
    """Refuses two parameters of one entry that are equal and may not be."""
    for spec in form.parameters:
        if spec.unlike in values and values.get(spec.name) == values[spec.unlike]:
            raise InputError(f"{where}: {spec.name} and {spec.unlike} are both {values[spec.name]:g}; {form.name} needs two numbers")


def _choice(value: float, spec: ParameterSpec, where: str) -> float:
    if spec.choices and value not in spec.choices:
        raise InputError(f"{where} = {value:g}: must be {' or '.join(f'{choice:g}' for choice in spec.choices)}")
    if not spec.admits(value):
        raise InputError(f"{where} = {value:g}: must be {spec.bounds_text}")
    return value


def _types(key: str, form: Form, where: str) -> TypeTuple:
    types = split_types(key)
    bonded = isinstance(form, BondedForm)
    lengths = {types_of(spec, form) for spec in form.parameters} | ({1} if form.order == 2 and not bonded else set())
    if len(types) not in lengths or not all(types):
        names = ["C", "N"] * 4 if bonded else ["Ar", "Kr", "Xe"] if form.order == 2 else ["Si"] * 3
        example = " or ".join("-".join(names[:length]) for length in sorted(lengths))
        raise InputError(f"{where}: types of {form.name} are written like {example}")
    if any(char.isspace() or not char.isprintable() for char in key):
        raise InputError(f"{where}: types are words without blanks")
    return types


def _given(
    form: Form, types: TypeTuple, entry: Mapping[str, Any], where: str, *, partial: bool
) -> Iterator[tuple[ParameterSpec, Any]]:
    """The parameters that an entry gives, or has defaults for; those of one function of as many types are given together or not at all."""
    found = 0
    wanted: list[str] = []
    groups: dict[tuple[int, str], list[ParameterSpec]] = {}
    for spec in form.parameters:
        groups.setdefault((types_of(spec, form), spec.name.rpartition(".")[0]), []).append(spec)
    for (count, _), specs in groups.items():
        applies = count == len(types) or (len(types) == 1 and count == 2)  # `Ar` is short for `Ar-Ar`
        named = [spec.name for spec in specs if spec.name in entry]
        missing = [spec.name for spec in specs if spec.name not in entry and spec.default is None]
        if named and not applies:
            raise InputError(f"{where}: {', '.join(named)} of {form.name} speak of {count} type{'s' if count > 1 else ''}")
        if named and missing and not partial:
            raise InputError(f"{where}: misses {', '.join(missing)}")
        wanted += missing if applies else []
        if not named and (missing or count != len(types)):
            continue
        for spec in specs if applies else ():
            if spec.name in entry or not (partial or spec.default is None):
                found += 1
                yield spec, entry.get(spec.name, spec.default)
    if not found and not partial:
        raise InputError(f"{where}: misses {', '.join(wanted)}")


def _once(seen: dict[tuple[str, TypeTuple], str], spec: ParameterSpec, types: TypeTuple, key: str, form: Form, where: str) -> None:
    """Refuses a second entry for the same types, in whichever order or spelling."""
    order = types_of(spec, form)
    same = types * order if len(types) == 1 else types
    if isinstance(form, BondedForm):
        same = min(same, same[::-1])    # a chain of atoms, seen from either end
    elif not isinstance(form, ManyBodyForm) and not spec.ordered:
        same = tuple(sorted(same))
    identity = (spec.name, same)
    if identity in seen:
        raise InputError(f"{where}: speaks of the same types as parameters.{seen[identity]}; keep one of them")
    seen[identity] = key
