"""Names of residues and of atoms, and which of them mean the same in different conventions."""

from __future__ import annotations

import re

_AMINO = (
    "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL HYP "
    "HID HIE HIP HSD HSE HSP HSH HIH CYX CYM CYN ASH GLH LYN LSN ARN TYM"
).split()
_SAME = {
    "HIS": "HID HIE HIP HSD HSE HSP HSH HIH HISA HISB HISD HISE HISH HISP HIS1 HIS2",
    "CYS": "CYX CYM CYN CYS1 CYS2 CYSH",
    "ASP": "ASH ASPH ASPP",
    "GLU": "GLH GLUH GLUP",
    "LYS": "LYN LSN LYSH",
    "ARG": "ARN",
    "TYR": "TYM",
    "NME": "NMA NAC CT3",
    "NH2": "NHE CT2",
    "HOH": "H2O WAT SOL TIP TIP3 TIP3P TP3 T3P TIP4 TIP4P TP4 T4P TIP5 TIP5P SPC SPCE OPC OPC3 DOD W",
    "A": "ADE DAD",
    "C": "CYT DCY",
    "G": "GUA DGU",
    "T": "THY",
    "U": "URA",
}
_STANDARD = {alias: name for name, aliases in _SAME.items() for alias in aliases.split()}
_NUCLEOTIDE = re.compile(r"[DR]?([ACGTU])[35N]?")
NAMELESS = frozenset(("", "UNK", "UNL", "MOL", "LIG", "DRG", "RES"))
"""Names of residues that say nothing."""
UNLIKE = frozenset(("ACE", "NME", "NH2", "HOH"))
"""Residues whose atoms each convention calls in its own way."""
_LETTERS = {"HN": "H", "HT": "H", "HO": "H", "HW": "H", "OT": "O", "OC": "O", "OXT": "O", "OW": "O", "CM": "C"}
"""Names without digits → what others call the same atoms: ends of chains, amide hydrogens, the methyl group of thymine."""


def standard_residue(name: str) -> str:
    """One name for all protonation states of a residue, for its forms at ends of chains, and for water and bases."""
    name = name.strip().upper()
    if len(name) == 4 and name[0] in "NC" and name[1:] in _AMINO:
        name = name[1:]
    if base := _NUCLEOTIDE.fullmatch(name):
        return base[1]
    return _STANDARD.get(name, name)


def same_residue(first: str, second: str) -> bool:
    """Whether two names may mean the same residue; PDB files have room for three letters only."""
    if NAMELESS & {first.strip().upper(), second.strip().upper()}:
        return True
    one, other = sorted((standard_residue(first), standard_residue(second)), key=len)
    return one == other or (len(one) == 3 and other.startswith(one))


def standard_atom(name: str) -> str:
    """The name in capitals, digits before it put behind, as `1HB` is `HB1`."""
    name = name.strip().upper().replace("*", "'")
    bare = name.lstrip("0123456789")
    return bare + name[: len(name) - len(bare)]


def letters_of(name: str) -> str:
    """What conventions agree about in the name of an atom: its letters, such as `HB` of `1HB`, `HB2` and `HB3`."""
    letters = "".join(char for char in name.upper() if char.isalpha())
    return _LETTERS.get(letters, letters)
