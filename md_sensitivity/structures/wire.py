"""What two processes say to each other about structures: plain data, numbers bit for bit, and nothing that could run.

A message is a header of JSON (ASCII, so that any file name survives) and the bytes of arrays behind it.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from md_sensitivity import errors
from md_sensitivity.errors import InputError, MdSensitivityError
from md_sensitivity.types import Structure

_LENGTHS = struct.Struct("!QQ")
_CHUNK = 2**20
ReadExactly = Callable[[int], bytes]
"""Exactly so many bytes from the other side; EOFError where it has gone."""


def send(descriptor: int, header: Mapping[str, Any], blocks: Sequence[bytes] = ()) -> None:
    """Write one message to an open file."""
    text = json.dumps(header).encode("ascii")
    for part in (_LENGTHS.pack(len(text), sum(map(len, blocks))), text, *blocks):
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view[:_CHUNK]) :]


def receive(read: ReadExactly) -> tuple[dict[str, Any], bytes]:
    """Header and bytes of the next message."""
    header, body = _LENGTHS.unpack(read(_LENGTHS.size))
    return json.loads(read(header)), read(body)


def packed(structures: Sequence[Structure]) -> tuple[dict[str, Any], list[bytes]]:
    """Structures as a header and blocks of bytes."""
    blocks: list[bytes] = []
    described = []
    for structure in structures:
        entry: dict[str, Any] = {}
        for name in _FIELDS:
            value = getattr(structure, name)
            if isinstance(value, np.ndarray):
                entry[name] = {"type": value.dtype.str, "shape": value.shape}
                blocks.append(value.tobytes())
            else:
                entry[name] = value
        described.append(entry)
    return {"structures": described}, blocks


def unpacked(header: Mapping[str, Any], body: bytes) -> list[Structure]:
    """The structures of `packed`; arrays own their memory."""
    structures, start = [], 0
    for entry in header["structures"]:
        values: dict[str, Any] = {}
        for name in _FIELDS:
            value = entry[name]
            if isinstance(value, dict):
                kind, shape = np.dtype(value["type"]), tuple(value["shape"])
                count = int(np.prod(shape))
                values[name] = np.frombuffer(body, dtype=kind, count=count, offset=start).reshape(shape).copy()
                start += count * kind.itemsize
            else:
                values[name] = tuple(value) if isinstance(value, list) else value
        structures.append(Structure(**values))
    return structures


def described_error(error: MdSensitivityError) -> dict[str, str]:
    """An error as plain data."""
    return {"error": type(error).__name__, "message": str(error)}


def error_of(header: Mapping[str, Any]) -> MdSensitivityError:
    """The error of `described_error`, of the same class."""
    kind = getattr(errors, header["error"], InputError)
    known = isinstance(kind, type) and issubclass(kind, MdSensitivityError)
    return kind(header["message"]) if known else InputError(header["message"])


_FIELDS = tuple(field.name for field in fields(Structure))
