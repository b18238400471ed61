"""SNAP in LAMMPS: coefficients and elements of a .snapcoeff file are parameters, the .snapparam file is given."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class SnapModel:
    """One SNAP potential.

    Attributes:
        file: path of the .snapcoeff file, as in the TOML.
        settings: text of the .snapparam file of the same stem.
        elements: type -> radius, weight and coefficients.
    """

    file: str
    settings: str
    elements: dict[str, tuple[float, ...]]
    style: str = "snap"
    units: str = "metal"
    weight: float = 1.0

    def names(self) -> list[str]:
        return [f"snap.{kind}.beta{k}" for kind, row in self.elements.items() for k in range(len(row) - 2)]

    def _place(self, name: str) -> tuple[str, int]:
        _, kind, key = name.split(".")
        return kind, {"radius": 0, "weight": 1}[key] if key in ("radius", "weight") else 2 + int(key.removeprefix("beta"))

    def value(self, name: str) -> float:
        kind, index = self._place(name)
        return self.elements[kind][index]

    def with_value(self, name: str, value: float) -> SnapModel:
        kind, index = self._place(name)
        row = list(self.elements[kind])
        row[index] = value
        return replace(self, elements=self.elements | {kind: tuple(row)})

    def commands(self, species: list[str], folder: str, expressions: bool = False) -> list[str]:
        path = Path(folder) / Path(self.file).name
        settings = path.with_suffix(".snapparam")
        if folder:
            lines = [f"{len(self.elements)} {len(next(iter(self.elements.values()))) - 2}"]
            for kind, (radius, weight, *coefficients) in self.elements.items():
                lines += [f"{kind} {radius!r} {weight!r}", *(repr(value) for value in coefficients)]
            path.write_text("# \n" + "\n".join(lines) + "\n")
            settings.write_text(self.settings)
        return ["pair_style snap", f"pair_coeff * * {path} {settings} {' '.join(species)}"]

    def toml(self) -> list[str]:
        return ["[[potential]]", 'style = "snap"', f'file = "{self.file}"']

    def files(self) -> dict[str, str]:
        return {}

    def radii(self, first: str, second: str) -> list[float]:
        """Where the cosine switch ends."""
        words = [line.split("#")[0].split() for line in self.settings.splitlines()]
        factor = next(float(line[1]) for line in words if line and line[0] == "rcutfac")
        return [factor * (self.elements[first][0] + self.elements[second][0])]

    def reach(self) -> float:
        return max(self.radii(kind, kind)[0] for kind in self.elements)

    def constant(self, types: tuple[str, ...], expressions: bool) -> float:
        return 0.0


def read_snap(path: Path, name: str) -> SnapModel:
    """The two files of one stem; `name` is what the TOML says."""
    words = [word for line in path.read_text().splitlines() for word in line.split("#")[0].split()]
    count, size = int(words[0]), int(words[1])
    elements = {}
    for index in range(count):
        kind, *numbers = words[2 + index * (size + 3) :][: size + 3]
        elements[kind] = tuple(map(float, numbers))
    assert len(words) == 2 + count * (size + 3), path
    return SnapModel(file=name, settings=path.with_suffix(".snapparam").read_text(), elements=elements)
