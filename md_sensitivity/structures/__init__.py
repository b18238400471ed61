"""Structure files → `Structure`: one entry, `read_structure`, over ASE, MDTraj and a few text parsers of our own.

`FORMATS` is the table of what can be read. Each format names its readers, the best first; `auto` takes that one:

- ASE for solids and clusters. It keeps float64, constraints and periodicity per axis.
- MDTraj for PDB, GRO and mmCIF, because it knows the bonds of standard residues. It keeps float32, so places and cells come from the text
  of the file with all its digits, and MDTraj (or ASE, where asked for) must agree with them.
- `native`, this package, for LAMMPS data, mol2 and SDF, where both libraries lose types, bonds or atoms. Asked for, a library confirms
  the places. And for AMBER's coordinates, which are places alone.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace

from md_sensitivity.errors import InputError, MdSensitivityError, UsageError
from md_sensitivity.registry import Registry
from md_sensitivity.structures import cif, gro, inpcrd, lammps_data, lammps_dump, mmcif, mol2, pdb, sdf, xyz
from md_sensitivity.structures.ase import ase_frames
from md_sensitivity.structures.boundary import quoted
from md_sensitivity.structures.checks import check_cfg, check_dlp4, check_gen, check_poscar, check_res, check_xdatcar, check_xsf
from md_sensitivity.structures.format import Format, Frame, detected
from md_sensitivity.structures.source import Source, printable, read_source
from md_sensitivity.structures.validate import validated
from md_sensitivity.types import Structure

__all__ = ["FORMATS", "READERS", "Format", "read_structure", "read_structures", "validated"]

READERS = ("auto", "ase", "mdtraj")
FAULT = "no reader should fail like this"
"""Marks errors that nobody thought of; the fuzz of scripts/ looks for them."""
UNFINISHED_LINE = "the last line of the file has no end; make sure that nothing is cut off"

FORMATS: Registry[Format] = Registry(
    "format",
    (
        Format(
            name="extxyz",
            description="extended XYZ: cell, pbc, columns atom_types and move_mask; trajectories",
            extensions=(".extxyz", ".xyz"),
            signature=xyz.EXTENDED,
            readers={"ase": xyz.extxyz_frames},
        ),
        Format(
            name="xyz",
            description="plain XYZ: symbols and positions; trajectories",
            extensions=(".xyz",),
            signature=xyz.COUNTED,
            readers={"ase": xyz.xyz_frames},
        ),
        Format(
            name="mmcif",
            description="mmCIF/PDBx: biomolecules with residues and bonds; models",
            extensions=(".cif", ".mmcif", ".pdbx"),
            signature=mmcif.SIGNATURE,
            readers={"mdtraj": mmcif.frames},
        ),
        Format(
            name="cif",
            description="crystallographic CIF, expanded to the full cell; several blocks",
            extensions=(".cif",),
            signature=cif.SIGNATURE,
            readers={"ase": cif.frames},
        ),
        Format(
            name="vasp",
            description="VASP POSCAR or CONTCAR, with selective dynamics",
            extensions=(".vasp", ".poscar", ".contcar"),
            patterns=("*POSCAR*", "*CONTCAR*"),
            readers={"ase": ase_frames("vasp", check=check_poscar)},
        ),
        Format(
            name="lammps-data",
            description="LAMMPS data file: types or type labels, masses, bonds, triclinic boxes",
            extensions=(".data", ".lmp", ".lammps", ".lammps-data", ".lmpdat"),
            patterns=("DATA.*",),
            signature=lammps_data.SIGNATURE,
            readers={"native": lammps_data.native_frames, "ase": lammps_data.ase_frames},
        ),
        Format(
            name="lammps-dump",
            description="LAMMPS text dump: types, elements or masses, pbc; trajectories",
            extensions=(".dump", ".lammpstrj", ".lammps-dump"),
            patterns=("DUMP.*",),
            signature=lammps_dump.SIGNATURE,
            readers={"ase": lammps_dump.frames},
        ),
        Format(
            name="pdb",
            description="Protein Data Bank: residues, bonds, cell; models",
            extensions=(".pdb", ".ent"),
            signature=pdb.SIGNATURE,
            readers={"mdtraj": pdb.mdtraj_frames, "ase": pdb.ase_frames},
        ),
        Format(
            name="gro",
            description="GROMACS GRO: residues, bonds of standard residues, cell; trajectories",
            extensions=(".gro",),
            readers={"mdtraj": gro.mdtraj_frames, "ase": gro.ase_frames},
        ),
        Format(
            name="inpcrd",
            description="AMBER coordinates or restart as text (inpcrd, rst7), to be used with a prmtop, which knows the elements",
            extensions=(".inpcrd", ".rst7", ".restrt", ".rst", ".crd"),
            signature=inpcrd.SIGNATURE,
            nameless=True,
            readers={"native": inpcrd.native_frames},
        ),
        Format(
            name="traj",
            description="ASE trajectory: everything ASE knows, in full precision",
            extensions=(".traj",),
            signature=r"\A- of Ulm",
            binary=True,
            readers={"ase": ase_frames("traj", binary=True)},
        ),
        Format(
            name="mol2",
            description="Tripos mol2: force-field types, bonds, residues; several molecules",
            extensions=(".mol2",),
            signature=mol2.SIGNATURE,
            readers={"native": mol2.native_frames, "mdtraj": mol2.mdtraj_frames},
        ),
        Format(
            name="sdf",
            description="MDL molfile or SDF (V2000): symbols and bonds; several molecules",
            extensions=(".sdf", ".mol", ".sd"),
            signature=sdf.SIGNATURE,
            readers={"native": sdf.native_frames, "ase": sdf.ase_frames},
        ),
        Format(
            name="xsf",
            description="XCrySDen: molecules, polymers, slabs, crystals; animations",
            extensions=(".xsf", ".axsf"),
            signature=r"^\s*(CRYSTAL|SLAB|POLYMER|ATOMS|ANIMSTEPS)",
            readers={"ase": ase_frames("xsf", check=check_xsf)},
        ),
        Format(
            name="cfg",
            description="AtomEye configuration",
            extensions=(".cfg",),
            signature=r"^\s*Number of particles\s*=",
            readers={"ase": ase_frames("cfg", check=check_cfg)},
        ),
        Format(
            name="res",
            description="SHELX structure",
            extensions=(".res", ".shelx"),
            signature=r"^(TITL|CELL)\b",
            readers={"ase": ase_frames("res", check=check_res, needs_path=".res")},
        ),
        Format(
            name="aims",
            description="FHI-aims geometry.in, with constrain_relaxation",
            extensions=(".in",),
            patterns=("GEOMETRY.IN*",),
            signature=r"^\s*atom(_frac)?\s",
            readers={"ase": ase_frames("aims", needs_path=".in")},
        ),
        Format(
            name="gen",
            description="DFTB+ GEN: clusters and supercells",
            extensions=(".gen",),
            signature=r"\A\s*\d+\s+[CSF]\b",
            readers={"ase": ase_frames("gen", check=check_gen)},
        ),
        Format(
            name="dlp4",
            description="DL_POLY CONFIG or REVCON",
            extensions=(".config", ".revcon"),
            patterns=("CONFIG", "REVCON"),
            readers={"ase": ase_frames("dlp4", check=check_dlp4)},
        ),
        Format(
            name="xdatcar",
            description="VASP trajectory",
            extensions=(".xdatcar",),
            patterns=("*XDATCAR*",),
            readers={"ase": ase_frames("vasp-xdatcar", check=check_xdatcar)},
        ),
    ),
)


def read_structure(
    path: str | os.PathLike[str], *, reader: str = "auto", index: str | int | None = None, timeout: float | None = None
) -> Structure:
    """The structure of a file: positions in Å, whatever the file's unit.

    The file is read in this process, with limits of its size and of how far it may grow when decompressed. A file that is not
    trusted is better read with a `timeout`: then a process of its own reads it, whose time and memory are limited.

    Args:
        path: any format of `FORMATS`, also compressed with gzip, bzip2 or xz.
        reader: `auto`, `ase` or `mdtraj`.
        index: which frame, negative from the end; the last by default.
        timeout: how long reading may take in a process of its own [s], with memory limited by MD_SENSITIVITY_READ_MEMORY (8 GiB by
            default); None for this process, without these limits.

    Raises:
        InputError: the file is missing, malformed, beyond a limit, or describes no valid structure.
        UsageError: an unknown reader, or an index that the file has not.
    """
    wanted = _parsed_index("-1" if index is None else str(index))
    if isinstance(wanted, slice):
        raise UsageError(f"index {index!r} means several frames; read_structure takes one, read_structures takes ranges")
    if timeout is None:
        return _read(path, reader, wanted)[0]
    return read_structures(path, reader=reader, index=wanted, timeout=timeout)[0]


def read_structures(
    path: str | os.PathLike[str], *, reader: str = "auto", index: str | int | None = ":", timeout: float | None = None
) -> list[Structure]:
    """The structures of several frames of a file; see `read_structure`.

    Args:
        path: the file.
        reader: `auto`, `ase` or `mdtraj`.
        index: a frame, or a range `start:stop:step` as in Python. With a range each name ends in `-<frame>`, counted from 0. None is the
            last frame.
        timeout: as for `read_structure`.
    """
    if timeout is not None:
        from md_sensitivity.structures.limits import limits_of_environment
        from md_sensitivity.structures.sandbox import read_safely

        return read_safely(path, reader=reader, index=index, limits=limits_of_environment(timeout))
    return _read(path, reader, _parsed_index("-1" if index is None else str(index)))


def _parsed_index(text: str) -> int | slice:
    if re.fullmatch(r"\s*[+-]?\d{1,15}\s*", text):
        return int(text)
    if re.fullmatch(r"\s*([+-]?\d{1,15})?\s*:\s*([+-]?\d{1,15})?\s*(:\s*([+-]?\d{1,15})?)?\s*", text):
        start, stop, step = (int(part) if part.strip() else None for part in [*text.split(":"), ""][:3])
        if step != 0:
            return slice(start, stop, step)
    raise UsageError(f"index {text!r} is neither a frame (-1) nor a range (10:20:2, :)")


def _read(path: str | os.PathLike[str], reader: str, index: int | slice) -> list[Structure]:
    source = read_source(path)
    try:
        return _structures_of(source, reader, index)
    except (MdSensitivityError, MemoryError):
        raise
    except Exception as error:  # a gap in our own parsers; whoever called has a file that cannot be read, and is told so
        raise InputError(f"{source.where}: cannot be read ({quoted(error)}; {FAULT}); it is malformed or of another format") from error


def _structures_of(source: Source, reader: str, index: int | slice) -> list[Structure]:
    form = detected(source, FORMATS.values())
    if not form.binary and not source.is_text:
        raise InputError(f"{source.where}: {source.no_text(f'{form.name} file')}")
    chosen = _chosen_reader(source, form, reader)
    frames = form.readers[chosen](source)
    several = isinstance(index, slice)
    return [
        _finished(source, frames[number], form, f"{source.stem}-{number}" if several else source.stem)
        for number in _frame_numbers(source, frames, index)
    ]


def _chosen_reader(source: Source, form: Format, reader: str) -> str:
    if reader not in READERS:
        raise UsageError(f"unknown reader {reader!r}; available: {', '.join(READERS)}")
    if reader == "auto":
        return next(iter(form.readers))
    if reader not in form.readers:
        able = [name for name in form.readers if name in READERS]
        raise UsageError(f"{source.where}: reader {reader} does not read {form.name}; use --reader {' or '.join(['auto', *able])}")
    return reader


def _frame_numbers(source: Source, frames: Sequence[Frame], index: int | slice) -> list[int]:
    total = len(frames)
    if total == 0:
        raise InputError(f"{source.where}: there is no structure in it")
    if isinstance(index, int) and not -total <= index < total:
        raise UsageError(f"{source.where}: there is no frame {index}; the file has {total}, numbered from 0")
    numbers = [index % total] if isinstance(index, int) else list(range(total))[index]
    if not numbers:
        raise UsageError(f"{source.where}: the range of frames is empty; the file has {total}")
    return numbers


def _finished(source: Source, frame: Frame, form: Format, name: str) -> Structure:
    structure = frame()
    notes = tuple(map(printable, structure.notes))      # they quote names of the file
    if not form.binary and not source.data.endswith((b"\n", b"\r")):
        notes = (*notes, UNFINISHED_LINE)
    whole = replace(structure, name=name, path=source.path, sha256=source.sha256, notes=notes)
    return validated(whole, source=source.where, nameless=form.nameless)
