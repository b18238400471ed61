"""`--config STUDY.toml`: any option of a command from a file; the command line wins.

Keys are the long names of the options (`force-field`, `observable`, `no` flags as `positions = false`) and `structures`. Relative
paths start at the folder of the file, as those in a force field do.
"""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from md_sensitivity.errors import InputError
from md_sensitivity.files import parse_toml, quotation, read_utf8, shortened, shown
from md_sensitivity.registry import did_you_mean

PATHS = ("structures", "structure", "references", "force_field", "output")
NOT_IN_FILES = ("config", "help", "version")
MAX_BYTES = 2**20
"""Largest study file."""


def config_option(function: Any) -> Any:
    """The option itself."""
    return click.option(
        "--config",
        metavar="STUDY.toml",
        is_eager=True,
        callback=_load,
        help="Take options from a TOML file, under their long names; the command line wins.",
    )(function)


def _load(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not ctx.resilient_parsing:
        values = read_config(Path(value), ctx)
        ctx.default_map = {**(ctx.default_map or {}), **values}
        ctx.ensure_object(dict)["study"] = (value, values)
    return value


def blamed(study: tuple[str, Mapping[str, Any]] | None, message: str) -> InputError | None:
    """The error of a study file where a complaint about the request quotes a value that it gave; None where it does not."""
    path, values = study or ("", {})
    items = [item for value in values.values() for item in (value if isinstance(value, tuple) else (value,))]
    quoted = {form for item in items if isinstance(item, str) for form in (repr(item), quotation(item))}
    return InputError(f"{shown(path)}: {message}") if any(form in message for form in quoted) else None


def read_config(path: Path, ctx: click.Context) -> dict[str, Any]:
    """Values of a study file for the parameters of a command, checked."""
    where = shown(path)
    text, _ = read_utf8(path, limit=MAX_BYTES, advice="no study file is as large")
    document = parse_toml(text, where)
    known = {name: parameter for parameter in ctx.command.params if (name := _key(parameter)) not in NOT_IN_FILES}
    values = {}
    for key, value in document.items():
        name = key.replace("_", "-")
        if name not in known:
            raise InputError(f"{where}: unknown key {quotation(key)}{did_you_mean(name, known)}; known: {', '.join(sorted(known))}")
        parameter = known[name]
        assert parameter.name is not None
        values[parameter.name] = _checked(value, parameter, ctx, path, key)
    return values


def _key(parameter: click.Parameter) -> str:
    """The name of an option in a file: its first long name."""
    if isinstance(parameter, click.Option):
        return next((word[2:] for word in parameter.opts if word.startswith("--")), parameter.opts[0].lstrip("-"))
    return str(parameter.name)


def _checked(value: Any, parameter: click.Parameter, ctx: click.Context, path: Path, key: str) -> Any:
    """A value of a file as the command line would have given it; paths start at the folder of the file."""
    where = f"{shown(path)}: {shortened(key)}"
    if isinstance(parameter, click.Option) and parameter.count:
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f"{where} must be a whole number, not {shortened(repr(value))}")
        return value
    if isinstance(parameter, click.Option) and parameter.is_flag:
        if not isinstance(value, bool):
            raise InputError(f"{where} must be true or false, not {shortened(repr(value))}")
        return value
    several = parameter.multiple if isinstance(parameter, click.Option) else parameter.nargs == -1
    items = value if isinstance(value, list) and several else [value]
    words = [_word(item, parameter, ctx, where) for item in items]
    if parameter.name in PATHS:
        words = [found for word in words for found in _placed(str(word), path.parent, several, where)]
    return tuple(words) if several else words[0]


def _word(item: Any, parameter: click.Parameter, ctx: click.Context, where: str) -> Any:
    numeric = isinstance(parameter.type, click.IntRange | click.FloatRange | click.types.IntParamType | click.types.FloatParamType)
    allowed = (int, float) if numeric else (str, int)
    if isinstance(item, bool) or not isinstance(item, allowed):
        raise InputError(f"{where} must be {'a number' if numeric else 'a text'}, not {shortened(repr(item))}")
    if isinstance(parameter.type, click.types.IntParamType | click.IntRange) and not isinstance(item, int):
        raise InputError(f"{where} must be a whole number, not {shortened(repr(item))}")
    if isinstance(item, str) and "\0" in item:
        raise InputError(f"{where}: {shortened(repr(item))} holds a character that no name has")
    try:
        word = parameter.type.convert(item if numeric else str(item), parameter, ctx)
        if isinstance(word, float) and not math.isfinite(word):
            raise InputError(f"{where} = {word} is not finite")
    except click.BadParameter as error:
        raise InputError(f"{where}: {shortened(error.message, 300)}") from None
    except OverflowError:
        raise InputError(f"{where} is too large a number") from None
    return word


def _placed(word: str, folder: Path, several: bool, where: str) -> list[str]:
    """The path from the folder of the file; where many are allowed, a pattern stands for the files it matches."""
    try:
        path = str(folder / Path(word).expanduser())
    except RuntimeError:
        raise InputError(f"{where}: {quotation(word)} names a home folder that is not there") from None
    if several and glob.has_magic(word) and not os.path.lexists(path):
        if word.count("**") > 1:    # each further one multiplies the time of the search
            raise InputError(f"{where}: {quotation(word)} has more than one `**`; name the folders")
        return sorted(glob.glob(path, recursive=True)) or [path]
    return [path]
