"""Potentials whose parameters are a table in a file of LAMMPS: one row for each triplet of types."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

FIELDS = {
    "stillinger_weber": "epsilon sigma a lambda gamma costheta0 A B p q tol",
    "tersoff": "m gamma lambda3 c d costheta0 n beta lambda2 B R D lambda1 A",
    "tersoff_mod": "beta alpha h eta beta_ters lambda2 B R D lambda1 A n c1 c2 c3 c4 c5",
    "vashishta": "H eta Zi Zj lambda1 D lambda4 W rc B gamma r0 C costheta0",
    "edip": "A B cutoffA cutoffC alpha beta eta gamma lambda mu rho sigma Q0 u1 u2 u3 u4",
}
"""The numbers of a row, in the order LAMMPS documents."""
OPTIONS = ("tol", "m")
"""Numbers that nothing is differentiated by."""
STYLES = {
    "stillinger_weber": "sw", "tersoff": "tersoff", "tersoff_mod": "tersoff/mod", "vashishta": "vashishta",
    "edip": "edip/multi",  # LAMMPS's `edip` looks its functions up in tables: wrong by 2e-6 eV/Å
}  # fmt: skip

Rows = dict[str, dict[str, float]]


@dataclass(frozen=True, kw_only=True)
class TableModel:
    """One such potential.

    Attributes:
        style: as in the TOML.
        file: what the TOML names; a path where the file is one of LAMMPS's own, else a file beside the structure.
        parameters: type triplet ("Si-Si-Si") -> name -> value.
    """

    style: str
    file: str
    parameters: Rows
    units: str = "metal"
    weight: float = 1.0

    def names(self) -> list[str]:
        return [f"{self.style}.{types}.{name}" for types, row in self.parameters.items() for name in row if name not in OPTIONS]

    def value(self, name: str) -> float:
        _, types, key = name.split(".")
        return self.parameters[types][key]

    def with_value(self, name: str, value: float) -> TableModel:
        _, types, key = name.split(".")
        return replace(self, parameters=self.parameters | {types: self.parameters[types] | {key: value}})

    def text(self) -> str:
        """The file, 17 digits."""
        fields = FIELDS[self.style].split()
        lines = ["# elem1 elem2 elem3 " + " ".join(fields)]
        for types, row in self.parameters.items():
            lines.append(" ".join(types.split("-")) + " " + " ".join(repr(float(row.get(name, 0.0))) for name in fields))
        return "\n".join(lines) + "\n"

    def commands(self, species: list[str], folder: str, expressions: bool = False) -> list[str]:
        path = Path(folder) / Path(self.file).name
        if folder:
            path.write_text(self.text())
        return [f"pair_style {STYLES[self.style]}", f"pair_coeff * * {path} {' '.join(species)}"]

    def toml(self) -> list[str]:
        return ["[[potential]]", f'style = "{self.style}"', f'file = "{self.file}"']

    def files(self) -> dict[str, str]:
        return {} if "/" in self.file else {self.file: self.text()}

    def reach(self) -> float:
        ranges = {
            "stillinger_weber": lambda row: row["a"] * row["sigma"],
            "vashishta": lambda row: max(row["rc"], row["r0"]),
            "edip": lambda row: row["cutoffA"],
        }
        return max(ranges.get(self.style, lambda row: row["R"] + row["D"])(row) for row in self.parameters.values())

    def radii(self, first: str, second: str) -> list[float]:
        """Both ends of Tersoff's taper, for the pair and for every angle at `first`; Vashishta's cutoff; the distance from which EDIP
        counts a neighbor in full, where third derivatives jump."""
        found, ends = [], {"vashishta": "rc", "edip": "cutoffC"}
        for types, row in self.parameters.items():
            center, neighbor, other = types.split("-")
            if center == first and other == second and self.style in ("tersoff", "tersoff_mod"):
                found += [row["R"] - row["D"], row["R"] + row["D"]]
            if (center, neighbor, other) == (first, second, second) and self.style in ends:
                found.append(row[ends[self.style]])
        return found

    def constant(self, types: tuple[str, ...], expressions: bool) -> float:
        return 0.0


def read_table(style: str, path: Path, name: str, species: tuple[str, ...]) -> TableModel:
    """The rows of a file of LAMMPS that speak of `species` alone; `name` is what the TOML says."""
    words = [word for line in path.read_text().splitlines() for word in line.split("#")[0].split()]
    fields = FIELDS[style].split()
    width = 3 + len(fields)
    assert len(words) % width == 0, path
    rows: Rows = {}
    for start in range(0, len(words), width):
        types, numbers = words[start : start + 3], words[start + 3 : start + width]
        if set(types) <= set(species):
            rows["-".join(types)] = dict(zip(fields, map(float, numbers), strict=True))
    return TableModel(style=style, file=name, parameters=rows)


def pair_columns(model: TableModel, names: tuple[str, ...], twins: dict[str, str] | None = None) -> tuple[tuple[str, ...], ...]:
    """Columns of the numbers that act on a pair. LAMMPS visits each pair once, from either end: it takes what the pair shares from
    the entry `A B B` or `B A A`, as the atom order says. Only the sum of both derivatives is a property of the physics.
    `twins`: numbers that change their name at the other end."""
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for types in model.parameters:
        one, two, three = types.split("-")
        other = f"{two}-{one}-{one}"
        if two != three or types in done:
            continue
        done |= {types, other}
        for name in names:
            both = (f"{model.style}.{types}.{name}", f"{model.style}.{other}.{(twins or {}).get(name, name)}")
            found.append(both if other != types else both[:1])
    return tuple(found)


def triplet_columns(model: TableModel, names: tuple[str, ...], symmetric: bool) -> tuple[tuple[str, ...], ...]:
    """Columns of the numbers that act on an angle; `symmetric` where `A B C` and `A C B` speak of the same angle."""
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for types in model.parameters:
        one, two, three = types.split("-")
        other = f"{one}-{three}-{two}"
        if types in done:
            continue
        done |= {types, other} if symmetric else {types}
        keys = (types, other) if symmetric and other != types else (types,)
        found += [tuple(f"{model.style}.{key}.{name}" for key in keys) for name in names]
    return tuple(found)
