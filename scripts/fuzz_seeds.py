"""Small valid files of every kind that md_sensitivity reads: where `fuzz.py` starts from, and the tests of the reading process."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import ase
import ase.io
import numpy as np
from ase.constraints import FixAtoms

CELL = np.array([[7.1, 0.0, 0.0], [1.3, 6.4, 0.0], [-0.9, 2.2, 8.3]])

WRITTEN_BY_ASE = {
    "crystal.extxyz": ("extxyz", {}),
    "crystal.cif": ("cif", {}),
    "POSCAR": ("vasp", {}),
    "crystal.data": ("lammps-data", {"specorder": ["Cl", "Na"], "masses": True}),
    "crystal.pdb": ("proteindatabank", {}),
    "crystal.gro": ("gromacs", {}),
    "crystal.traj": ("traj", {}),
    "crystal.xsf": ("xsf", {}),
    "crystal.cfg": ("cfg", {}),
    "crystal.res": ("res", {}),
    "geometry.in": ("aims", {}),
    "crystal.gen": ("gen", {}),
    "crystal.config": ("dlp4", {}),
    "XDATCAR": ("vasp-xdatcar", {}),
}
MOL2 = """\
@<TRIPOS>MOLECULE
water
 3 2 1
SMALL
NO_CHARGES

@<TRIPOS>ATOM
1 O1 0.0000 0.0000 0.1173 O.3 1 WAT 0.0
2 H1 0.0000 0.7572 -0.4692 H 1 WAT 0.0
3 H2 0.0000 -0.7572 -0.4692 H 1 WAT 0.0
@<TRIPOS>BOND
1 1 2 1
2 1 3 1
"""
DUMP = """\
ITEM: TIMESTEP
0
ITEM: NUMBER OF ATOMS
3
ITEM: BOX BOUNDS pp pp pp
0 9
0 9
0 9
ITEM: ATOMS id type element x y z
1 1 Ar 0 0 0
2 1 Ar 3.7 0.5 0
3 2 Kr 0.1 4.1 3.9
"""
MMCIF = """\
data_water
_cell.length_a 30.0
_cell.length_b 31.0
_cell.length_c 32.0
_cell.angle_alpha 90
_cell.angle_beta 90
_cell.angle_gamma 90
loop_
_atom_site.group_PDB
_atom_site.id
_atom_site.type_symbol
_atom_site.label_atom_id
_atom_site.label_alt_id
_atom_site.label_comp_id
_atom_site.label_asym_id
_atom_site.label_entity_id
_atom_site.label_seq_id
_atom_site.pdbx_PDB_ins_code
_atom_site.Cartn_x
_atom_site.Cartn_y
_atom_site.Cartn_z
_atom_site.occupancy
_atom_site.B_iso_or_equiv
_atom_site.auth_seq_id
_atom_site.auth_asym_id
_atom_site.pdbx_PDB_model_num
ATOM 1 O O . HOH A 1 1 ? 0.000 0.000 0.117 1.00 0.0 1 A 1
ATOM 2 H H1 . HOH A 1 1 ? 0.000 0.757 -0.469 1.00 0.0 1 A 1
ATOM 3 H H2 . HOH A 1 1 ? 0.000 -0.757 -0.469 1.00 0.0 1 A 1
"""
PEPTIDE = (
    ("N", "ALA", 1, -0.966, 0.493, 1.500), ("CA", "ALA", 1, 0.257, 0.418, 0.692), ("C", "ALA", 1, -0.094, 0.017, -0.716),
    ("O", "ALA", 1, -1.056, -0.682, -0.923), ("CB", "ALA", 1, 1.204, -0.620, 1.296), ("N", "GLY", 2, 0.661, 0.439, -1.742),
    ("CA", "GLY", 2, 0.395, 0.057, -3.131), ("C", "GLY", 2, 1.582, 0.332, -4.011), ("O", "GLY", 2, 1.593, 1.252, -4.824),
)  # fmt: skip
"""Atom name, residue, number, place [Å]."""

NATIVE = """\
name = "Rock salt"
reference = "made up"
units = "metal"

[[potential]]
style = "lennard_jones"
cutoff = 3.0
truncation = "switch"
switch_from = 2.7
mixing = "lorentz-berthelot"
[potential.parameters.Na]
sigma = 2.3
epsilon = { value = 0.01, std = 0.002, bounds = [0, 1], fixed = false }
[potential.parameters.Cl]
sigma = 3.1
epsilon = 2e-2
[potential.parameters.Na-Cl]
epsilon = 0.015

[[potential]]
style = "soft_sphere"
name = "wall"
exponent = 2.5
[potential.parameters.Na-Na]
sigma = 1.1
epsilon = 1.0
[potential.parameters.Na-Cl]
sigma = 1.2
epsilon = 1.0
[potential.parameters.Cl-Cl]
sigma = 1.3
epsilon = 1.0
"""
MANY_BODY = """\
name = "Silicon"
[[potential]]
style = "stillinger_weber"
[potential.parameters.Si-Si-Si]
epsilon = 2.1683
sigma = 2.0951
a = 1.80
lambda = { value = 21.0, std = 1.0 }
gamma = 1.20
costheta0 = -0.333333333333
A = 7.049556277
B = 0.6022245584
p = 4.0
q = 0.0
"""
SW = """\
# Stillinger-Weber, UNITS: metal
Si Si Si 2.1683 2.0951 1.80 21.0 1.20 -0.333333333333
         7.049556277 0.6022245584 4.0 0.0 0.0
"""
LAMMPS_INPUT = """\
# UNITS: metal
units metal
atom_style charge
variable eps equal 0.01*2+v_more   # eV
variable more index 0.003
variable file string Si.sw
labelmap atom 1 Si 2 Ar
mass 1 28.0855
mass Ar 39.948
set type * charge $(0.5*2)
pair_style hybrid/overlay sw lj/cut 6.5 coul/dsf 0.2 7.0 &
  zbl 1.0 2.0
pair_coeff * * sw ${file} Si NULL
pair_coeff 1*2 Ar lj/cut ${eps} 3.4 8.5
pair_coeff * * coul/dsf
pair_coeff 1 1 zbl 14 14
pair_modify pair lj/cut shift yes mix arithmetic
fix 1 all nve
run 0
"""
LAMMPS_COEFFICIENTS = """\
LAMMPS data file, units = metal

2 atoms
2 atom types

Atom Type Labels

1 Ar
2 Kr

Masses

1 39.948
2 83.798

PairIJ Coeffs # lj/cut

1 1 0.0104 3.4 8.5
1 2 0.0123 3.5 8.6
2 2 0.0141 3.6 8.7

Atoms # atomic

1 1 0.0 0.0 0.0
2 2 3.0 0.0 0.0
"""
STUDY = """\
structures = ["crystal.extxyz"]
force-field = "salt.toml"
output = "out"
parameter = ["lennard_jones.*"]
observable = ["energy", "distance:0-1"]
fmax = 1e-6
max-steps = 50
check = 0
positions = false
seed = 3
verbose = 1
index = "-1"
fix = "0,1"
reader = "auto"
dry-run = true
"""


FIT = """\
force_field = "salt.toml"
parameters = ["lennard_jones.*"]
max_steps = 20
fmax = 1e-6

[[target]]
structure = "cluster.xyz"
observable = "energy"
value = -3.0
std = 0.01
weight = 2.0

[[target]]
structure = "crystal.extxyz"
observable = "energy"
value = -3.1
std = 0.005
relaxed = false
name = "as it is"
index = "-1"
"""


def crystal() -> ase.Atoms:
    """Eight atoms of two elements in a triclinic cell, two of them frozen."""
    places = np.stack(np.meshgrid(*[[0.2, 0.7]] * 3), axis=-1).reshape(-1, 3)
    atoms = ase.Atoms("Na4Cl4", cell=CELL, scaled_positions=places, pbc=True)
    atoms.positions += np.random.default_rng(6).uniform(-0.3, 0.3, (8, 3))
    atoms.set_constraint(FixAtoms([1, 5]))
    return atoms


def cluster() -> ase.Atoms:
    """Seven atoms of two elements without a cell."""
    atoms = crystal()[:7]
    atoms.pbc, atoms.cell = False, None
    return atoms


RST7 = "water\n    3\n" + "".join(f"{value:12.7f}" for value in (0.0, 0.0, 0.12, 0.0, 0.76, -0.47)) + "\n"
RST7 += "".join(f"{value:12.7f}" for value in (0.0, -0.76, -0.47)) + "\n"


def structures() -> dict[str, bytes]:
    """Structure files by name, at least one of each format."""
    files = {name: _written(crystal(), form, options) for name, (form, options) in WRITTEN_BY_ASE.items()}
    files |= {name: _written(cluster(), form, {}) for name, form in (("cluster.xyz", "xyz"), ("cluster.sdf", "sdf"))}
    moved = crystal()
    moved.positions[0] += 0.1
    files["trajectory.extxyz"] = files["crystal.extxyz"] + _written(moved, "extxyz", {})
    typed = cluster()
    typed.new_array("atom_types", np.array(["A", "B"] * 3 + ["A"]))
    files["typed.extxyz"] = _written(typed, "extxyz", {})
    texts = {"water.mol2": MOL2, "gas.dump": DUMP, "water.cif": MMCIF, "peptide.pdb": _pdb(), "peptide.gro": _gro(), "water.rst7": RST7}
    files |= {name: text.encode() for name, text in texts.items()}
    for suffix, compress in ((".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)):
        files[f"crystal.extxyz{suffix}"] = compress(files["crystal.extxyz"])
    return files


def forces() -> bytes:
    """The cluster with reference forces, as fits take them."""
    atoms = cluster()
    atoms.new_array("forces", np.linspace(-1.0, 1.0, 21).reshape(7, 3))
    return _written(atoms, "extxyz", {})


def force_fields() -> dict[str, bytes]:
    """Force-field files by name."""
    texts = {"salt.toml": NATIVE, "silicon.toml": MANY_BODY, "Si.sw": SW, "in.mixture": LAMMPS_INPUT, "gas.data": LAMMPS_COEFFICIENTS}
    return {name: text.encode() for name, text in texts.items()}


def results() -> dict[str, bytes]:
    """The files of a finished analysis that are read again; its numbers are invented."""
    from md_sensitivity.analysis.result import (
        EquilibriumInfo,
        ForceFieldInfo,
        ObservableInfo,
        ParameterInfo,
        PositionNorm,
        Result,
        ResultDocument,
        StructureInfo,
        Timings,
    )
    from md_sensitivity.reports.json import result_json
    from md_sensitivity.reports.npz import result_npz
    from md_sensitivity.types import Structure

    structure = Structure.from_ase(cluster(), name="cluster")
    n, digest = structure.size, "ab" * 32
    document = ResultDocument(
        status="minimum",
        message="made up",
        structure=StructureInfo(path="cluster.xyz", sha256=digest, formula=structure.formula, atoms=n, periodic=[False] * 3),
        force_field=ForceFieldInfo(path="salt.toml", sha256=digest, name="Rock salt", units="metal"),
        equilibrium=EquilibriumInfo(
            energy=-1.5,
            energy_unit="eV",
            max_force=1e-9,
            force_unit="eV/Å",
            steps=12,
            force_evaluations=15,
            zero_modes=6,
            lowest_eigenvalue=0.4,
            minimizer="lbfgs+newton",
            rattlers=0,
            hessian_products=40,
        ),
        position_norm=PositionNorm(l1=[2.0], l2=[1.0], max=[0.5], max_atom=[3]),
        parameters=[ParameterInfo(name="lennard_jones.Na.sigma", value=2.3, unit="Å")],
        observables=[
            ObservableInfo(name="energy", unit="eV", value=-1.5, direct=[0.5], relaxation=[0.0], total=[0.5], logarithmic=[-0.77]),
            ObservableInfo(name="distance:0-1", unit="Å", value=2.8, direct=[0.0], relaxation=[1.1], total=[1.1], logarithmic=[None]),
        ],
        certificate=None,
        timings=Timings(minimize_s=0.1, differentiate_s=0.2, total_s=0.3),
    )
    arrays = {
        "positions": structure.positions,
        "cell": structure.cell,
        "numbers": structure.numbers,
        "parameter_names": np.array(["lennard_jones.Na.sigma"]),
        "parameter_values": np.array([2.3]),
        "dpositions": np.full((1, n, 3), 0.25),
    }
    result = Result(name="cluster", document=document, arrays=arrays, structure=structure)
    return {"result.json": result_json(result), "arrays.npz": result_npz(result)}


def _written(atoms: ase.Atoms, form: str, options: dict[str, object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)      # plans of ASE for later versions
        path = Path(folder) / "structure"
        ase.io.write(path, atoms, format=form, **options)
        return path.read_bytes()


def _pdb() -> str:
    return "".join(["CRYST1   30.000   31.000   32.000  90.00  90.00  90.00 P 1           1\n", *_pdb_atoms(), "TER\nEND\n"])


def _pdb_atoms() -> Iterator[str]:
    for serial, (name, residue, number, *place) in enumerate(PEPTIDE, start=1):
        x, y, z = place
        yield f"ATOM  {serial:5d}  {name:<3s} {residue:3s} A{number:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {name[0]:>2s}\n"


def _gro() -> str:
    rows = [
        f"{number:5d}{residue:<5s}{name:>5s}{serial:5d}" + "".join(f"{component / 10:8.4f}" for component in place)
        for serial, (name, residue, number, *place) in enumerate(PEPTIDE, start=1)
    ]
    return "\n".join(["peptide", f"{len(rows):5d}", *rows, "   3.00000   3.10000   3.20000", ""])
