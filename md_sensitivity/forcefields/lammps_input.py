"""LAMMPS inputs as force fields: `units`, `pair_style`, `pair_coeff` and what belongs to them, or coefficients in a data file.

What a force field is made of is read and all of it is represented, or the line is refused; what only tells LAMMPS what to simulate is
passed over (docs/force_fields.md has both lists).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from md_sensitivity.errors import InputError
from md_sensitivity.files import printable, quotation, shortened, shown
from md_sensitivity.forcefields.assemble import assembled_term, completed, options_of
from md_sensitivity.forcefields.data import ForceField, Term
from md_sensitivity.forcefields.lammps_data_sections import is_data, sections_of, style_of
from md_sensitivity.forcefields.lammps_pair_styles import PAIR_STYLES, AtomStyle, PairStyle
from md_sensitivity.forcefields.lammps_parts import Numbers, Resolved, names_of, resolved
from md_sensitivity.forcefields.lammps_setup import UNITS, Part, Setup, collected, known_style, take_sections
from md_sensitivity.forcefields.table import ParameterBlock, TypeTuple, join_types
from md_sensitivity.potentials import POTENTIALS
from md_sensitivity.potentials.base import Form, default_label
from md_sensitivity.units import LAMMPS_UNIT_SYSTEMS, UnitSystem


def parse_lammps_input(text: str, path: Path) -> ForceField:
    """The force field of a LAMMPS input, or of a data file with coefficients of pairs.

    Raises:
        InputError: with file, line and reason.
    """
    setup = _of_data(text, path) if is_data(text) else collected(text, path)
    found = resolved(setup)
    setup.units = _units(text, setup, found)
    names = names_of(found, setup)
    units = LAMMPS_UNIT_SYSTEMS[setup.units]
    terms: list[Term] = []
    blocks: list[ParameterBlock] = []
    for part in found:
        term, more = _term(part, setup, names, units, [term.label for term in terms])
        terms.append(term)
        blocks += more
    aliases = {str(kind): name for kind, name in names.items()}
    aliases |= {label: names[kind] for kind, label in setup.labels.items() if kind in names}
    return completed(
        blocks,
        tuple(terms),
        units,
        name=printable(path.stem),
        source=setup.source,
        aliases={alias: name for alias, name in aliases.items() if alias != name},
    )


def _of_data(text: str, path: Path) -> Setup:
    """What a data file says by itself: one style, named by the comment of its section, and pairs with cutoffs of their own."""
    data = sections_of(text, path)
    name = known_style(style_of(data))
    assert data.head is not None
    if name not in PAIR_STYLES or not isinstance(style := PAIR_STYLES[name], PairStyle) or set(style.settings) != set(style.own):
        raise data.head.refused(f"coefficients of pair style {quotation(name)} are not read from a data file; write an input that reads it")
    setup = Setup(folder=path.parent, source=shown(path), units=data.units if data.units in UNITS else "")
    setup.parts = [Part(style=style, settings={}, command=data.head)]
    take_sections(data, setup)
    return setup


def _units(text: str, setup: Setup, found: list[Resolved]) -> str:
    """Units of the input: its own command, else the `UNITS:` tags of its first comment and of the potential files, which must agree."""
    head = "\n".join(text.split("\n")[:10])
    tag = re.search(r"^\s*#.*\bUNITS:\s*(\S+)", head, re.MULTILINE)
    said = {setup.source: setup.units or (tag[1].lower() if tag else "")}
    said |= {part.part.style.name: part.content.units for part in found if part.content is not None}
    names = {name for name in said.values() if name}
    if len(names) > 1:
        listed = ", ".join(f"{who}: {name}" for who, name in said.items() if name)
        raise InputError(f"{setup.source}: the input and its potential files are in different units ({shortened(listed, 200)})")
    if not names:
        raise InputError(f"{setup.source}: no units; add a line `units metal` (or real, or lj, which is what LAMMPS takes without it)")
    if names.isdisjoint(UNITS):
        raise InputError(f"{setup.source}: units {quotation(next(iter(names)))} are none of {', '.join(UNITS)}")
    return names.pop()


def _term(
    part: Resolved, setup: Setup, names: Mapping[int, str], units: UnitSystem, taken: list[str]
) -> tuple[Term, list[ParameterBlock]]:
    style, source = part.part.style, setup.source
    pairs = _named_pairs(part, names)
    settings: dict[str, Any] = {"cutoffs": _left_out(pairs, names)}
    known: Mapping[str, float] = {}
    tables: dict[str, dict[str, Any]] = {}
    if part.content is not None:
        form, known = part.content.form, part.content.options
        mine = set(part.elements.values())
        tables = {join_types(types): dict(values) for types, values in part.content.entries.items() if mine.issuperset(types)}
    elif isinstance(style, AtomStyle):
        form, known = _form(part.part), part.part.settings
        tables = {name: {style.parameter: value} for name, value in _of_atoms(part, style, setup, names).items()}
    else:
        assert isinstance(style, PairStyle)
        form = _form(part.part)
        tables = _tables(part, style, form, names)
        settings |= _ends(part, style, pairs, settings["cutoffs"])
    settings["options"] = options_of(form, {}, known, units, part.part.command.where)
    label = default_label(form)
    count = sum(each == label or each.startswith(f"{label}_") for each in taken)
    return assembled_term(form, f"{label}_{count + 1}" if count else label, tables, units, source=source, settings=settings)


def _form(part: Part) -> Form:
    assert isinstance(part.style, PairStyle | AtomStyle)
    if part.style.form not in POTENTIALS:
        raise part.command.refused(f"pair style {part.style.name} is not supported")
    return POTENTIALS[part.style.form]


def _named_pairs(part: Resolved, names: Mapping[int, str]) -> dict[TypeTuple, Numbers]:
    """Pairs by the names of their types; types of one name must be told the same."""
    found: dict[TypeTuple, Numbers] = {}
    for (i, j), numbers in part.pairs.items():
        pair = (names[i], names[j])
        pair = pair[::-1] if pair[::-1] in found else pair
        if found.setdefault(pair, numbers).values != numbers.values:
            raise numbers.command.refused(f"types of one name, {join_types(pair)}, have different numbers; give them labels (labelmap)")
    for i, first in names.items():
        for j, second in names.items():
            there = (first, second) in found or (second, first) in found
            if there and (min(i, j), max(i, j)) not in part.pairs:
                raise part.part.command.refused(
                    f"types of one name, {join_types((first, second))}, do not all interact by {part.part.style.name}; "
                    "give them labels (labelmap)"
                )
    return found


def _left_out(pairs: Mapping[TypeTuple, Numbers], names: Mapping[int, str]) -> dict[TypeTuple, float]:
    """Cutoff 0 for the pairs that a part does not act on."""
    every = list(dict.fromkeys(names.values()))
    unordered = ((first, second) for k, first in enumerate(every) for second in every[k:])
    return {pair: 0.0 for pair in unordered if pair not in pairs and pair[::-1] not in pairs}


def _tables(part: Resolved, style: PairStyle, form: Form, names: Mapping[int, str]) -> dict[str, dict[str, Any]]:
    """Parameters of pairs that are not mixed."""
    specs = {spec.name: spec for spec in form.parameters}
    tables: dict[str, dict[str, Any]] = {}
    for (i, j), numbers in part.pairs.items():
        if not set(style.numbers).issubset(numbers.values):
            continue
        values = {name: numbers.values[name] for name in style.numbers} if style.values is None else dict(style.values(numbers.values))
        values |= {name: part.part.settings[name] for name in style.everywhere}
        for name, value in values.items():
            if not specs[name].admits(value):
                raise numbers.command.refused(f"{name} = {value:g} must be {specs[name].bounds_text}")
        pair = (names[i], names[j])
        tables.setdefault(join_types(pair[::-1] if join_types(pair[::-1]) in tables else pair), values)
    return tables


def _ends(
    part: Resolved, style: PairStyle, pairs: Mapping[TypeTuple, Numbers], left_out: Mapping[TypeTuple, float]
) -> dict[str, Any]:
    """Truncation, mixing, and the cutoffs of pairs where they differ."""
    truncation = "shift" if style.shiftable and part.shift else style.truncation
    settings: dict[str, Any] = {"truncation": truncation, "mixing": part.mixing}
    if not style.own:
        return settings
    ends = {name: {pair: float(numbers.values[name]) for pair, numbers in pairs.items()} for name in style.own}
    settings["cutoff"] = max(ends["cutoff"].values())
    settings["switch_from"] = max(ends["start"].values()) if "start" in ends else None
    if any(len(set(values.values())) > 1 for values in ends.values()):
        settings |= {"cutoffs": {**ends["cutoff"], **left_out}, "switches": ends.get("start", {})}
    return settings


def _of_atoms(part: Resolved, style: AtomStyle, setup: Setup, names: Mapping[int, str]) -> dict[str, float]:
    """The number of each type: its nuclear charge, which all pairs must agree on, or its charge."""
    found: dict[str, float] = {}
    if style.given:
        for (i, j), numbers in sorted(part.pairs.items()):
            for kind, which in ((i, "first"), (j, "second")):
                value = numbers.values[which]
                if found.setdefault(names[kind], value) != value:
                    raise numbers.command.refused(
                        f"{style.parameter} of type {kind} is {value:g} here and {found[names[kind]]:g} before; one number for each type"
                    )
        return found
    charges = {kind: (charge, command) for word, charge, command in setup.charges for kind in setup.types(word, command)}
    for kind in sorted({kind for pair in part.pairs for kind in pair}):
        if kind not in charges:
            raise part.part.command.refused(f"no charge of type {kind}; add `set type {kind} charge ...`")
        charge, command = charges[kind]
        if found.setdefault(names[kind], charge) != charge:
            raise command.refused(f"another type called {names[kind]} has charge {found[names[kind]]:g}")
    return found
