"""Ethanol as GROMACS topologies: that of `inputs/`, and one with artificial numbers that uses all kinds of lines."""

from __future__ import annotations

from pathlib import Path

INPUTS = Path(__file__).parent.parent / "inputs" / "ethanol"

TYPES = """
[ atomtypes ]
#ifdef BARE
  c3  12.011 -0.18 A {c3}
  hc   1.008  0.06 A {hc}
#else
  c3  6 12.011 -0.18 A {c3}   ; without bonded type
  hc  1  1.008  0.06 A {hc}
#endif
  c2  c3 12.011 0.145 A {c2}  ; without atomic number
  oh  oh 8 15.9994 -0.683 A {oh}
  ho  ho 1  1.008 0.418 A {ho}

[ bondtypes ]
  c3 c3 1 0.1526 260000.0
  c3 hc 1 0.1090 284512.0
  oh c3 1 0.1410 267776.0

[ angletypes ]
  c3 c3 hc 1 110.7 313.8
  hc c3 hc 1 107.8 276.144
  c3 c3 oh 5 109.5 418.4 0.2390 3000.0
  oh c3 hc 5 109.5 292.88 0.0 0.0
  c3 oh ho 1 108.5 460.24

[ dihedraltypes ]
  X  c3 c3 X  9   0.0 0.65 3
  X  c3 c3 X  9 180.0 0.20 2
  X  c3 oh X  9   0.0 0.70 3
  hc c3 c3 oh 9   0.0 0.50 3      ; two terms, which win over the wildcards
  hc c3 c3 oh 9  10.0 0.25 1
  hc c3 c3 hc 3   0.62 1.88 0.01 -2.51 0.05 -0.02
  c3 c3 oh ho 5  -1.4895 -0.7280 2.0585 0.3
  c3 oh 2 33.0 20.0                ; the outer atoms of an improper

[ pairtypes ]
  hc oh 1 {pair}
"""

MOLECULE = """
#define stiff 0.0945 462750.4
#define twist 5.0 \\
  0.4 1
[ moleculetype ]
  ethanol 3

[ atoms ]
  1 c3 1 EOH C1  1 -0.18 12.011
  2 hc 1 EOH H11 1
  3 hc 1 EOH H12 1
  4 hc 1 EOH H13 1 0.07
  5 c2 1 EOH C2  2
  6 hc 1 EOH H21 2
  7 hc 1 EOH H22 2
  8 oh 1 EOH O   2
  9 ho 1 EOH HO  2

[ bonds ]
  1 2 1
  1 3 1
  1 4 1
  1 5 1
  5 6 1
  5 7 1 0.1085 290000.0
  5 8 1
  8 9 1 stiff

[ angles ]
  2 1 3 1
  2 1 4 1
  3 1 4 1
  2 1 5 1
  3 1 5 1
  4 1 5 1
  1 5 6 1
  1 5 7 1
  1 5 8 5
  6 5 7 1
  6 5 8 5
  7 5 8 5
  5 8 9 1

[ dihedrals ]
  2 1 5 6 3
  2 1 5 7 3 0.1 0.2 0.3 -0.4 0.05 0.02
  2 1 5 8 9
  3 1 5 6 9
  3 1 5 8 9
  4 1 5 7 9
  4 1 5 8 9
  1 5 8 9 5
  6 5 8 9 9
  7 5 8 9 1 twist

[ dihedrals ]
  6 1 8 5 4 180.0 1.5 2
#ifndef PLAIN
  1 6 7 8 2 35.0 40.0
#endif

[ pairs ]
  2 6 1
  2 7 1
  2 8 1
  3 6 1
  3 7 1
  3 8 1
  4 6 1
  4 7 1
  4 8 1
  1 9 1 {own}
  6 9 1
  7 9 1
"""

NUMBERS = {
    "c3": (0.35, 0.276), "hc": (0.25, 0.126), "c2": (0.34, 0.3), "oh": (0.312, 0.711), "ho": (0.1, 0.02), "pair": (0.27, 0.15),
    "own": (0.22, 0.1),
}  # fmt: skip
"""σ [nm] and ε [kJ/mol]."""


def written(folder: Path, rule: int = 2, *, define: str = "", after: str = "") -> Path:
    """The artificial topology, its force field in a file of its own."""
    numbers = {}
    for name, (sigma, epsilon) in NUMBERS.items():
        given = (4 * epsilon * sigma**6, 4 * epsilon * sigma**12) if rule == 1 else (sigma, epsilon)
        numbers[name] = " ".join(map(repr, given))
    (folder / "ff").mkdir(exist_ok=True)
    head = f"[ defaults ]\n  1 {rule} yes 0.5 0.8333\n"
    (folder / "ff" / "types.itp").write_text(head + '#include "more.itp"\n')
    (folder / "ff" / "more.itp").write_text(_filled(TYPES, numbers))
    path = folder / "topol.top"
    system = "\n[ system ]\nethanol\n[ molecules ]\nethanol 1\n"
    path.write_text(f'{define}\n#include "ff/types.itp"\n{after}\n' + _filled(MOLECULE, numbers) + system)
    return path


def _filled(text: str, numbers: dict[str, str]) -> str:
    for name, given in numbers.items():
        text = text.replace("{" + name + "}", given)
    return text
