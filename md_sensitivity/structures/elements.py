"""Chemical elements where a file only names atoms: `CA` is calcium in an ion and carbon in a protein."""

from __future__ import annotations

from collections.abc import Sequence

PROTEIN = frozenset(
    "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL MSE SEC PYL ACE NME NMA NH2 FOR "
    "ASH GLH LYN CYX CYM HID HIE HIP HSD HSE HSP HISA HISB HISH HIS1 HIS2 LYSH ASPH GLUH CYS2 "
    "A C G U T I DA DC DG DT DU DI RA RC RG RU ADE CYT GUA URA THY "
    "HOH WAT H2O TIP TIP3 TIP4 TP3 TP4 SPC SPCE SOL DOD DOX".split()
)
"""Residues made of H, C, N, O, P, S, Se alone."""

UNMISTAKABLE = frozenset("CL BR FE ZN MG MN LI SI SE AL CU AG AU PT TI ZR AR KR XE RB SR BA BI BE GA GE AS RU RH MO".split())
"""Two letters that no naming scheme of organic atoms uses for carbon, nitrogen, oxygen and the like."""


def element_numbers(names: Sequence[str], residues: Sequence[object], residue_names: Sequence[str]) -> list[int]:
    """Atomic numbers guessed from atom names; 0 where nothing fits.

    Args:
        names: atom names, n strings. Leading and trailing blanks are those of a PDB column (element right-justified in the first
            two of four characters), where the format has such a convention; they are ignored where all names begin alike.
        residues: n labels, equal for atoms of one residue.
        residue_names: n strings.
    """
    from ase.data import atomic_numbers

    sizes: dict[object, int] = {}
    for residue in residues:
        sizes[residue] = sizes.get(residue, 0) + 1
    aligned = any(name[:1] == " " for name in names) and any(len(name) == 4 and name[:1] not in (" ", "") for name in names)
    symbols = [
        element_symbol(name, residue_name, sizes[residue], aligned)
        for name, residue, residue_name in zip(names, residues, residue_names, strict=True)
    ]
    return [atomic_numbers.get(symbol, 0) for symbol in symbols]


def element_symbol(name: str, residue_name: str, residue_size: int, aligned: bool = False) -> str:
    """Chemical symbol for one atom name, "" where nothing fits.

    Lower-case letters decide (`Si1`), then residues known to be organic, then single ions and atoms, then the alignment of PDB
    names, then pairs of letters that only mean one thing, then the first letter.
    """
    from ase.data import atomic_numbers

    letters = name.strip().lstrip("0123456789'\"*+-")
    letters = letters[: next((i for i, char in enumerate(letters) if not char.isalpha()), len(letters))]
    pair, single = letters[:2].capitalize(), letters[:1].upper()
    two = len(pair) == 2 and pair in atomic_numbers
    if two and letters[1:2].islower():
        return pair
    if residue_name.strip().upper() in PROTEIN:
        if letters.upper().startswith("SE") and residue_name.strip().upper() in ("MSE", "SEC"):
            return "Se"
        return single if single in {"H", "C", "N", "O", "P", "S"} else "H" if single == "D" else ""
    if residue_size == 1 and two:
        return pair
    if aligned and name[:1].isalpha():
        organic_hydrogen = len(name.strip()) == 4 and single == "H"
        return "H" if organic_hydrogen else pair if two else single if single in atomic_numbers else ""
    if aligned and name[:1] == " ":
        return single if single in atomic_numbers else ""
    if two and letters[:2].upper() in UNMISTAKABLE:
        return pair
    return single if single in atomic_numbers else ""
