"""Plant known faults in a copy of the package, one at a time, and demand that the tests notice each.

    python scripts/mutants.py                  # all of them: a table; exit 1 if any fault survives, 2 if one cannot be planted
    python scripts/mutants.py --only NAME      # one (repeatable)
    python scripts/mutants.py --list           # what there is

Run it with the interpreter of the environment that runs the tests (`.venv/bin/python`). Each fault is a piece of source text that
occurs exactly once in its file, what to put there, and the tests that must turn red. The copy (package, tests, settings) lives in a
temporary folder that stands first on the import path; the working tree is never touched. The same tests must be green in a copy
without a fault, or the answer would mean nothing. A new fault is one more entry of `MUTANTS`;
`tests/analysis/test_mutants_can_be_planted.py` keeps the texts in step with the source.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("md_sensitivity", "tests", "inputs", "scripts", "pyproject.toml", "README.md")

RESPONSES = "tests/implicit/test_equilibrium_responses.py"
RELAXED = "tests/implicit/test_relaxed_positions.py"
FROZEN = "tests/energy/test_nothing_is_frozen.py"
DERIVATIVES = "tests/energy/test_derivatives.py"
SOLVERS = "tests/curvature/test_linear_solvers.py"
OPERATORS = "tests/curvature/test_hessian_operators.py"
ZERO_MODES = "tests/curvature/test_zero_modes.py"
SCALING = "tests/energy/test_scaling_and_units.py"
STATUS = "tests/minimization/test_honest_status.py"
DIMER = f"{RESPONSES}::test_a_dimer_stretches_with_sigma_alone"
CERTIFICATES = "tests/analysis/test_certificates.py"


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One fault: `old` becomes `new` in `file`, and at least one of `tests` (pytest arguments) must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        name="wrong sign of the mixed derivative",
        file="md_sensitivity/curvature/products.py",
        old="return jax.jvp(lambda theta: gradient(energy, x, theta), (theta,), (theta_dot,))[1]",
        new="return jax.tree.map(jnp.negative, jax.jvp(lambda theta: gradient(energy, x, theta), (theta,), (theta_dot,))[1])",
        tests=(DIMER,),
    ),
    Mutant(
        name="wrong sign of the right-hand side",
        file="md_sensitivity/implicit/equilibrium.py",
        old="return -in_batches(lambda d: ravel_pytree(mixed_product(",
        new="return in_batches(lambda d: ravel_pytree(mixed_product(",
        tests=(DIMER,),
    ),
    Mutant(
        name="wrong sign of the adjoint",
        file="md_sensitivity/implicit/equilibrium.py",
        old="jax.tree.map(jnp.negative, mixed_adjoint(energy, x, theta, unravel(u)))",
        new="mixed_adjoint(energy, x, theta, unravel(u))",
        tests=(f"{RESPONSES}::test_a_harmonic_bond_under_a_force_yields_as_hooke_says",),
    ),
    Mutant(
        name="no projection in reverse mode",
        file="md_sensitivity/implicit/relaxed.py",
        old="return x, unravel(project(response) * sound)",
        new="return x, unravel(response * sound)",
        tests=(f"{RELAXED}::test_one_atoms_coordinate_alone_has_the_same_gradient_in_reverse_as_forward",),
    ),
    Mutant(
        name="no projection in the adjoint",
        file="md_sensitivity/implicit/eigenvalues.py",
        old=(
            "    b = jax.vmap(project)(b)\n    size = jnp.linalg.norm(b, axis=1)\n"
            "    scale = jnp.where(size == 0, 1.0, size)\n\n    def improved"
        ),
        new="    size = jnp.linalg.norm(b, axis=1)\n    scale = jnp.where(size == 0, 1.0, size)\n\n    def improved",
        tests=(f"{RESPONSES}::test_forward_and_adjoint_are_transposes_of_each_other[morse-cluster]",),
    ),
    Mutant(
        name="shift frozen at build time",
        file="md_sensitivity/kernels.py",
        old="            found = found - ends[0]\n",
        new="            found = found - jax.lax.stop_gradient(ends[0])\n",
        tests=(f"{CERTIFICATES}::test_a_spot_check_catches_what_was_frozen_at_build_time[shift]",),
    ),
    Mutant(
        name="range frozen at build time",
        file="md_sensitivity/potentials/stillinger_weber.py",
        old='screening(r, pair["a"] * pair["sigma"], pair["sigma"])',
        new='screening(r, jax.lax.stop_gradient(pair["a"] * pair["sigma"]), pair["sigma"])',
        tests=(DERIVATIVES, SCALING),
    ),
    Mutant(
        name="mixing frozen at build time",
        file="md_sensitivity/bound.py",
        old="mixed = means[name](own[:, None], own[None, :])",
        new="mixed = jax.lax.stop_gradient(means[name](own[:, None], own[None, :]))",
        tests=(DERIVATIVES, f"{RELAXED}::test_derivatives_with_the_length_scale_are_closed_forms_to_second_order"),
    ),
    Mutant(
        name="pairs counted twice",
        file="md_sensitivity/kernels.py",
        old="return 0.5 * jnp.sum(over_rows(energy, term, table, rows, space))",
        new="return jnp.sum(over_rows(energy, term, table, rows, space))",
        tests=("tests/energy/test_energies_agree_with_lammps.py", DIMER),
    ),
    Mutant(
        name="transposed cell",
        file="md_sensitivity/neighbors.py",
        old="shift=image.astype(np.float64) @ cell,",
        new="shift=image.astype(np.float64) @ cell.T,",
        tests=("tests/energy/test_energies_agree_with_lammps.py",),
    ),
    Mutant(
        name="reverse edges missing in the gather",
        file="md_sensitivity/kernels.py",
        old="sum_entries(*(take(flat[c], opposite) - own[c] for c in range(3)))",
        new="sum_entries(*(-2.0 * own[c] for c in range(3)))",
        tests=(DERIVATIVES,),
    ),
    Mutant(
        name="contacts of rattlers left in",
        file="md_sensitivity/tables.py",
        old="index=xp.where(gone[:, None] | everywhere[table.index], own, table.index)",
        new="index=table.index",
        tests=(f"{RESPONSES}::test_rattlers_that_barely_touch_have_no_say", f"{ZERO_MODES}::test_each_rattler_adds_its_translations"),
    ),
    Mutant(
        name="residual not recomputed",
        file="md_sensitivity/curvature/solvers/base.py",
        old="error = jnp.linalg.norm(b - exact(operator)(value), axis=1)",
        new="error = jnp.zeros_like(size)",
        tests=(SOLVERS,),
    ),
    Mutant(
        name="stored blocks with two components exchanged",
        file="md_sensitivity/voigt.py",
        old="PLACES = ((0, 5, 4), (5, 1, 3), (4, 3, 2))",
        new="PLACES = ((0, 3, 4), (3, 1, 5), (4, 5, 2))",
        tests=(f"{OPERATORS}::test_stored_blocks_are_the_derivative_of_the_gradient",),
    ),
    Mutant(
        name="stored blocks without the radial part",
        file="md_sensitivity/stored/pairs.py",
        old="along = [radial + axial * d[c] * d[c] for c in range(3)]",
        new="along = [axial * d[c] * d[c] for c in range(3)]",
        tests=(f"{OPERATORS}::test_stored_blocks_are_the_derivative_of_the_gradient",),
    ),
    Mutant(
        name="environments that do not pull back",
        file="md_sensitivity/stored/environments.py",
        old="moved = take(y, self.reverse) - y.reshape(rows, -1, 3, p)",
        new="moved = -2.0 * y.reshape(rows, -1, 3, p)",
        tests=(f"{OPERATORS}::test_stored_blocks_are_the_derivative_of_the_gradient",),
    ),
    Mutant(
        name="springs between neighbors of an environment forgotten",
        file="md_sensitivity/stored/environments.py",
        old="-k.reshape(count, -1, 3, 3)]",
        new="0.0 * k.reshape(count, -1, 3, 3)]",
        tests=("tests/curvature/test_lattice.py",),
    ),
    Mutant(
        name="a coarse space that moves frozen atoms",
        file="md_sensitivity/curvature/coarse.py",
        old="return r * self.scale + lifted.reshape(p, -1) * self.free",
        new="return r * self.scale + lifted.reshape(p, -1)",
        tests=(OPERATORS,),
    ),
    Mutant(
        name="an average crystal that moves frozen atoms",
        file="md_sensitivity/curvature/lattice.py",
        old="return found.reshape(r.shape) * free + ",
        new="return found.reshape(r.shape) + ",
        tests=("tests/curvature/test_lattice.py",),
    ),
    Mutant(
        name="an average crystal of the wrong stiffness",
        file="md_sensitivity/curvature/lattice.py",
        old="return [spring.sum() - np.fft.rfftn(spring.reshape(shape)).real for spring in total]",
        new="return [spring.sum() - 0.9 * np.fft.rfftn(spring.reshape(shape)).real for spring in total]",
        tests=("tests/curvature/test_lattice.py",),
    ),
    Mutant(
        name="tangents of sums forgotten",
        file="md_sensitivity/reduction.py",
        old="        results[k] = tangent\n",
        new="        results[k] = 0.0 * tangent\n",
        tests=("tests/energy/test_sums_over_entries.py",),
    ),
    Mutant(
        name="zero eigenvalues inverted",
        file="md_sensitivity/curvature/solvers/dense.py",
        old="zero = jnp.abs(eigenvalues) <= cutoff",
        new="zero = jnp.abs(eigenvalues) < 0 * cutoff",
        tests=(SOLVERS,),
    ),
    Mutant(
        name="negative curvature ignored",
        file="md_sensitivity/curvature/solvers/cg.py",
        old="negative = s.active & ~(curvature > 0)",
        new="negative = s.active & (curvature == 0)",
        tests=(SOLVERS,),
    ),
    Mutant(
        name="rotations are no zero modes",
        file="md_sensitivity/curvature/zero_modes.py",
        old="    allowed[sizes == 1, 3:] = 0.0  # a point does not turn\n",
        new="    allowed[:, 3:] = 0.0\n",
        tests=(ZERO_MODES,),
    ),
    Mutant(
        name="stress not symmetrized",
        file="md_sensitivity/observables/stress.py",
        old="strained_along(energy, x, theta, direction))(jnp",
        new="strained_along(energy, x, theta, jnp.tril(direction)))(jnp",
        tests=("tests/equilibria/test_responses_agree_with_lammps.py::test_energy_and_stress_respond_as_in_lammps",),
    ),
    Mutant(
        name="wrong Voigt order",
        file="md_sensitivity/voigt.py",
        old="VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))",
        new="VOIGT = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))",
        tests=("tests/equilibria/test_responses_agree_with_lammps.py::test_energy_and_stress_respond_as_in_lammps",),
    ),
    Mutant(
        name="unit factor forgotten",
        file="md_sensitivity/building.py",
        old="name: np.float64(units.factor(spec.energy, spec.length, spec.angle)) for name",
        new="name: np.float64(1.0) for name",
        tests=(SCALING,),
    ),
    Mutant(
        name="uphill steps accepted",
        file="md_sensitivity/minimization/lbfgs.py",
        old="lower = energy <= state.energy + 1e-4 * slope",
        new="lower = energy == energy",
        tests=("tests/minimization/test_minimizers.py::test_no_step_is_taken_uphill[lbfgs]",),
    ),
    Mutant(
        name="gradient test left out of the verdict",
        file="md_sensitivity/minimization/minimize.py",
        old="    if max_force > task.fmax:\n        reason",
        new="    if max_force > 1e9 * task.fmax:\n        reason",
        tests=(STATUS, "tests/minimization/test_minimizers.py::test_steps_are_counted_and_limited"),
    ),
    Mutant(
        name="stale neighbors go unnoticed",
        file="md_sensitivity/interactions.py",
        old="return jnp.where(jax.lax.stop_gradient(room(x, strain, theta, terms)) >= 0, 0.0, jnp.nan)",
        new="return jnp.zeros(())",
        tests=(FROZEN,),
    ),
    Mutant(
        name="saddles pass for minima",
        file="md_sensitivity/curvature/spectrum.py",
        old="return self.lowest is None or self.lowest > 0",
        new="return True",
        tests=(STATUS,),
    ),
)


class NotPlantedError(Exception):
    """The text of a fault is not in the source exactly once."""


def planted(source: str, mutant: Mutant) -> str:
    """The source with the fault in it."""
    count = source.count(mutant.old)
    if count != 1:
        raise NotPlantedError(f"{mutant.name}: its text occurs {count} times in {mutant.file}; it must occur exactly once")
    return source.replace(mutant.old, mutant.new)


def copied(folder: Path) -> None:
    """A copy of the package and its tests."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*cache"))
        elif source.exists():
            shutil.copy(source, folder / name)


def passes(folder: Path, tests: tuple[str, ...]) -> bool:
    """Whether all the tests pass in the copy; raises RuntimeError where pytest could not run them."""
    # A cache of its own: jax does not write compiled programs atomically, and other tests may run at the same time.
    own = {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "MD_SENSITIVITY_CACHE": str(folder / "programs")}
    environment = os.environ | own
    check = "import md_sensitivity, sys; sys.exit(not md_sensitivity.__file__.startswith(sys.argv[1]))"
    if subprocess.run([sys.executable, "-c", check, str(folder)], cwd=folder, env=environment, check=False).returncode:
        raise RuntimeError("the copy is not what is imported; an installed package stands before it on the path")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"pytest ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    return done.returncode == 0


def tried(mutant: Mutant, folder: Path, *, control: bool = True) -> str:
    """`caught`, `SURVIVED`, or `TESTS ARE RED ANYWAY`."""
    target = folder / mutant.file
    sound = target.read_text(encoding="utf-8")
    faulty = planted(sound, mutant)
    if control and not passes(folder, mutant.tests):
        return "TESTS ARE RED ANYWAY"
    target.write_text(faulty, encoding="utf-8")
    try:
        return "SURVIVED" if passes(folder, mutant.tests) else "caught"
    finally:
        target.write_text(sound, encoding="utf-8")


def main() -> int:
    """Runs the chosen mutants and prints a table."""
    parser = argparse.ArgumentParser(description="plant known faults and demand that the tests notice each")
    parser.add_argument("--only", action="append", metavar="NAME", help="this one; repeatable")
    parser.add_argument("--list", action="store_true", help="names, files and tests")
    parser.add_argument("--no-control", action="store_true", help="do not first run the tests without the fault")
    options = parser.parse_args()
    unknown = set(options.only or ()) - {mutant.name for mutant in MUTANTS}
    if unknown:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}; --list shows them")
    chosen = [mutant for mutant in MUTANTS if not options.only or mutant.name in options.only]
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name:45s} {mutant.file:50s} {' '.join(mutant.tests)}")
        return 0
    survivors = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name)
        copied(folder)
        for mutant in chosen:
            begun = time.perf_counter()
            try:
                outcome = tried(mutant, folder, control=not options.no_control)
            except (NotPlantedError, RuntimeError) as error:
                print(error, file=sys.stderr)
                return 2
            survivors += outcome != "caught"
            print(f"{mutant.name:45s} {outcome:22s} {time.perf_counter() - begun:6.1f} s", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} faults caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
