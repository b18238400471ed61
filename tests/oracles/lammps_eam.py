"""Tabulated EAM in LAMMPS: files of the forms funcfl (`eam`), setfl (`eam/alloy`) and its Finnis-Sinclair kind (`eam/fs`), rewritten
with scaled functions and changed knots.

Parameters, as in the native format: `eam.Cu.embedding.scale`, `eam.Cu.density.scale`, `eam.Ni-Cu.pair.scale`, and `.knot<k>` in place
of `.scale`: the k-th number of the table as it stands in the file (r phi for the pair of a setfl file), k from 0. Pairs are in the order
of the file's elements. The densities of eam/fs have two types: the atom that feels it, and the neighbor that gives it. A funcfl file has
`eam.Cu.pair.scale` and `eam.Cu.charge.knot<k>`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from lammps_engine import Array

STYLES = {"funcfl": "eam", "setfl": "eam/alloy", "fs": "eam/fs"}
Tables = dict[tuple[str, str], Array]
"""(types, function) -> the numbers of the file."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One file: its head, its elements' lines and its tables, in file order."""

    file: str
    grid: str
    cutoff: float
    elements: dict[str, str]
    tables: Tables


@dataclass(frozen=True, kw_only=True)
class EamModel:
    """One file of setfl, or one of funcfl for each element.

    Attributes:
        kind: funcfl, setfl or fs.
        parts: the files.
        scales: (types, function) -> factor, where it is not 1.
    """

    kind: str
    parts: tuple[Part, ...]
    scales: dict[tuple[str, str], float] = field(default_factory=dict)
    style: str = "eam"
    units: str = "metal"
    weight: float = 1.0

    def names(self) -> list[str]:
        """The scale factors; knots go by name."""
        return [f"eam.{types}.{function}.scale" for part in self.parts for types, function in part.tables]

    def _part(self, key: tuple[str, str]) -> int:
        return next(index for index, part in enumerate(self.parts) if key in part.tables)

    def value(self, name: str) -> float:
        key, what = _key(name)
        part = self.parts[self._part(key)]
        return self.scales.get(key, 1.0) if what == "scale" else float(part.tables[key][int(what.removeprefix("knot"))])

    def with_value(self, name: str, value: float) -> EamModel:
        key, what = _key(name)
        place = self._part(key)
        if what == "scale":
            return replace(self, scales=self.scales | {key: value})
        part, table = self.parts[place], self.parts[place].tables[key].copy()
        table[int(what.removeprefix("knot"))] = value
        changed = replace(part, tables=part.tables | {key: table})
        return replace(self, parts=(*self.parts[:place], changed, *self.parts[place + 1 :]))

    def scaled(self, part: Part, key: tuple[str, str]) -> Array:
        """A table with its factor; funcfl files hold a charge Z(r), and the pair energy goes with its square."""
        factor = self.scales.get(key, 1.0)
        return part.tables[key] * (factor**0.5 if self.kind == "funcfl" and key[1] == "pair" else factor)

    def text(self, part: Part) -> str:
        """A file, 17 digits."""
        kinds = list(part.elements)
        blocks = {kind: [key for key in part.tables if key[1] != "pair" and key[0].split("-")[-1] == kind] for kind in kinds}
        if self.kind == "funcfl":
            (line,) = part.elements.values()
            order = [(kinds[0], "embedding"), (kinds[0], "pair"), (kinds[0], "density")]
            return "\n".join(["-", line, part.grid, *(_numbers(self.scaled(part, key)) for key in order)]) + "\n"
        lines = ["-", "-", "-", f"{len(kinds)} {' '.join(kinds)}", part.grid]
        for kind, line in part.elements.items():
            lines += [line, *(_numbers(self.scaled(part, key)) for key in blocks[kind])]
        lines += [_numbers(self.scaled(part, key)) for key in part.tables if key[1] == "pair"]
        return "\n".join(lines) + "\n"

    def commands(self, species: list[str], folder: str, expressions: bool = False) -> list[str]:
        paths = [Path(folder) / Path(part.file).name for part in self.parts]
        if folder:
            for path, part in zip(paths, self.parts, strict=True):
                path.write_text(self.text(part))
        head = f"pair_style {STYLES[self.kind]}"
        if self.kind != "funcfl":
            return [head, f"pair_coeff * * {paths[0]} {' '.join(species)}"]
        owners = {kind: path for path, part in zip(paths, self.parts, strict=True) for kind in part.elements}
        return [head, *(f"pair_coeff {i} {i} {owners[kind]}" for i, kind in enumerate(species, start=1))]

    def toml(self) -> list[str]:
        files = [f'"{part.file}"' for part in self.parts]
        return ["[[potential]]", 'style = "eam"', f"file = {files[0] if len(files) == 1 else '[' + ', '.join(files) + ']'}"]

    def files(self) -> dict[str, str]:
        return {}

    def reach(self) -> float:
        return max(part.cutoff for part in self.parts)

    def radii(self, first: str, second: str) -> list[float]:
        """The cutoff; the knots, where second derivatives jump a little, are not counted."""
        return [self.reach()]

    def constant(self, types: tuple[str, ...], expressions: bool) -> float:
        return 0.0


def _key(name: str) -> tuple[tuple[str, str], str]:
    """(types, function), and which of its parameters."""
    _, types, function, what = name.split(".")
    return (types, "pair" if function == "charge" else function), what


def _numbers(values: Array) -> str:
    return "\n".join(map(repr, values.tolist()))


def read_funcfl(path: Path, name: str, kind: str) -> Part:
    """A funcfl file of the element `kind`; `name` is what the TOML says."""
    _, line, grid, rest = path.read_text().split("\n", 3)
    nrho, _, nr, _, cutoff = (float(word) for word in grid.split())
    numbers = np.array(rest.split(), dtype=float)
    sizes = np.cumsum([nrho, nr, nr]).astype(int)
    assert sizes[-1] == len(numbers), path
    embedding, charge, density = np.split(numbers, sizes[:-1])
    tables = {(kind, "embedding"): embedding, (kind, "density"): density, (kind, "pair"): charge}
    return Part(file=name, grid=grid, cutoff=cutoff, elements={kind: line}, tables=tables)


def read_setfl(path: Path, name: str, finnis_sinclair: bool = False) -> Part:
    """A setfl file, or one of eam/fs."""
    lines = path.read_text().split("\n")
    kinds, grid = lines[3].split()[1:], lines[4]
    nrho, nr, cutoff = int(grid.split()[0]), int(grid.split()[2]), float(grid.split()[4])
    elements: dict[str, str] = {}
    tables: Tables = {}
    place = 5

    def take(count: int) -> Array:
        nonlocal place
        found: list[float] = []
        while len(found) < count:
            found += [float(word) for word in lines[place].split()]
            place += 1
        assert len(found) == count, path
        return np.array(found)

    for kind in kinds:
        elements[kind] = lines[place]
        place += 1
        tables[kind, "embedding"] = take(nrho)
        for other in kinds if finnis_sinclair else [""]:
            tables[f"{other}-{kind}".lstrip("-"), "density"] = take(nr)
    for i, first in enumerate(kinds):
        for second in kinds[: i + 1]:
            tables[f"{second}-{first}", "pair"] = take(nr)
    return Part(file=name, grid=grid, cutoff=cutoff, elements=elements, tables=tables)
