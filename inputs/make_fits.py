"""Make the worked cases of fits, deterministically: `python inputs/make_fits.py [FOLDER]`. Needs numpy and the oracle data in `tests/`,
for ethanol_fit also scipy and OpenMM.

Structures are written unrelaxed. The values of the targets come from closed forms, from LAMMPS and from OpenMM, never from this program.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from make_structures import extxyz, rattle

HERE = Path(__file__).parent
GOLDEN = (1 + 5**0.5) / 2

# For each cluster: how many pairs there are at c times the shortest distance, (number, c).
ICOSAHEDRON_EDGE = 4 / (10 + 2 * 5**0.5) ** 0.5
SHELLS = {
    "trimer": ((3, 1.0),),
    "octahedron": ((12, 1.0), (3, 2**0.5)),
    "icosahedron": ((12, 1.0), (30, ICOSAHEDRON_EDGE), (30, ICOSAHEDRON_EDGE * GOLDEN), (6, 2.0)),
}


def closed_form(shells: tuple[tuple[int, float], ...]) -> tuple[float, float]:
    """Energy [ε] and shortest distance [σ] of a Lennard-Jones cluster whose shape has one length d.

    E = 4 (a d⁻¹² − b d⁻⁶) with a = Σ m c⁻¹² and b = Σ m c⁻⁶ is lowest at d⁶ = 2a/b, where E = −b²/a.
    """
    a = sum(m * c**-12 for m, c in shells)
    b = sum(m * c**-6 for m, c in shells)
    return -(b**2) / a, (2 * a / b) ** (1 / 6)


def cluster(name: str) -> np.ndarray:
    """Corners at the shortest distance of one, the center of the icosahedron first."""
    if name == "trimer":
        return np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.75**0.5, 0.0]])
    if name == "octahedron":
        return np.concatenate([np.eye(3), -np.eye(3)]) / 2**0.5
    corners = [np.roll([0.0, s, t * GOLDEN], k) for k in range(3) for s in (1, -1) for t in (1, -1)]
    return np.concatenate([np.zeros((1, 3)), np.array(corners) / np.hypot(1, GOLDEN)])


def target(**keys: object) -> str:
    """One [[target]] table; numbers with full precision."""
    lines = ["", "[[target]]"]
    for key, value in keys.items():
        lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join(lines) + "\n"


def lj_fit(folder: Path) -> None:
    """Three rattled clusters; energies, and one length of each, in closed form with σ = ε = 1."""
    study = '# Recover the parameters of Lennard-Jones from three relaxed clusters; see README.md.\n\nforce_field = "force_field.toml"\n'
    for seed, (name, shells) in enumerate(SHELLS.items()):
        energy, distance = closed_form(shells)
        positions = rattle(1.15 * cluster(name), 0.04, seed)
        (folder / f"{name}.xyz").write_text(extxyz(["Ar"] * len(positions), positions, None, "F F F"))
        study += target(structure=f"{name}.xyz", observable="energy", value=energy, std=0.01)
        if name == "icosahedron":
            study += target(structure=f"{name}.xyz", observable="radius_of_gyration", value=distance * (12 / 13) ** 0.5, std=0.005)
        else:
            far = 1 if name == "trimer" else 2  # of the octahedron's corners 0 and 3 are opposite, all others are neighbors of 0
            study += target(structure=f"{name}.xyz", observable=f"distance:0-{far}", value=distance, std=0.005)
    (folder / "study.toml").write_text(study)


SILICON = {"epsilon": 2.0, "sigma": 2.12, "a": 1.8, "lambda": 23.0, "gamma": 1.15, "costheta0": -0.31}
"""Where the fit starts; the targets are LAMMPS's with 2.1683, 2.0951, 1.8, 21, 1.2, -1/3."""
FIXED = {"A": 7.049556277, "B": 0.6022245584, "p": 4.0, "q": 0.0}
GPA = 160.2176634
"""One eV/Å³."""


def silicon_fit(folder: Path) -> None:
    """Energy, pressure and positions of the relaxed interstitial, and forces in a rattled crystal, all by LAMMPS."""
    oracles = HERE.parent / "tests" / "oracles"
    relaxed, rattled = oracles / "relaxed" / "silicon_interstitial", oracles / "static" / "sw_orthogonal_64"
    answer = json.loads((relaxed / "reference.json").read_text())
    positions = np.load(relaxed / "reference.npz")["positions"]
    (folder / "relaxed.extxyz").write_text(extxyz(["Si"] * len(positions), positions, np.eye(3) * 3 * 5.430949778462, "T T T"))
    static = json.loads((rattled / "reference.json").read_text())
    head, *atoms = (rattled / "structure.extxyz").read_text().splitlines()[1:]
    lines = [f"{line} {' '.join(repr(f) for f in force)}" for line, force in zip(atoms, static["forces"], strict=True)]
    text = "\n".join([str(len(atoms)), head.replace("pos:R:3", "pos:R:3:forces:R:3"), *lines])
    (folder / "rattled.extxyz").write_text(text + "\n")
    study = "# Stillinger-Weber silicon from a relaxed interstitial and from forces; see README.md.\n\n"
    study += 'force_field = "force_field.toml"\n'
    start = "relaxed.extxyz"
    pressure = sum(answer["virial"][:3]) / (3 * answer["volume"]) * GPA
    study += target(structure=start, observable="energy", value=answer["energy"], std=0.05)
    study += target(structure=start, observable="pressure", value=pressure, std=0.05)
    study += target(structure=start, observable="positions", std=0.02)
    study += target(structure="rattled.extxyz", observable="energy", value=static["energy"], std=0.05, relaxed=False)
    study += target(structure="rattled.extxyz", observable="forces", file="rattled.extxyz", std=0.05, relaxed=False)
    (folder / "study.toml").write_text(study)
    field = 'name = "Stillinger-Weber silicon"\nreference = "doi:10.1103/PhysRevB.31.5262"\nunits = "metal"\n\n[[potential]]\n'
    field += 'style = "stillinger_weber"\n[potential.parameters.Si-Si-Si]\n'
    field += "".join(f"{name} = {value}\n" for name, value in SILICON.items())
    field += "".join(f"{name} = {{ value = {value}, fixed = true }}\n" for name, value in FIXED.items())
    (folder / "force_field.toml").write_text(field)


ETHANOL = HERE / "ethanol"
START = {
    "Coulomb.opls_155.q": 0.38,
    "FourierTorsion.CT-CT-OH-HO.F1": -0.5,
    "FourierTorsion.CT-CT-OH-HO.F3": 1.5,
}
"""Where the fit starts; the targets are OpenMM's with the numbers of `ethanol/force_field.top`: 0.418, -1.489504, 2.058528."""
NEUTRAL = "-(opls_135.q + 3 * opls_140.q + opls_157.q + 2 * opls_156.q + opls_155.q)"
"""Charge of the oxygen."""


def placed(lines: list[str], positions: np.ndarray) -> str:
    """A .gro file with other positions [nm]."""
    atoms = [f"{line[:20]}{x:9.4f}{y:9.4f}{z:9.4f}" for line, (x, y, z) in zip(lines[2:-1], positions, strict=True)]
    return "\n".join(["Ethanol, trans; all atoms but the last as in ../ethanol", lines[1], *atoms, lines[-1]]) + "\n"


def turned_about(positions: np.ndarray, chain: tuple[int, int, int, int], angle: float) -> np.ndarray:
    """The last atom of a chain of four at another dihedral angle [rad]."""
    _, b, c, d = positions[list(chain)]
    axis = (c - b) / np.linalg.norm(c - b)
    turn = angle - dihedral(positions, chain)
    arm = d - c
    arm = arm * np.cos(turn) + np.cross(axis, arm) * np.sin(turn) + axis * (axis @ arm) * (1 - np.cos(turn))
    found = positions.copy()
    found[chain[-1]] = c + arm
    return found


def dihedral(positions: np.ndarray, chain: tuple[int, int, int, int]) -> float:
    """Angle [rad] between the planes of a chain of four."""
    first, axis, last = np.diff(positions[list(chain)], axis=0)
    m, n = np.cross(first, axis), np.cross(axis, last)
    return float(np.arctan2(np.linalg.norm(axis) * (first @ n), m @ n))


def openmm_ethanol() -> tuple[Callable[[np.ndarray], tuple[float, np.ndarray]], np.ndarray]:
    """Positions [nm] → energy [kJ/mol] and forces of `ethanol/force_field.top` by OpenMM; and the charges [e]."""
    import openmm
    from openmm import app, unit

    system = app.GromacsTopFile(str(ETHANOL / "force_field.top")).createSystem(nonbondedMethod=app.NoCutoff)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference"))
    kilojoule = unit.kilojoule_per_mole

    def energy_and_forces(positions: np.ndarray) -> tuple[float, np.ndarray]:
        context.setPositions(positions)
        state = context.getState(getEnergy=True, getForces=True)
        forces = state.getForces(asNumpy=True).value_in_unit(kilojoule / unit.nanometer)
        return state.getPotentialEnergy().value_in_unit(kilojoule), forces

    (nonbonded,) = (force for force in system.getForces() if isinstance(force, openmm.NonbondedForce))
    charges = [nonbonded.getParticleParameters(i)[0].value_in_unit(unit.elementary_charge) for i in range(system.getNumParticles())]
    return energy_and_forces, np.array(charges)


def relaxed(energy_and_forces: Callable[[np.ndarray], tuple[float, np.ndarray]], positions: np.ndarray) -> np.ndarray:
    """The minimum: by L-BFGS, then by Newton's method with differences of forces."""
    from scipy.optimize import minimize

    def of(x: np.ndarray) -> tuple[float, np.ndarray]:
        energy, forces = energy_and_forces(x.reshape(-1, 3))
        return energy, -forces.ravel()

    x = minimize(of, positions.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 5000, "gtol": 1e-6, "ftol": 0.0}).x
    for _ in range(4):
        steps = 1e-5 * np.eye(len(x))
        hessian = np.array([(of(x + step)[1] - of(x - step)[1]) / 2e-5 for step in steps])
        values, vectors = np.linalg.eigh(0.5 * (hessian + hessian.T))
        inner = vectors[:, 6:]     # without translations and rotations
        x = x - inner @ ((inner.T @ of(x)[1]) / values[6:])
    return x.reshape(-1, 3)


def ethanol_fit(folder: Path) -> None:
    """Charges and a torsion of ethanol from its two conformers, by OpenMM."""
    lines = (ETHANOL / "structure.gro").read_text().splitlines()
    gauche = np.array([line.split()[3:] for line in lines[2:-1]], dtype=np.float64)
    chain = (0, 4, 7, 8)
    (folder / "trans.gro").write_text(placed(lines, turned_about(gauche, chain, np.pi)))
    energy_and_forces, charges = openmm_ethanol()
    start = {"../ethanol/structure.gro": gauche, "trans.gro": turned_about(gauche, chain, np.pi)}
    minima = {name: relaxed(energy_and_forces, positions) for name, positions in start.items()}
    electronvolt = 96.48533212331
    study = "# Charges and a torsion of ethanol, which stays neutral; see README.md.\n\n"
    study += f'force_field = "force_field.toml"\nparameters = {json.dumps(list(START))}\n'
    for name, positions in minima.items():
        dipole = 10.0 * float(np.linalg.norm(charges @ positions))
        study += target(structure=name, observable="dipole", value=dipole, std=0.002)
    names = list(minima)
    first, last = (10.0 * float(np.linalg.norm(x[0] - x[8])) for x in minima.values())
    study += target(structure=names[0], observable="dihedral:0-4-7-8", value=float(np.degrees(dihedral(minima[names[0]], chain))), std=0.1)
    study += target(structure=names[0], observable="distance:0-8", value=first, std=0.005)
    study += target(structure=names[1], observable="distance:0-8", value=last, std=0.005)
    energies = [energy_and_forces(positions)[0] / electronvolt for positions in minima.values()]
    study += target(structure=names[1], observable="energy", value=energies[1] - energies[0], std=0.0005, relative_to=names[0])
    (folder / "study.toml").write_text(study)
    field = "# OPLS-AA of ../ethanol with other numbers to start from. The oxygen takes what keeps the molecule neutral.\n\n"
    field += '[molecules]\nfiles = ["../ethanol/force_field.top"]\n\n[parameters]\n'
    field += "".join(f'"{name}" = {value}\n' for name, value in START.items())
    field += f'"Coulomb.opls_154.q" = {{ expression = "{NEUTRAL}" }}\n'
    (folder / "force_field.toml").write_text(field)


if __name__ == "__main__":
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    for case in (lj_fit, silicon_fit, ethanol_fit):
        folder = root / case.__name__
        folder.mkdir(parents=True, exist_ok=True)
        case(folder)
