"""Unit systems of files and their conversion to the one unit system inside: Å, eV, e, amu, rad.

Constants are the exact SI (2019) values; LAMMPS's own rounded pressure constant is kept apart, because numbers that come from a
LAMMPS file are to agree with LAMMPS (docs/reference.md).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

ELEMENTARY_CHARGE = 1.602176634e-19
"""[C], exact."""
AVOGADRO = 6.02214076e23
"""[1/mol], exact."""
KILOJOULE_PER_MOLE = 1e3 / (AVOGADRO * ELEMENTARY_CHARGE)
"""One kJ/mol in eV."""
KILOCALORIE_PER_MOLE = 4.184 * KILOJOULE_PER_MOLE
"""One (thermochemical) kcal/mol in eV."""
GPA_PER_EV_PER_CUBIC_ANGSTROM = 160.2176634
"""One eV/Å³ in GPa."""
LAMMPS_METAL_GPA = 160.21765
"""LAMMPS's `nktv2p` for `units metal`, in GPa per eV/Å³."""
VACUUM_PERMITTIVITY = 8.8541878128e-12
"""[F/m], CODATA 2018, doi:10.1103/RevModPhys.93.025010."""
COULOMB = 1e10 * ELEMENTARY_CHARGE / (4.0 * math.pi * VACUUM_PERMITTIVITY)
"""e²/(4πε₀) [eV·Å]."""
LAMMPS_METAL_COULOMB = 14.399645
"""LAMMPS's `qqr2e` for `units metal` [eV·Å]."""
LAMMPS_REAL_COULOMB = 332.06371
"""LAMMPS's `qqr2e` for `units real` [kcal/mol·Å]."""
NEWTON_PER_METER = 16.02176634
"""One eV/Å² in N/m: the unit of a two-dimensional pressure."""
GRAM_PER_CUBIC_CENTIMETER = 1.66053906892
"""One amu/Å³ in g/cm³. Source: CODATA 2022, doi:10.1103/RevModPhys.97.025002."""


@dataclass(frozen=True, kw_only=True)
class UnitSystem:
    """Units of the numbers in one force-field file.

    Attributes:
        name: the name used in files.
        energy: size of the energy unit [eV].
        length: size of the length unit [Å].
        energy_symbol, length_symbol: what reports print.
        reduced: whether the numbers are in reduced units; then nothing is converted.
        pressure: one energy per cubed inner length unit in the pressure unit of reports.
        coulomb: energy of two charges of e at an inner length unit [eV·Å]; 1 in reduced units.
        angle: size of the angle unit [rad].
        angle_symbol: what reports print.
    """

    name: str
    energy: float
    length: float
    energy_symbol: str
    length_symbol: str
    reduced: bool = False
    pressure: float = GPA_PER_EV_PER_CUBIC_ANGSTROM
    coulomb: float = COULOMB
    angle: float = math.pi / 180.0
    angle_symbol: str = "degrees"

    def factor(self, energy: float, length: float, angle: float = 0.0) -> float:
        """Multiplier that takes a number of dimension energy^a length^b angle^c from this system to eV, Å and radians."""
        return float(self.energy**energy * self.length**length * self.angle**angle)

    def symbol(self, energy: float, length: float, charge: float = 0.0, angle: float = 0.0, radian: float = 0.0) -> str:
        """Printed unit of a number of dimension energy^a length^b charge^c angle^d radian^e; "1" where it has none."""
        if self.reduced:
            return self.angle_symbol if angle and not (energy or length or charge) else "reduced"
        dimensions = (
            (self.energy_symbol, energy),
            (self.length_symbol, length),
            ("e", charge),
            (self.angle_symbol, angle),
            ("rad", radian),
        )
        above = "·".join(_power(base, e) for base, e in dimensions if e > 0)
        below = [_power(base, -e) for base, e in dimensions if e < 0]
        text = above or "1"
        return text if not below else f"{text}/{'/'.join(below)}"

    def inner_symbols(self) -> tuple[str, str]:
        """Units (energy, length) of results, which are always eV and Å but for reduced units."""
        return ("reduced", "reduced") if self.reduced else ("eV", "Å")


_SUPERSCRIPTS = str.maketrans("0123456789.-", "⁰¹²³⁴⁵⁶⁷⁸⁹·⁻")


def _power(symbol: str, exponent: float) -> str:
    if exponent == 0:
        return ""
    return symbol if exponent == 1 else symbol + f"{exponent:g}".translate(_SUPERSCRIPTS)


METAL = UnitSystem(name="metal", energy=1.0, length=1.0, energy_symbol="eV", length_symbol="Å")
REAL = UnitSystem(name="real", energy=KILOCALORIE_PER_MOLE, length=1.0, energy_symbol="kcal/mol", length_symbol="Å")
GROMACS = UnitSystem(name="gromacs", energy=KILOJOULE_PER_MOLE, length=10.0, energy_symbol="kJ/mol", length_symbol="nm")
REDUCED = UnitSystem(
    name="reduced", energy=1.0, length=1.0, energy_symbol="", length_symbol="", reduced=True, pressure=1.0, coulomb=1.0
)
OPENMM = UnitSystem(
    name="openmm",
    energy=KILOJOULE_PER_MOLE,
    length=10.0,
    energy_symbol="kJ/mol",
    length_symbol="nm",
    angle=1.0,
    angle_symbol="rad",
)
AMBER = UnitSystem(
    name="amber", energy=KILOCALORIE_PER_MOLE, length=1.0, energy_symbol="kcal/mol", length_symbol="Å", angle=1.0, angle_symbol="rad"
)
CHARMM = UnitSystem(name="charmm", energy=KILOCALORIE_PER_MOLE, length=1.0, energy_symbol="kcal/mol", length_symbol="Å")
LAMMPS_METAL = UnitSystem(
    name="metal",
    energy=1.0,
    length=1.0,
    energy_symbol="eV",
    length_symbol="Å",
    pressure=LAMMPS_METAL_GPA,
    coulomb=LAMMPS_METAL_COULOMB,
)
LAMMPS_REAL = UnitSystem(
    name="real",
    energy=KILOCALORIE_PER_MOLE,
    length=1.0,
    energy_symbol="kcal/mol",
    length_symbol="Å",
    coulomb=LAMMPS_REAL_COULOMB * KILOCALORIE_PER_MOLE,
)

LAMMPS_UNIT_SYSTEMS = {"metal": LAMMPS_METAL, "real": LAMMPS_REAL, "lj": REDUCED}
"""Unit systems of LAMMPS's own files, with its constants, by the name of its `units` command."""
UNIT_SYSTEMS = {system.name: system for system in (METAL, REAL, GROMACS, REDUCED)}
