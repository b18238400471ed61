"""Pair potentials in the words of the native force-field format, and how LAMMPS is told about them: its own style where it has one,
else (and as a second opinion) `pair_style lepton` with formula and truncation written out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import erfc

COULOMB = 14.3996454784936
"""e^2/(4 pi epsilon_0) [eV Å], CODATA 2018."""
LAMMPS_COULOMB = 14.399645
"""The same in LAMMPS's units metal."""

FORMULAS = {
    "lennard_jones": "4*epsilon*((sigma/r)^12-(sigma/r)^6)",
    "lennard_jones_rmin": "epsilon*((2*rmin_half/r)^12-2*(2*rmin_half/r)^6)",
    "morse": "D*(exp(-2*alpha*(r-r0))-2*exp(-alpha*(r-r0)))",
    "buckingham": "A*exp(-r/rho)-C/r^6",
    "soft_sphere": "epsilon/exponent*(1-r/sigma)^exponent",
    "mie": "n/(n-m)*(n/m)^(m/(n-m))*epsilon*((sigma/r)^n-(sigma/r)^m)",
    "yukawa": "A*exp(-kappa*r)/r",
    "born_mayer_huggins": "A*exp((sigma-r)/rho)-C/r^6+D/r^8",
    "inverse_power": "epsilon*(sigma/r)^n",
    "coulomb_dsf": "ke*q1*q2*erfc(alpha*r)/r",
    "coulomb_wolf": "ke*q1*q2*erfc(alpha*r)/r",
}
"""The functional forms, for LAMMPS's expression parser and for Python."""
SWITCH = "select(step(r-ri), (1-x)^3*(1+3*x+6*x^2), 1); x=(r-ri)/(rc-ri)"
"""1 - 10 x^3 + 15 x^4 - 6 x^5: the taper of Mei, Davenport and Fernando, LAMMPS's .../mdf styles."""

STYLES = {
    ("lennard_jones", "none"): "lj/cut {cut!r}",
    ("lennard_jones", "shift"): "lj/cut {cut!r}",
    ("lennard_jones", "force-shift"): "lj/smooth/linear {cut!r}",
    ("lennard_jones", "switch"): "lj/mdf {start!r} {cut!r}",
    ("morse", "none"): "morse {cut!r}",
    ("morse", "shift"): "morse {cut!r}",
    ("morse", "force-shift"): "morse/smooth/linear {cut!r}",
    ("buckingham", "none"): "buck {cut!r}",
    ("buckingham", "shift"): "buck {cut!r}",
    ("buckingham", "switch"): "buck/mdf {start!r} {cut!r}",
    ("soft_sphere", "none"): "harmonic/cut",
    ("mie", "none"): "mie/cut {cut!r}",
    ("mie", "shift"): "mie/cut {cut!r}",
    ("yukawa", "none"): "yukawa {kappa!r} {cut!r}",
    ("yukawa", "shift"): "yukawa {kappa!r} {cut!r}",
    ("born_mayer_huggins", "none"): "born {cut!r}",
    ("born_mayer_huggins", "shift"): "born {cut!r}",
    ("zbl", "own"): "zbl {inner!r} {cut!r}",
    ("coulomb_dsf", "force-shift"): "coul/dsf {alpha!r} {cut!r}",
    ("coulomb_wolf", "shift"): "coul/wolf {alpha!r} {cut!r}",
}
"""LAMMPS's own styles, by form and truncation."""
ORDER = {
    "lennard_jones": ("epsilon", "sigma"), "morse": ("D", "alpha", "r0"), "buckingham": ("A", "rho", "C"),
    "mie": ("epsilon", "sigma", "n", "m"), "yukawa": ("A",), "born_mayer_huggins": ("A", "rho", "sigma", "C", "D"), "zbl": ("Z1", "Z2"),
}  # fmt: skip
"""The numbers of a `pair_coeff` line."""
OWN_TRUNCATION = {"soft_sphere": "none", "zbl": "own", "coulomb_dsf": "force-shift", "coulomb_wolf": "shift"}
"""Forms that bring their own."""
CHARGED = ("coulomb_dsf", "coulomb_wolf")


@dataclass(frozen=True, kw_only=True)
class PairModel:
    """One pair potential.

    Attributes:
        style, truncation, cutoff, switch_from, mixing: as in the TOML; None where left out.
        parameters: type or pair of types ("Ar", "Ar-Kr") -> name -> value.
        options: other numbers of the TOML table, such as a damping.
        units: metal or reduced.
    """

    style: str
    parameters: dict[str, dict[str, float]]
    truncation: str | None = None
    cutoff: float | None = None
    switch_from: float | None = None
    mixing: str | None = None
    options: dict[str, float] = field(default_factory=dict)
    units: str = "metal"

    @property
    def weight(self) -> float:
        return COULOMB / LAMMPS_COULOMB if self.style == "zbl" else 1.0

    def names(self) -> list[str]:
        return [f"{self.style}.{types}.{name}" for types, row in self.parameters.items() for name in row]

    def value(self, name: str) -> float:
        _, types, key = name.split(".")
        return self.parameters[types][key]

    def with_value(self, name: str, value: float) -> PairModel:
        _, types, key = name.split(".")
        return replace(self, parameters=self.parameters | {types: self.parameters[types] | {key: value}})

    def truncated(self) -> tuple[str, float, float]:
        """Truncation, start of the switch and cutoff, defaults filled in; no cutoff is one beyond every pair."""
        cut = self.options.get("outer", 45.0) if self.cutoff is None else float(self.cutoff)
        start = self.switch_from if self.switch_from is not None else 0.9 * cut
        plain = "none" if self.cutoff is None else self.truncation or "switch"
        return OWN_TRUNCATION.get(self.style, plain), start, cut

    def pair(self, first: str, second: str) -> dict[str, float]:
        """Pair values written out: the explicit pair, the mixing rule, or both types' own number."""
        if self.style in ("zbl", *CHARGED):
            key = "Z" if self.style == "zbl" else "q"
            return {f"{key}1": self.parameters[first][key], f"{key}2": self.parameters[second][key]}
        return mixed(self, first, second)

    def commands(self, species: list[str], folder: str, expressions: bool = False) -> list[str]:
        """All pairs explicit. Charges are the other way round: expressions by default, because LAMMPS's coul/dsf has an erfc of
        1e-7 and coul/wolf has forces that are not the derivative of its energy."""
        truncation, start, cut = self.truncated()
        style = self._own_style(species, truncation)
        if self.style in FORMULAS and expressions != (self.style in CHARGED):
            style = None
        lines = [f"pair_style {style.format(start=start, cut=cut, **self._numbers()) if style else f'lepton {cut!r}'}"]
        if style and self.style in CHARGED:
            factor = (COULOMB / LAMMPS_COULOMB) ** 0.5  # LAMMPS's constant differs: its charges make up for it
            lines += [f"set type {i} charge {factor * self.parameters[kind]['q']!r}" for i, kind in enumerate(species, start=1)]
            return [*lines, "pair_coeff * *"]
        lines += ["pair_modify shift yes"] if style and truncation == "shift" else []
        for i, first in enumerate(species, start=1):
            for j, second in enumerate(species[i - 1 :], start=i):
                values = {name: float(value) for name, value in self.pair(first, second).items()}
                text = self._coefficients(values) if style else self.expression(values, truncation, start, cut)
                lines.append(f"pair_coeff {i} {j} {text}")
        return lines

    def _numbers(self) -> dict[str, float]:
        """What LAMMPS wants in its `pair_style` line."""
        kappas = [row["kappa"] for row in self.parameters.values() if "kappa" in row]
        return {name: float(value) for name, value in (self.options | {"kappa": (kappas or [0.0])[0]}).items()}

    def _own_style(self, species: list[str], truncation: str) -> str | None:
        if self.style == "soft_sphere" and self.options.get("exponent", 2.0) != 2.0:
            return None
        if self.style == "yukawa" and len({row["kappa"] for row in self.parameters.values()}) > 1:
            return None
        return STYLES.get((self.style, truncation))

    def _coefficients(self, values: dict[str, float]) -> str:
        if self.style == "soft_sphere":  # k (rc - r)^2
            return f"{values['epsilon'] / (2.0 * values['sigma'] ** 2)!r} {values['sigma']!r}"
        return " ".join(repr(values[name]) for name in ORDER[self.style])

    def expression(self, values: dict[str, float], truncation: str, start: float, cut: float) -> str:
        """One pair for lepton, truncation and all."""
        known = values | {name: float(value) for name, value in self.options.items()}
        known |= {"ke": COULOMB} if self.style in CHARGED else {}
        known.setdefault("exponent", 2.0)
        formula = FORMULAS[self.style]
        functions = {"exp": np.exp, "erfc": erfc, "r": cut + 1e-30j}
        at_cut = complex(eval(formula.replace("^", "**"), functions | known))  # complex step
        text = {
            "none": formula,
            "shift": f"{formula}-({at_cut.real!r})",
            "force-shift": f"{formula}-({at_cut.real!r})-(r-rc)*({at_cut.imag / 1e-30!r})",
            "switch": f"({formula})*{SWITCH}; ri={float(start)!r}",
        }[truncation]
        constants = "; ".join(f"{name}={value!r}" for name, value in known.items())
        reach = f" {known['sigma']!r}" if self.style == "soft_sphere" else ""
        return f'"{text}; rc={float(cut)!r}; {constants}"{reach}'

    def toml(self) -> list[str]:
        lines = ["[[potential]]", f'style = "{self.style}"']
        table = {key: getattr(self, key) for key in ("cutoff", "truncation", "switch_from", "mixing")} | self.options
        for key, value in table.items():
            if value is not None:
                lines.append(f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {float(value)!r}")
        for types, row in self.parameters.items():
            lines.append(f"[potential.parameters.{types}]")
            lines += [f"{key} = {float(value)!r}" for key, value in row.items()]
        return lines

    def files(self) -> dict[str, str]:
        return {}

    def reach(self) -> float:
        if self.style == "soft_sphere":
            return max(row["sigma"] for row in self.parameters.values())
        return self.options.get("outer", self.cutoff or 0.0)

    def radii(self, first: str, second: str) -> list[float]:
        if self.style == "soft_sphere":
            return [mixed(self, first, second)["sigma"]]
        ends = [self.cutoff, self.switch_from, self.options.get("inner"), self.options.get("outer")]
        return [float(radius) for radius in ends if radius is not None]

    def constant(self, types: tuple[str, ...], expressions: bool) -> float:
        """The self-energy of damped charges: C q^2 times half the limit of (phi - 1/r) at r = 0, with the shift of phi in it, as LAMMPS's
        own styles have it. Wolf et al. 1999, doi:10.1063/1.478738; Fennell and Gezelter 2006, doi:10.1063/1.2206581."""
        if self.style not in CHARGED or expressions:
            return 0.0
        alpha, cut = float(self.options["alpha"]), float(self.cutoff or 0.0)
        shift = float(erfc(alpha * cut)) / (2 * cut) + alpha / np.pi**0.5
        if self.style == "coulomb_dsf":
            shift += float(erfc(alpha * cut)) / (2 * cut) + alpha / np.pi**0.5 * float(np.exp(-((alpha * cut) ** 2)))
        return -COULOMB * shift * sum(self.parameters[kind]["q"] ** 2 for kind in types)


def mixed(model: PairModel, first: str, second: str) -> dict[str, float]:
    """Pair values written out: the explicit pair, or the mixing rule."""
    rows = model.parameters
    for key in (f"{first}-{second}", f"{second}-{first}"):
        if key in rows:
            return rows[key]
    one, two = rows[first], rows[second]
    if first == second:
        return one
    rules = {
        "arithmetic": lambda name, u, v: 0.5 * (u + v),
        "geometric": lambda name, u, v: (u * v) ** 0.5,
        "lorentz-berthelot": lambda name, u, v: 0.5 * (u + v) if name == "sigma" else (u * v) ** 0.5,
    }
    return {name: rules[model.mixing](name, one[name], two[name]) for name in one}  # type: ignore[index]
