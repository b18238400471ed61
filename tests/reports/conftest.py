"""Physically plausible results made by hand, fast: shapes, signs and decay as real analyses have them, numbers invented."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from md_sensitivity.analysis.result import (
    CertificateInfo,
    EquilibriumInfo,
    FiniteDifference,
    ForceFieldInfo,
    ObservableInfo,
    ParameterInfo,
    PositionNorm,
    ProvenanceInfo,
    Result,
    ResultDocument,
    StructureInfo,
    Timings,
)
from md_sensitivity.types import Structure

LONG_NAMES = (
    "HarmonicAngle.protein-C~protein-CX~protein-CT.theta0",
    "HarmonicAngle.protein-CT~protein-CX~protein-H1.theta0",
    "PeriodicTorsion.X~protein-C~protein-N~X.k1",
    "PeriodicImproper.protein-CX~protein-2C~protein-N3~protein-CT.phase1",
    "HarmonicBond.CT-HC.r0",
)
Make = Callable[..., Result]

SILICON = {
    "epsilon": (2.1683, "eV"),
    "sigma": (2.0951, "Å"),
    "a": (1.8, "1"),
    "lambda": (21.0, "1"),
    "gamma": (1.2, "1"),
    "costheta0": (-1 / 3, "1"),
    "A": (7.049556277, "1"),
    "B": (0.6022245584, "1"),
    "p": (4.0, "1"),
    "q": (0.0, "1"),
}


def make_structure(positions: np.ndarray, **more: object) -> Structure:
    n = len(positions)
    fields: dict[str, object] = {
        "positions": positions,
        "types": ("Si",) * n,
        "numbers": np.full(n, 14),
        "cell": np.zeros((3, 3)),
        "pbc": np.zeros(3, dtype=bool),
        "masses": np.full(n, 28.085),
        "fixed": np.zeros((n, 3), dtype=bool),
        "path": "inputs/case/structure.extxyz",
        "sha256": "ab" * 32,
        "reader": "ase",
    }
    return Structure(**(fields | more))  # type: ignore[arg-type]


def decaying_response(positions: np.ndarray, center: np.ndarray, strengths: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """Displacements away from a defect that fall off with the square of the distance, shape=(p, n, 3), without net translation."""
    away = positions - center
    if cell.any():
        fractional = np.linalg.solve(cell.T, away.T).T
        away = (fractional - np.round(fractional)) @ cell
    distance = np.linalg.norm(away, axis=1)
    field = away / (distance**3 + 2.0)[:, None] * np.cos(0.7 * distance)[:, None]
    response = strengths[:, None, None] * (field - field.mean(axis=0))
    return np.asarray(response)


def norms(response: np.ndarray, exists: list[bool]) -> PositionNorm:
    size = np.linalg.norm(response, axis=2)

    def each(values: np.ndarray) -> list[float | None]:
        return [float(v) if there else None for v, there in zip(values, exists, strict=True)]

    atoms = [int(a) if there else None for a, there in zip(size.argmax(axis=1), exists, strict=True)]
    flat = response.reshape(len(response), -1)
    return PositionNorm(
        l1=each(np.abs(flat).sum(axis=1)), l2=each(np.linalg.norm(flat, axis=1)), max=each(size.max(axis=1)), max_atom=atoms
    )


def make_observable(
    name: str, unit: str, value: np.ndarray | float, values: np.ndarray, exists: list[bool], rng: np.random.Generator
) -> ObservableInfo:
    """Direct and relaxation parts at random; null where a parameter has no derivative, logarithmic null where the value is zero."""
    shape = np.shape(value)
    direct, relaxation = rng.normal(size=(2, len(values), *shape))
    total = direct + relaxation
    scale = values.reshape(-1, *[1] * len(shape))
    logarithmic = scale * total / np.where(np.asarray(value) == 0, 1.0, value)

    def entries(array: np.ndarray, hidden: np.ndarray | None = None) -> list[object]:
        whole = array.astype(object)
        if hidden is not None:
            whole[:, hidden] = None
        return [(entry.tolist() if shape else entry) if there else None for entry, there in zip(whole, exists, strict=True)]

    zero = np.asarray(value) == 0
    if not shape:
        logs = [None if bool(zero) or not there else float(v) for v, there in zip(logarithmic, exists, strict=True)]
        parts = [[float(v) if there else None for v, there in zip(a, exists, strict=True)] for a in (direct, relaxation, total)]
        return ObservableInfo(
            name=name,
            unit=unit,
            value=float(value),
            direct=parts[0],
            relaxation=parts[1],
            total=parts[2],
            logarithmic=logs,  # type: ignore[arg-type]
        )
    return ObservableInfo(
        name=name,
        unit=unit,
        value=np.asarray(value).tolist(),
        direct=entries(direct),  # type: ignore[arg-type]
        relaxation=entries(relaxation),  # type: ignore[arg-type]
        total=entries(total),  # type: ignore[arg-type]
        logarithmic=entries(logarithmic, zero),  # type: ignore[arg-type]
    )


def make_result(
    structure: Structure,
    parameters: dict[str, tuple[float, str]],
    observables: list[tuple[str, str, np.ndarray | float]],
    *,
    name: str,
    center: np.ndarray,
    missing: tuple[str, ...] = (),
    units: str = "metal",
    force_field: str = "Silicon",
    status: str = "minimum",
    warnings: tuple[str, ...] = (),
    seed: int = 3,
) -> Result:
    rng = np.random.default_rng(seed)
    values = np.array([value for value, _ in parameters.values()])
    exists = [parameter not in missing for parameter in parameters]
    strengths = rng.normal(size=len(values)) * np.array(exists) / np.maximum(np.abs(values), 0.3)
    positions = structure.positions + 0.02 * rng.normal(size=structure.positions.shape) * (np.ptp(structure.positions, axis=0) > 0)
    response = decaying_response(positions, center, strengths, structure.cell)
    reduced = units == "reduced"
    first = next(iter(parameters))
    document = ResultDocument(
        status=status,
        message="",
        structure=StructureInfo(
            path=structure.path,
            sha256=structure.sha256,
            formula=structure.formula,
            atoms=structure.size,
            periodic=[bool(flag) for flag in structure.pbc],
        ),
        force_field=ForceFieldInfo(path="inputs/case/force_field.toml", sha256="cd" * 32, name=force_field, units=units),
        equilibrium=EquilibriumInfo(
            energy=-4.336 * structure.size + 2.731234567891,
            energy_unit="reduced" if reduced else "eV",
            max_force=3.14e-11,
            force_unit="reduced" if reduced else "eV/Å",
            steps=42,
            force_evaluations=51,
            zero_modes=3 if structure.pbc.any() else 6,
            lowest_eigenvalue=0.4321 if status == "minimum" else -0.0123,
            minimizer="lbfgs, then newton",
            rattlers=2 if reduced else 0,
            hessian_products=118,
        ),
        position_norm=norms(response, exists),
        parameters=[ParameterInfo(name=parameter, value=value, unit=unit) for parameter, (value, unit) in parameters.items()],
        observables=[make_observable(*observable, values, exists, rng) for observable in observables],
        certificate=CertificateInfo(
            mode="forward",
            solver="cg",
            relative_residual=4.2e-13,
            iterations=58,
            force_residual=3.14e-11,
            error_estimate=6.3e-12,
            finite_differences=[
                FiniteDifference(direction="random direction over all parameters", relative_error=3.1e-9, step=1e-4, own_error=2e-9),
                FiniteDifference(parameter=first, relative_error=8.4e-10, step=1e-4, own_error=6e-10),
                FiniteDifference(parameter=list(parameters)[-1], relative_error=None, reason="contacts change within the smallest step"),
            ],
            warnings=list(warnings),
            passed=True,
            kink_distance=0.0123,
            reason="10 parameters, fewer than observables",
        ),
        timings=Timings(minimize_s=1.23, differentiate_s=0.456, total_s=2.1),
        provenance=ProvenanceInfo(
            versions={"md_sensitivity": "0.1.0", "jax": "0.10.1", "numpy": "2.4.6"},
            options={"fmax": 1e-8, "max_steps": 10000, "check": 1, "parameters": [], "strict": False, "relax_cell": None},
            device="cpu",
            precision="double",
        ),
    )
    arrays = {
        "positions": positions,
        "cell": np.asarray(structure.cell, dtype=float),
        "numbers": np.asarray(structure.numbers),
        "parameter_names": np.array(list(parameters)),
        "parameter_values": values,
        "dpositions": response,
    }
    return Result(name=name, document=document, arrays=arrays, structure=structure)


@pytest.fixture(scope="session")
def silicon() -> Make:
    """An interstitial in diamond silicon, periodic, Stillinger–Weber, one parameter at its bound without derivative."""

    def make(cells: int = 3, **more: object) -> Result:
        a = 5.431
        base = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0], [1, 1, 1], [1, 3, 3], [3, 1, 3], [3, 3, 1]]) / 4
        corners = np.array([[i, j, k] for i in range(cells) for j in range(cells) for k in range(cells)])
        lattice = (corners[:, None] + base[None]).reshape(-1, 3) * a
        center = a * np.array([cells / 2, cells / 2, cells / 2]) + a * np.array([0.5, 0.5, 0.5]) * 0.99
        positions = np.concatenate([lattice, [center]])
        structure = make_structure(positions, cell=np.eye(3) * a * cells, pbc=np.ones(3, dtype=bool))
        parameters = {f"stillinger_weber.Si-Si-Si.{key}": value for key, value in SILICON.items()}
        observables = [
            ("energy", "eV", -938.2),
            ("pressure", "GPa", 0.713),
            ("stress", "GPa", np.array([-0.7, -0.7, -0.7, 0.02, 0.0, 0.01])),
        ]
        options = {"name": "silicon_interstitial", "missing": ("stillinger_weber.Si-Si-Si.q",)} | more
        return make_result(structure, parameters, observables, center=center, **options)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def peptide() -> Make:
    """A helix with residue names and bonds, not periodic."""

    def make(residues: int = 24, **more: object) -> Result:
        names, atoms, numbers, residue_numbers, positions, bonds = [], [], [], [], [], []
        kinds = ("ALA", "GLY", "LYS", "LEU", "SER", "GLU")
        for r in range(residues):
            for k, (atom, z, radius, rise) in enumerate(
                (("N", 7, 1.6, 0.0), ("CA", 6, 2.3, 0.9), ("C", 6, 1.7, 1.2), ("O", 8, 2.0, 2.3), ("CB", 6, 3.4, 0.7))
            ):
                turn = np.deg2rad(100 * r + 22 * k)
                positions.append((radius * np.cos(turn), radius * np.sin(turn), 1.5 * r + rise))
                names.append(kinds[r % len(kinds)])
                atoms.append(atom)
                numbers.append(z)
                residue_numbers.append(r + 1)
            start = 5 * r
            bonds += [(start, start + 1), (start + 1, start + 2), (start + 2, start + 3), (start + 1, start + 4)]
            if r:
                bonds.append((start - 3, start))
        n = len(positions)
        structure = make_structure(
            np.array(positions),
            types=tuple(f"type_{atom}" for atom in atoms),
            numbers=np.array(numbers),
            masses=np.linspace(1, 16, n),
            bonds=np.array(bonds),
            atom_names=tuple(atoms),
            residue_names=tuple(names),
            residue_numbers=tuple(residue_numbers),
            chain_names=("A",) * n,
            reader="mdtraj",
            notes=("atom 7: two alternate locations; the first was taken",),
        )
        parameters = {
            f"lennard_jones.type_{a}.{key}": v
            for a in ("N", "CA", "C", "O", "CB")
            for key, v in (("epsilon", (0.11, "kcal/mol")), ("sigma", (3.2, "Å")))
        }
        parameters["harmonic_bond.type_N-type_CA.k"] = (337.0, "kcal/mol/Å²")
        observables = [("energy", "eV", -12.34), ("radius_of_gyration", "Å", 11.2), ("distance:1-101", "Å", 30.1), ("rmsd", "Å", 0.12)]
        options = {"name": "helix", "units": "real", "force_field": "Toy protein"} | more
        return make_result(structure, parameters, observables, center=np.array([2.0, 0.0, 20.0]), **options)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def dipeptide(peptide: Make) -> Make:
    """Long names as AMBER's files in OpenMM have them, and plain numbers among parameters and observables."""

    def make(**more: object) -> Result:
        helix = peptide(4).structure
        parameters = {name: (1.9, "rad") for name in LONG_NAMES} | {"Coulomb.scale14": (0.8333, "1"), "Coulomb.ACE:O.q": (-0.5679, "e")}
        observables = [("hydrogen_bonds", "1", 0.0188177), ("dihedral:4-6-8-14", "degrees", -150.20039), ("energy", "eV", -1.4516928)]
        options = {"name": "dipeptide", "units": "openmm", "force_field": "amber14"} | more
        return make_result(helix, parameters, observables, center=np.array([2.0, 0.0, 3.0]), **options)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def packing() -> Make:
    """Soft discs in two dimensions, reduced units, two types."""

    def make(side: int = 14, **more: object) -> Result:
        rng = np.random.default_rng(1)
        grid = np.array([[i + 0.5 * (j % 2), 0.87 * j, 0.0] for i in range(side) for j in range(side)])
        positions = grid + 0.12 * rng.normal(size=grid.shape) * (1, 1, 0)
        n = len(positions)
        structure = make_structure(
            positions,
            types=tuple("AB"[i % 2] for i in range(n)),
            numbers=np.zeros(n, dtype=int),
            masses=np.ones(n),
            cell=np.diag([float(side), 0.87 * side, 1.0]),
            pbc=np.array([True, True, False]),
        )
        parameters = {f"soft_sphere.{t}.{key}": (v, "reduced") for t in ("A", "B") for key, v in (("epsilon", 1.0), ("sigma", 1.1))}
        options = {"name": "soft_sphere_packing", "units": "reduced", "force_field": "Soft discs"} | more
        return make_result(
            structure,
            parameters,
            [("energy", "reduced", 0.0123), ("pressure", "reduced", 0.21)],
            center=np.array([4.0, 5.0, 0.0]),
            **options,
        )  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def failed() -> Make:
    """An analysis that stopped during minimization."""

    def make(name: str = "overlap") -> Result:
        structure = make_structure(np.array([[0.0, 0, 0], [0.1, 0, 0]]))
        document = ResultDocument(
            status="failed",
            message="the energy became infinite in step 3: atoms 0 and 1 are 0.1 Å apart; move them apart or remove one",
            structure=StructureInfo(path=structure.path, sha256=structure.sha256, formula="Si2", atoms=2, periodic=[False] * 3),
            force_field=ForceFieldInfo(path="force_field.toml", sha256="cd" * 32, name="Silicon", units="metal"),
            equilibrium=None,
            position_norm=None,
            parameters=[],
            observables=[],
            certificate=None,
            timings=Timings(minimize_s=0.1, differentiate_s=0.0, total_s=0.1),
        )
        return Result(name=name, document=document, arrays={}, structure=structure)

    return make


@pytest.fixture(scope="session", params=["silicon", "peptide", "packing", "failed"])
def result(request: pytest.FixtureRequest) -> Result:
    """Each kind of result once."""
    made: Result = request.getfixturevalue(request.param)()
    return made
