"""The native TOML force field (docs/reference.md): a document of plain data → ForceField, every key and number checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from md_sensitivity.errors import InputError
from md_sensitivity.files import parse_toml, quotation, shortened
from md_sensitivity.forcefields.assemble import assembled_term, completed, options_of
from md_sensitivity.forcefields.data import ForceField, Origin, Term
from md_sensitivity.forcefields.groups import groups_of, named_groups
from md_sensitivity.forcefields.molecules import molecular_force_field
from md_sensitivity.forcefields.numbers import number_of, numbers_of, require_known
from md_sensitivity.forcefields.overlay import overlaid
from md_sensitivity.forcefields.parameter_blocks import block_of
from md_sensitivity.forcefields.potential_files import PotentialFile, read_potential_files
from md_sensitivity.forcefields.table import VARIABLE, ParameterBlock, TypeTuple, join_types, split_types
from md_sensitivity.forcefields.variables import variables_of
from md_sensitivity.potentials import POTENTIALS
from md_sensitivity.potentials.base import SCALE, BondedForm, Form, PairForm, default_label, is_mixable, natural_end
from md_sensitivity.potentials.mixing import MIXING_RULES
from md_sensitivity.potentials.truncation import TRUNCATIONS
from md_sensitivity.registry import did_you_mean
from md_sensitivity.units import UNIT_SYSTEMS, UnitSystem

_TOP_KEYS = ("name", "reference", "units", "aliases", "variables", "groups", "potential", "molecules", "parameters")
_MOLECULES_KEYS = ("name", "reference", "variables", "groups", "molecules", "parameters")
_TERM_KEYS = (
    "style", "name", "cutoff", "truncation", "switch_from", "cutoffs", "switches", "mixing", "exclude", SCALE.name, "file", "parameters",
)  # fmt: skip
_FARTHEST = 3
"""Bonds that atoms may be apart and yet be no neighbors."""


def parse_native(text: str, source: str, folder: Path | None = None, *, origin: Origin | None = None) -> ForceField:
    """Force field from TOML text.

    Args:
        source: the file, for messages.
        folder: where relative names of files begin.
        origin: of a document with `[molecules]`: its files, where they have been read already.

    Raises:
        InputError: with file, place and reason.
    """
    document = parse_toml(text, source)
    require_known(document, _TOP_KEYS, source)
    units_name = _text(document.get("units", "metal"), f"{source}: units")
    if units_name not in UNIT_SYSTEMS:
        guess = did_you_mean(units_name, UNIT_SYSTEMS)
        raise InputError(f"{source}: units = {quotation(units_name)}{guess}; one of {', '.join(UNIT_SYSTEMS)}")
    units = UNIT_SYSTEMS[units_name]
    if "molecules" in document:
        return _molecules(document, source, folder, origin)
    if "parameters" in document:
        raise InputError(f"{source}: [parameters] belongs to [molecules]; values of potentials stand in [potential.parameters.TYPES]")
    potentials = document.get("potential", [])
    if not isinstance(potentials, list) or not potentials or not all(isinstance(item, dict) for item in potentials):
        raise InputError(f"{source}: needs at least one [[potential]] table")
    terms: list[Term] = []
    blocks, dimensions = variables_of(document.get("variables", {}), units, source)
    for number, item in enumerate(potentials):
        term, own = _term(item, units, source=source, number=number, folder=folder)
        if any(term.label == other.label for other in terms):
            raise InputError(f"{source}: two potentials are called {term.label!r}; give one of them a `name`")
        terms.append(term)
        blocks += own
    return completed(
        blocks,
        tuple(terms),
        units,
        name=_text(document.get("name", Path(source).stem), f"{source}: name"),
        reference=_text(document.get("reference", ""), f"{source}: reference"),
        groups=groups_of(document.get("groups", {}), _grouped(document, terms), blocks, source),
        dimensions=dimensions,
        source=source,
        aliases=_aliases(document.get("aliases", {}), source),
    )


def _molecules(document: dict[str, Any], source: str, folder: Path | None, origin: Origin | None) -> ForceField:
    """A force field that other files hold, with what the document says of its parameters."""
    beside = [key for key in document if key not in _MOLECULES_KEYS]
    if beside:
        raise InputError(f"{source}: {beside[0]} cannot stand beside [molecules], whose files say it")
    if not isinstance(document["molecules"], dict):
        raise InputError(f"{source}: molecules must be a table with files = [...]")
    found = replace(origin.plain, origin=origin) if origin else molecular_force_field(document["molecules"], source, folder)
    return replace(
        overlaid(found, document, source),
        name=_text(document.get("name", found.name), f"{source}: name"),
        reference=_text(document.get("reference", found.reference), f"{source}: reference"),
    )


def _grouped(document: Mapping[str, Any], terms: Sequence[Term]) -> Iterator[tuple[str, str]]:
    """(group, name of a parameter) for each long form that says so."""
    yield from named_groups(document.get("variables", {}), f"{VARIABLE}.")
    for term, item in zip(terms, document["potential"], strict=True):
        for types, entry in item.get("parameters", {}).items():
            yield from named_groups(entry, f"{term.label}.{types}.")
        yield from named_groups({SCALE.name: item.get(SCALE.name)}, f"{term.label}.")


def _term(
    item: dict[str, Any], units: UnitSystem, *, source: str, number: int, folder: Path | None
) -> tuple[Term, list[ParameterBlock]]:
    where = f"{source}: potential {number + 1}"
    if "style" not in item:
        raise InputError(f"{where}: has no style; one of {', '.join(POTENTIALS)}")
    form = POTENTIALS.find(_text(item["style"], f"{where}: style"), lambda message: InputError(f"{where}: {message}"))
    label = _text(item.get("name", default_label(form)), f"{where}: name")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", label):
        raise InputError(f"{where}: name = {quotation(label)} starts parameter names and may hold letters, digits, `_` and `-` only")
    if label == VARIABLE:
        raise InputError(f"{where}: name = {quotation(label)} is that of variables; choose another")
    where = f"{source}: potential {label!r}"
    require_known(item, (*_TERM_KEYS, *(option.name for option in form.options)), where)
    tables = item.get("parameters", {})
    if not isinstance(tables, dict) or not all(isinstance(entry, dict) for entry in tables.values()):
        raise InputError(f"{where}: parameters must be tables such as [potential.parameters.{'-'.join(['Si'] * form.order)}]")
    known: Mapping[str, float] = {}
    if "file" in item:
        content = _file(item["file"], form, units, where, folder)
        form, known = content.form, content.options
        tables = _merged(tables, {join_types(types): values for types, values in content.entries.items()}, where)
    settings = {**_truncation(item, form, where), "mixing": _mixing(item, form, where)}
    settings |= _of_pairs(item, form, settings, where)
    settings["exclude"] = _exclude(item, form, where)
    settings["options"] = options_of(form, item, known, units, where)
    if not tables:
        raise InputError(f"{where}: has no parameters; add [potential.parameters.TYPES] tables")
    term, blocks = assembled_term(form, label, tables, units, source=source, settings=settings)
    return _scaled(term, blocks, item, units, where)


def _truncation(item: dict[str, Any], form: Form, where: str) -> dict[str, Any]:
    if natural_end(form):
        own = {option.name for option in form.options}
        for key in ("cutoff", "truncation", "switch_from"):
            if key in item and key not in own:
                raise InputError(f"{where}: {form.name} ends at a natural range of its own and takes no {key}; remove it")
        return {"cutoff": None, "truncation": "none", "switch_from": None}
    if "cutoff" not in item:
        for key in ("truncation", "switch_from"):
            if key in item and item[key] != "none":
                raise InputError(f"{where}: {key} needs a cutoff")
        return {"cutoff": None, "truncation": "none", "switch_from": None}
    cutoff = number_of(item["cutoff"], f"{where}: cutoff", above=0.0)
    truncation = _text(item.get("truncation", "switch"), f"{where}: truncation")
    if truncation not in TRUNCATIONS:
        guess = did_you_mean(truncation, TRUNCATIONS)
        raise InputError(f"{where}: truncation = {quotation(truncation)}{guess}; one of {', '.join(TRUNCATIONS)}")
    if truncation != "switch":
        if "switch_from" in item:
            raise InputError(f"{where}: switch_from belongs to truncation = \"switch\", not {truncation!r}")
        return {"cutoff": cutoff, "truncation": truncation, "switch_from": None}
    switch_from = number_of(item.get("switch_from", 0.9 * cutoff), f"{where}: switch_from", at_least=0.0)
    if switch_from >= cutoff:
        raise InputError(f"{where}: switch_from = {switch_from:g} must be less than cutoff = {cutoff:g}")
    return {"cutoff": cutoff, "truncation": "switch", "switch_from": switch_from}


def _exclude(item: dict[str, Any], form: Form, where: str) -> int:
    """How many bonds apart atoms are no neighbors; 0 where all are."""
    if "exclude" not in item:
        return 0
    if not isinstance(form, PairForm):
        raise InputError(f"{where}: exclude says which pairs are no neighbors, and {form.name} is no pair potential; remove it")
    exclude = number_of(item["exclude"], f"{where}: exclude")
    if exclude not in range(_FARTHEST + 1):
        raise InputError(f"{where}: exclude = {exclude:g} must be a number of bonds: 0, 1, 2 or {_FARTHEST}")
    return int(exclude)


def _scaled(
    term: Term, blocks: list[ParameterBlock], item: dict[str, Any], units: UnitSystem, where: str
) -> tuple[Term, list[ParameterBlock]]:
    """The term with the share of it that is left between atoms three bonds apart, where the file gives one."""
    if SCALE.name not in item:
        return term, blocks
    if term.exclude != _FARTHEST:
        raise InputError(f"{where}: {SCALE.name} is a share of what exclude = {_FARTHEST} takes away; add it")
    numbers = numbers_of(item[SCALE.name], SCALE, None, {}, where=f"{where}: {SCALE.name}")
    return replace(term, rows={**term.rows, SCALE.name: ((),)}), [*blocks, block_of(SCALE, numbers, 0, units, label=term.label)]


def _aliases(given: Any, source: str) -> dict[str, str]:
    """Other names of species."""
    if not isinstance(given, dict):
        raise InputError(f"{source}: aliases must be a table such as {{ 1 = \"Ar\" }}")
    return {alias: _text(name, f"{source}: aliases.{shortened(alias)}") for alias, name in given.items()}


def _of_pairs(item: dict[str, Any], form: Form, settings: dict[str, Any], where: str) -> dict[str, dict[TypeTuple, float]]:
    """Cutoffs of pairs of types that have one of their own, 0 where the term does not act, and where their switches begin."""
    if isinstance(form, BondedForm) and ("cutoffs" in item or "switches" in item):
        raise InputError(f"{where}: {form.name} acts between bonded atoms, whatever their distance; remove cutoffs")
    cutoffs, switches = (_pair_table(item.get(key, {}), f"{where}: {key}") for key in ("cutoffs", "switches"))
    for pair, cutoff in cutoffs.items():
        if cutoff and settings["cutoff"] is None:
            raise InputError(f"{where}: cutoffs.{join_types(pair)} may only be 0 (no interaction) where the potential has no cutoff")
        if cutoff and settings["truncation"] == "switch":
            start = switches.setdefault(pair, 0.9 * cutoff)
            if start >= cutoff:
                raise InputError(f"{where}: switches.{join_types(pair)} = {start:g} must be less than the pair's cutoff, {cutoff:g}")
    lost = [join_types(pair) for pair in switches if not cutoffs.get(pair) or settings["truncation"] != "switch"]
    if lost:
        raise InputError(f"{where}: switches.{lost[0]} belongs to truncation = \"switch\" and needs an entry in cutoffs")
    return {"cutoffs": cutoffs, "switches": switches}


def _pair_table(given: Any, where: str) -> dict[TypeTuple, float]:
    if not isinstance(given, dict):
        raise InputError(f"{where} must be a table such as {{ Ar-Kr = 7.0 }}")
    table: dict[TypeTuple, float] = {}
    for key, value in given.items():
        pair = split_types(key)
        if len(pair) != 2 or not all(pair):
            raise InputError(f"{where}: {quotation(key)} is no pair of types such as Ar-Kr")
        if pair in table or pair[::-1] in table:
            raise InputError(f"{where}: two entries for {shortened(join_types(pair))}")
        table[pair] = number_of(value, f"{where}.{shortened(key)}", at_least=0.0)
    return table


def _mixing(item: dict[str, Any], form: Form, where: str) -> str:
    mixing = _text(item.get("mixing", "none"), f"{where}: mixing")
    if mixing == "none":
        return mixing
    if mixing not in MIXING_RULES:
        known = ("none", *MIXING_RULES)
        raise InputError(f"{where}: mixing = {quotation(mixing)}{did_you_mean(mixing, known)}; one of {', '.join(known)}")
    if not is_mixable(form):
        raise InputError(
            f"{where}: mixing rules speak of sigma (or rmin_half) and epsilon, which {form.name} has not; give each type tuple"
        )
    return mixing


def _file(entry: Any, form: Form, units: UnitSystem, where: str, folder: Path | None) -> PotentialFile:
    """Content of the potential file, or of the files of several elements, that a term names."""
    names = entry if isinstance(entry, list) else [entry]
    if not names:
        raise InputError(f"{where}: file = [] names no file")
    paths = tuple((folder or Path()) / _text(name, f"{where}: file") for name in names)
    try:
        content = read_potential_files(paths, form)
    except InputError as error:
        raise InputError(f"{where}: file = {quotation(', '.join(names))}: {error}") from None
    if content.units and content.units != units.name:
        raise InputError(f"{where}: {quotation(', '.join(names))} is in units {quotation(content.units)}, this file in {units.name!r}")
    return content


def _merged(tables: Mapping[str, Mapping[str, Any]], base: Mapping[str, Mapping[str, float]], where: str) -> dict[str, dict[str, Any]]:
    """Values of a file, with standard deviations, bounds, `fixed` or other values from the TOML laid over them."""
    merged: dict[str, dict[str, Any]] = {types: dict(values) for types, values in base.items()}
    for types, entry in tables.items():
        if types not in merged:
            raise InputError(f"{where}: parameters.{shortened(types)} is not in the file{did_you_mean(types, merged)}")
        for name, long in entry.items():
            value = merged[types].get(name)
            follows = isinstance(long, dict) and not long.keys().isdisjoint(("tie", "expression"))
            merged[types][name] = {"value": value, **long} if isinstance(long, dict) and value is not None and not follows else long
    return merged


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or (not value and not where.endswith("reference")):
        raise InputError(f"{where} must be a text, not {shortened(repr(value))}")
    return value
