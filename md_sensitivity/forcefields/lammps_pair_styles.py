"""What pair styles of LAMMPS mean: which form they are, what their numbers are called, and how their energies end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Values = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class PairStyle:
    """A style whose `pair_coeff` lines hold numbers of pairs of types.

    Attributes:
        form: name of the functional form.
        settings: names of the numbers after the style itself; `start` and `cutoff` hold where pairs give none of their own.
        numbers: names of the numbers of a pair, in order.
        own: names of numbers that a pair may add: its own `start` and `cutoff`.
        truncation: how the energy ends; "shift" where `pair_modify shift yes` asks for it and `shiftable` is true.
        mixable: whether LAMMPS mixes unlike pairs, by rules that we have.
        options: settings that are options of the form.
        everywhere: settings that are parameters, the same for each pair.
        values: numbers of a pair → parameters; None where they are the same.
    """

    name: str
    form: str
    settings: tuple[str, ...] = ("cutoff",)
    numbers: tuple[str, ...]
    own: tuple[str, ...] = ("cutoff",)
    truncation: str = "none"
    shiftable: bool = False
    mixable: bool = False
    options: tuple[str, ...] = ()
    everywhere: tuple[str, ...] = ()
    values: Callable[[Values], Values] | None = None


@dataclass(frozen=True, kw_only=True)
class AtomStyle:
    """A style whose parameters are those of single types, which all pairs share.

    Attributes:
        settings: names of the numbers after the style, all of them options of the form.
        parameter: name within the form.
        given: whether `pair_coeff I J` has the values of both types; else they are charges, which `set type` gives.
    """

    name: str
    form: str
    settings: tuple[str, ...]
    parameter: str
    given: bool


@dataclass(frozen=True, kw_only=True)
class FileStyle:
    """A style whose parameters stand in potential files.

    Attributes:
        suffix: end of the names that the registry of potential files knows this kind by; here the file may be called anything.
        files: how many files `pair_coeff * *` names before the elements.
        of_types: whether each type has a file of its own, `pair_coeff I I FILE`, which names the element.
    """

    name: str
    suffix: str
    files: int = 1
    of_types: bool = False


Style = PairStyle | AtomStyle | FileStyle


def _soft_sphere(values: Values) -> Values:
    """k (r_c − r)² as (ε/2)(1 − r/σ)²: σ = r_c and ε = 2 k r_c²."""
    return {"sigma": values["cutoff"], "epsilon": 2.0 * values["k"] * values["cutoff"] ** 2}


_LJ = ("epsilon", "sigma")
_SPAN = ("start", "cutoff")
_STYLES: tuple[Style, ...] = (
    PairStyle(name="lj/cut", form="lennard_jones", numbers=_LJ, shiftable=True, mixable=True),
    PairStyle(name="lj/smooth/linear", form="lennard_jones", numbers=_LJ, truncation="force-shift", mixable=True),
    PairStyle(name="lj/mdf", form="lennard_jones", settings=_SPAN, numbers=_LJ, own=_SPAN, truncation="switch", mixable=True),
    PairStyle(name="mie/cut", form="mie", numbers=("epsilon", "sigma", "n", "m"), shiftable=True),
    PairStyle(name="morse", form="morse", numbers=("D", "alpha", "r0"), shiftable=True),
    PairStyle(name="morse/smooth/linear", form="morse", numbers=("D", "alpha", "r0"), truncation="force-shift"),
    PairStyle(name="buck", form="buckingham", numbers=("A", "rho", "C"), shiftable=True),
    PairStyle(name="buck/mdf", form="buckingham", settings=_SPAN, numbers=("A", "rho", "C"), own=_SPAN, truncation="switch"),
    PairStyle(name="born", form="born_mayer_huggins", numbers=("A", "rho", "sigma", "C", "D"), shiftable=True),
    PairStyle(
        name="yukawa", form="yukawa", settings=("kappa", "cutoff"), numbers=("A",), everywhere=("kappa",), shiftable=True
    ),
    PairStyle(
        name="harmonic/cut", form="soft_sphere", settings=(), numbers=("k", "cutoff"), own=(), values=_soft_sphere
    ),
    AtomStyle(name="zbl", form="zbl", settings=("inner", "outer"), parameter="Z", given=True),
    AtomStyle(name="coul/dsf", form="coulomb_dsf", settings=("alpha", "cutoff"), parameter="q", given=False),
    AtomStyle(name="coul/wolf", form="coulomb_wolf", settings=("alpha", "cutoff"), parameter="q", given=False),
    FileStyle(name="sw", suffix=".sw"),
    FileStyle(name="tersoff", suffix=".tersoff"),
    FileStyle(name="tersoff/mod", suffix=".tersoff.mod"),
    FileStyle(name="tersoff/mod/c", suffix=".tersoff.modc"),
    FileStyle(name="vashishta", suffix=".vashishta"),
    FileStyle(name="edip", suffix=".edip"),
    FileStyle(name="edip/multi", suffix=".edip"),
    FileStyle(name="eam", suffix=".eam", of_types=True),
    FileStyle(name="eam/alloy", suffix=".eam.alloy"),
    FileStyle(name="eam/fs", suffix=".eam.fs"),
    FileStyle(name="snap", suffix=".snapcoeff", files=2),
)
PAIR_STYLES = {style.name: style for style in _STYLES}
"""Pair styles that are read, by the name that LAMMPS has for them."""
ACCELERATED = ("/gpu", "/intel", "/kk", "/omp", "/opt")
"""Ends of names of the same styles, written for other machines."""

HARMLESS = frozenset(
    """angle_write atom_modify atom_style balance bond_write boundary box change_box comm_modify comm_style compute compute_modify
    create_atoms create_bonds delete_atoms delete_bonds dimension displace_atoms dump dump_modify dynamical_matrix echo geturl group
    group2ndx info lattice log message min_modify min_style minimize ndx2group neb neigh_modify neighbor newton package pair_write print
    processors read_dump region replicate reset_atoms reset_atom_ids reset_mol_ids reset_timestep restart run run_style suffix tad temper
    thermo thermo_modify thermo_style third_order timer timestep uncompute undump unfix velocity write_coeff write_data write_dump
    write_restart""".split()
)
"""Commands that say nothing about energies as functions of positions: what is simulated, and how, is not asked of a force field."""
HARMLESS_FIXES = frozenset(
    """ave/atom ave/chunk ave/correlate ave/histo ave/time balance box/relax deform dt/reset enforce2d halt langevin momentum nph npt nve
    nve/limit nve/noforce nvt press/berendsen press/langevin print property/atom recenter store/state temp/berendsen temp/csld temp/csvr
    temp/rescale thermal/conductivity vector viscosity""".split()
)
"""Fixes that move atoms or write things down, without an energy of their own."""
ADVICE = {
    "setforce": "which atoms are frozen is said with --fix, not by the force field; remove the line",
    "freeze": "which atoms are frozen is said with --fix, not by the force field; remove the line",
}
