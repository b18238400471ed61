"""`md-sensitivity init`: an example to start from."""

from __future__ import annotations

from pathlib import Path

import click

from md_sensitivity.errors import UsageError

FORCE_FIELD = """\
# Lennard-Jones argon: an example of a native force field of md-sensitivity. Change it into yours.

name = "Argon"
reference = "doi:10.1103/PhysRev.136.A405"   # where the values come from
units = "metal"                             # metal (Å, eV) | real (Å, kcal/mol) | gromacs (nm, kJ/mol) | reduced (no units)

# One [[potential]] for each functional form; several add up. `md-sensitivity list potentials` shows them all.
[[potential]]
style = "lennard_jones"
# name = "argon"                            # a label; it starts the names of the parameters. Default: the style
cutoff = 8.5                                # required for periodic structures
truncation = "switch"                       # none | shift | force-shift | switch (smooth to second order from switch_from to cutoff)
switch_from = 7.5
mixing = "lorentz-berthelot"                # none | lorentz-berthelot | geometric | arithmetic; for pairs that are not written out

[potential.parameters.Ar]                   # a species, or a type tuple such as Ar-Kr
sigma = 3.405                               # a number is a free parameter ...
# ... and the long form says more: standard deviation, bounds, or `fixed = true` to leave it out
epsilon = { value = 0.01032, std = 0.0002, bounds = [0, 1] }
"""

LATTICE_CONSTANT, CELLS = 5.26, 3


def example_structure() -> str:
    """Argon, face-centered cubic, with one vacancy: 107 atoms as extended XYZ."""
    corners = ((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))
    cells = [(i, j, k) for i in range(CELLS) for j in range(CELLS) for k in range(CELLS)]
    places = [[LATTICE_CONSTANT * (a + b) for a, b in zip(cell, corner, strict=True)] for cell in cells for corner in corners]
    atoms = places[1:]  # without the first: the vacancy
    edge = LATTICE_CONSTANT * CELLS
    head = f'Lattice="{edge:g} 0 0 0 {edge:g} 0 0 0 {edge:g}" Properties=species:S:1:pos:R:3 pbc="T T T"'
    return "\n".join([str(len(atoms)), head, *(f"Ar {x:.6f} {y:.6f} {z:.6f}" for x, y, z in atoms)]) + "\n"


@click.command()
@click.argument("name")
def init(name: str) -> int:
    """Write an example to start from.

    A commented force field, a small structure and the command to run them, into a new folder NAME.

    \b
    md-sensitivity init argon
    """
    from md_sensitivity.reports.atomic import write_atomic

    folder = Path(name)
    files = {"force_field.toml": FORCE_FIELD, "structure.extxyz": example_structure()}
    there = [each for each in files if (folder / each).exists()]
    if there:
        raise UsageError(f"{folder / there[0]} is there already; choose another name")
    try:
        for each, text in files.items():
            write_atomic(folder / each, text)
    except OSError as error:
        raise UsageError(f"cannot write into {folder}: {error.strerror or error}") from None
    click.echo(f"Wrote {', '.join(str(folder / each) for each in files)}. Now run:", err=True)
    structure, force_field = (_quoted(folder / each) for each in ("structure.extxyz", "force_field.toml"))
    output = _quoted(Path("outputs") / (folder.name or "example"))
    click.echo(f"md-sensitivity analyze {structure} -f {force_field} -o {output}")
    return 0


def _quoted(path: Path) -> str:
    import shlex

    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
