"""What a form says of its numbers: parameters, which are differentiable, and options, which are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

Options = Mapping[str, float]
"""Values of a form's own options, which are not differentiable."""


@dataclass(frozen=True, kw_only=True)
class ParameterSpec:
    """One parameter of a form.

    Attributes:
        name: as in the literature and in LAMMPS.
        energy, length: dimension, as exponents of energy and length.
        lower, upper: physical bounds; a bound is excluded where `open_lower` or `open_upper` says so.
        radial: for forms of triples (i, j, k): it is used only where j = k; elsewhere files may give zero.
        charge: dimension, as exponent of the elementary charge.
        angle: dimension, as exponent of the angle that files give in degrees or radians.
        radian: exponent of the radian in the unit of a stiffness, which is no other in files that give angles in degrees.
        types: how many types it speaks of; None: as many as the form's order.
        ordered: for two types of a form without triples: whether (a, b) and (b, a) are two numbers.
        count: options → how many numbers it is for each tuple of types, a series `name0`, `name1`, …; None: one number.
        default: value where a file gives none; None where it must be given.
        fixed: whether it is left out of an analysis unless chosen by name.
        option: a number of an entry that is not differentiable; it is no part of θ, and reaches the form among the coefficients.
        unlike: name of a parameter of the same types that it must differ from; "" for none.
        choices: the only values of such a number; none for any.
        description: one phrase.
    """

    name: str
    energy: float = 0.0
    length: float = 0.0
    lower: float = float("-inf")
    upper: float = float("inf")
    open_lower: bool = False
    open_upper: bool = False
    radial: bool = False
    charge: float = 0.0
    angle: float = 0.0
    radian: float = 0.0
    types: int | None = None
    ordered: bool = False
    count: Callable[[Options], int] | None = None
    default: float | None = None
    fixed: bool = False
    option: bool = False
    unlike: str = ""
    choices: tuple[float, ...] = ()
    description: str = ""

    def admits(self, value: float) -> bool:
        """Whether `value` (of any unit: bounds are 0, 1 or infinite) is physically possible."""
        above = value > self.lower if self.open_lower else value >= self.lower
        below = value < self.upper if self.open_upper else value <= self.upper
        return above and below

    def within(self, types: tuple[str, ...]) -> ParameterSpec:
        """The specification for one tuple of types: a radial parameter of a mixed triple is not used, and may be zero."""
        if self.radial and len(types) == 3 and types[1] != types[2]:
            return replace(self, lower=min(self.lower, 0.0), open_lower=False)
        return self

    @property
    def bounds_text(self) -> str:
        """Such as `> 0`."""
        parts = []
        if self.lower != float("-inf"):
            parts.append(f"{'>' if self.open_lower else '≥'} {self.lower:g}")
        if self.upper != float("inf"):
            parts.append(f"{'<' if self.open_upper else '≤'} {self.upper:g}")
        return " and ".join(parts) or "any finite number"


@dataclass(frozen=True, kw_only=True)
class OptionSpec:
    """One number of a form that is not differentiable, such as an exponent.

    Attributes:
        default: None where it must be given.
        energy, length: dimension, as exponents of energy and length; forms see eV and Å.
        lower, upper: bounds, in any unit; the lower one is excluded where `open_lower` says so.
        below: name of another option that it must be less than; "" for none.
        whole: whether it is a whole number.
    """

    name: str
    default: float | None
    lower: float = float("-inf")
    upper: float = float("inf")
    open_lower: bool = False
    below: str = ""
    energy: float = 0.0
    length: float = 0.0
    whole: bool = False
    description: str


COULOMB = OptionSpec(
    name="coulomb_constant",
    default=None,
    lower=0,
    open_lower=True,
    energy=1,
    length=1,
    description="e²/(4πε₀); if it is not given, that of the unit system, or of the code that the file is from",
)
"""An option of all forms with charges, so that a force field keeps the constant of the code that it comes from."""


SCALE = ParameterSpec(
    name="scale14",
    types=0,
    description="share of a pair potential that acts between atoms three bonds apart",
)
"""A parameter of every pair potential whose neighbors a topology thins out."""
