"""Structure × ForceField → System."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jax.sharding import Mesh

from md_sensitivity.binding import require_parameters, row_tables, where_of
from md_sensitivity.bound import BoundTerm, range_of
from md_sensitivity.energy import Bonds, require_double_precision
from md_sensitivity.errors import InputError, UsageError
from md_sensitivity.feasibility import require_feasible_range, require_planar
from md_sensitivity.fields import Field
from md_sensitivity.forcefields.assignment import assignment_of
from md_sensitivity.forcefields.data import ForceField, Term
from md_sensitivity.forcefields.topology import Assignment
from md_sensitivity.listed import Listed, TupleList, nearest_images, tuple_list
from md_sensitivity.neighbors import build_table, complete_cell, on_device, padded_size, pair_table
from md_sensitivity.potentials.base import BondedForm, FieldForm, ManyBodyForm, PairForm, WholeForm, natural_end
from md_sensitivity.potentials.dispersion import DISPERSION_CORRECTION
from md_sensitivity.sharding import memories, mesh_of
from md_sensitivity.system import System
from md_sensitivity.tables import SKIN, host_count
from md_sensitivity.types import Structure


def build_system(
    structure: Structure,
    force_field: ForceField,
    *,
    dimensions: int = 3,
    fixed: np.ndarray | None = None,
    padded: bool = False,
    devices: Sequence[Any] | None = None,
) -> System:
    """Assign interactions to the atoms of a structure.

    Args:
        structure: validated, as the readers give it; its own constraints are honored.
        force_field: knows every type that occurs in the structure.
        dimensions: 3, or 2 to freeze z.
        fixed: further frozen atoms, boolean of shape=(n,).
        padded: add frozen atoms without mass or interactions after those of the structure, up to a size that many structures share, so
            that they share compiled programs; all arrays of the system, and positions x, then have that larger size. Nothing is
            added where a foreign model sees all atoms at once.
        devices: of this process, to split a large system over: each holds the neighbors of an equal part of the atoms
            (docs/several_devices.md). None for the default device.

    Raises:
        InputError: where parameters are missing for a type, or a periodic structure meets a potential without cutoff.
        PrecisionError: where JAX works in single precision.
    """
    require_double_precision()
    if dimensions not in (2, 3):
        raise UsageError(f"dimensions must be 2 or 3, not {dimensions}")
    structure = force_field.completed(structure)
    assigned = assignment_of(force_field, structure)
    masses = structure.masses if assigned.masses is None else assigned.masses
    require_parameters(force_field, structure, assigned)
    free = 1.0 - np.asarray(structure.fixed, dtype=np.float64)
    periodic = np.array(structure.pbc, dtype=bool)
    if dimensions == 2:
        require_planar(structure)
        free[:, 2] = 0.0
        periodic[2] = False  # files of planar systems often repeat them along z, where nothing is to be met
    if fixed is not None:
        free[np.asarray(fixed, dtype=bool)] = 0.0
    pbc = (bool(periodic[0]), bool(periodic[1]), bool(periodic[2]))
    cell = complete_cell(np.where(periodic[:, None], structure.cell, 0.0))
    system = System(
        positions=np.asarray(structure.positions, dtype=np.float64),  # type: ignore[arg-type]
        kinds=np.asarray(assigned.kinds, dtype=np.int32),  # type: ignore[arg-type]
        cell=cell,  # type: ignore[arg-type]
        masses=np.asarray(masses, dtype=np.float64),  # type: ignore[arg-type]
        free=free,  # type: ignore[arg-type]
        terms=(),
        pbc=pbc,
        dimensions=dimensions,
        species=assigned.species,
        units=force_field.units,
    )
    if padded and not any(isinstance(term.form, WholeForm) for term in force_field.terms):
        system = _padded(system)
    mesh = mesh_of(devices)
    binder = _Binder(force_field, structure, system, assigned, mesh)
    terms: list[BoundTerm] = []
    listed: list[Listed] = []
    fields: list[Field] = []
    for term in force_field.terms:
        if isinstance(term.form, BondedForm):
            listed += binder.bonded(term, term.form)
        elif isinstance(term.form, FieldForm):
            fields += binder.field(term, binder.bare(term), term.form)
        elif _occurs(term, assigned.names[term.label]):
            bare = binder.bare(term)
            if not term.listed_only:
                terms.append(binder.among_neighbors(term, bare))
            if isinstance(term.form, PairForm):
                listed += binder.pairs(term, bare)
                fields += binder.field(term, bare, term.form.field)
    links = linked(system, listed, fields)
    return on_device(replace(system, terms=tuple(terms), listed=tuple(listed), fields=tuple(fields), links=links), mesh)


def _padded(system: System) -> System:
    """The system with frozen atoms added after its own, up to a size that others share; host arrays."""
    atoms = len(system.positions)
    extra = padded_size(atoms) - atoms

    def longer(array: Any) -> Any:
        return np.pad(np.asarray(array), [(0, extra)] + [(0, 0)] * (np.ndim(array) - 1))

    names = ("positions", "kinds", "masses", "free")
    longest = {name: longer(getattr(system, name)) for name in names}
    return replace(system, **longest, atoms=np.int32(atoms))  # type: ignore[arg-type]


def _occurs(term: Term, species: tuple[str, ...]) -> bool:
    """Whether a term acts on any pair of these types."""
    return any(term.acts((name,), species) for name in species)


def _ends(term: Term, species: tuple[str, ...], length: float) -> tuple[np.ndarray | np.float64, np.ndarray | np.float64]:
    """Cutoff and start of the switch [Å], one number where all pairs of types have the same, else shape=(s, s)."""
    cutoff = math.inf if term.cutoff is None else term.cutoff
    start = cutoff if term.switch_from is None else term.switch_from
    if not term.cutoffs and not term.switches and cutoff > 0:     # sparing a question for each of many pairs of kinds
        return np.float64(cutoff * length), np.float64(start * length)
    tables = [
        np.array([[term.of_pair(given, default, a, b) * length for b in species] for a in species])
        for given, default in ((term.cutoffs, cutoff), (term.switches, start))
    ]
    if all(np.all(table == table[0, 0]) for table in tables) and tables[0][0, 0] > 0:
        return np.float64(tables[0][0, 0]), np.float64(tables[1][0, 0])
    return tables[0], tables[1]


@dataclass(frozen=True)
class _Binder:
    """Terms of a force field for the atoms of one structure, as host arrays."""

    force_field: ForceField
    structure: Structure
    system: System
    assigned: Assignment
    mesh: Mesh | None

    def bare(self, term: Term) -> BoundTerm:
        """The term without neighbors, with rows for the kinds of atoms."""
        if term.periodic_cutoff and not any(self.system.pbc):
            term = replace(term, cutoff=None, truncation="none", switch_from=None, options=_uncut(term))
        names = self.assigned.names[term.label]
        rows, own = row_tables(term, names)
        borrowed = []
        for name, (label, leaf) in term.borrowed.items():
            lender = next(other for other in self.force_field.terms if other.label == label)
            rows[name] = row_tables(lender, self.assigned.names[label])[0][leaf]
            borrowed.append((name, label, leaf))
        length = 1.0 if self.force_field.units.reduced else self.force_field.units.length
        ends, starts = _ends(term, names, length)
        return self._bound(term, rows, own, ends, starts, tuple(borrowed))

    def _bound(
        self, term: Term, rows: dict[str, np.ndarray], own: dict[str, np.ndarray], ends: Any, starts: Any,
        borrowed: tuple[tuple[str, str, str], ...] = (),
    ) -> BoundTerm:  # fmt: skip
        units, specs = self.force_field.units, {spec.name: spec for spec in term.form.parameters}
        inner = {option.name: units.factor(option.energy, option.length) for option in term.form.options}
        options = {name: value * inner[name] for name, value in term.options.items()}
        if isinstance(term.form, PairForm) and term.form.settled is not None:
            # A smooth end must not take away what the splitting counts on.
            reach = starts if term.truncation == "switch" else ends
            system, cutoff = self.system, float(np.max(reach))
            try:
                options = dict(term.form.settled(options, cutoff, np.asarray(system.cell), system.pbc))
            except ValueError as error:
                raise InputError(f"{where_of(self.force_field)}: potential {term.label!r}: {error}") from None
        scale = {
            name: np.float64(units.factor(spec.energy, spec.length, spec.angle)) for name, spec in specs.items() if not spec.option
        }
        for name, label, leaf in borrowed:
            lender = next(other for other in self.force_field.terms if other.label == label)
            spec = lender.form_spec(leaf)
            scale[name] = np.float64(units.factor(spec.energy, spec.length, spec.angle))
        constants = {
            name: np.asarray(values) * units.factor(specs[name].energy, specs[name].length, specs[name].angle)
            for name, values in term.constants.items()
        }
        return BoundTerm(
            form=term.form,
            label=term.label,
            truncation=term.truncation,
            mixing=term.mixing,
            options=tuple(options.items()),
            rows=rows,  # type: ignore[arg-type]
            own=own,  # type: ignore[arg-type]
            scale=scale,  # type: ignore[arg-type]
            constants=constants,  # type: ignore[arg-type]
            cutoff=ends,
            switch_from=starts,
            atoms=np.int32(len(self.system.positions) if self.system.atoms is None else self.system.atoms),  # type: ignore[arg-type]
            neighbors=None,  # type: ignore[arg-type]
            cell=self.system.cell if isinstance(term.form, WholeForm) else None,
            borrowed=borrowed,
        )

    def among_neighbors(self, term: Term, bare: BoundTerm) -> BoundTerm:
        """The term with its neighbors."""
        structure, force_field, system = self.structure, self.force_field, self.system
        cell, pbc = np.asarray(system.cell), system.pbc
        where = f"{where_of(force_field)}: potential {term.label!r}"
        if math.isinf(float(np.max(bare.cutoff))) and not natural_end(term.form) and any(pbc):
            raise InputError(
                f"{where} has no cutoff, but the structure {structure.path or structure.name} is periodic; add cutoff = ... to it"
            )
        reverse = isinstance(term.form, ManyBodyForm)
        blank = build_table(np.zeros((1, 3)), np.eye(3), (False,) * 3, 1.0, reverse=reverse)
        reach = float(range_of(replace(bare, neighbors=blank), force_field.parameters))
        require_feasible_range(structure, cell, pbc, reach, where, shares=memories(self.mesh))
        x, radius = np.asarray(system.positions), reach * (1.0 + SKIN)
        atoms = host_count(system.atoms)
        table = build_table(
            x, cell, pbc, radius, reverse=reverse, atoms=atoms, mesh=self.mesh, excluded=self._excluded(term.label)
        )
        return replace(bare, neighbors=table)

    def _excluded(self, label: str) -> np.ndarray | None:
        """Pairs that are no neighbors, with the lattice vector between them."""
        if label not in self.assigned.pairs:
            return None
        atoms = self.assigned.pairs[label].atoms
        images = nearest_images(np.asarray(self.system.positions)[atoms], np.asarray(self.system.cell), self.system.pbc)
        return np.concatenate([atoms, np.rint(images[:, 1])], axis=1).astype(np.int32)

    def bonded(self, term: Term, form: BondedForm) -> list[Listed]:
        """A bonded potential; nothing where none of its interactions occurs."""
        found = self.assigned.tuples.get(term.label)
        if found is None or not len(found.rows):
            return []
        tuples = self._tuples(found.atoms)
        rows = np.concatenate([found.rows, np.repeat(found.rows[:1], len(tuples.mask) - len(found.rows))]).astype(np.int32)
        bound = self._bound(term, dict.fromkeys(term.rows, rows), {}, np.float64(np.inf), np.float64(np.inf))
        return [Listed(term=bound, tuples=tuples)]

    def pairs(self, term: Term, bare: BoundTerm) -> list[Listed]:
        """What a pair potential does to pairs that are no neighbors."""
        form, found = term.form, self.assigned.pairs.get(term.label)
        assert isinstance(form, PairForm)
        if found is None:
            return []
        atoms, rows = found
        if form.listed is None:
            atoms, rows = atoms[rows >= 0], rows[rows >= 0]
        if not len(rows):
            return []
        tuples = self._tuples(atoms)
        scales = np.concatenate([rows, np.full(len(tuples.mask) - len(rows), -1)]).astype(np.int32)
        return [Listed(term=bare, tuples=tuples, scales=scales)]

    def _tuples(self, atoms: np.ndarray) -> TupleList:
        return tuple_list(np.asarray(atoms), np.asarray(self.system.positions), np.asarray(self.system.cell), self.system.pbc)

    def field(self, term: Term, bare: BoundTerm, form: FieldForm | None) -> list[Field]:
        """A sum over all atoms."""
        options = dict(bare.options)
        if form is None or not form.wanted(options):
            return []
        if np.ndim(bare.cutoff) == 0:
            options |= {"end": float(bare.cutoff), "start": float(bare.switch_from) if term.truncation == "switch" else float(bare.cutoff)}
        try:
            setup = dict(form.setup(np.asarray(self.system.cell), self.system.pbc, options))
        except ValueError as error:
            raise InputError(f"{where_of(self.force_field)}: potential {term.label!r}: {error}") from None
        return [Field(form=form, term=replace(bare, options=tuple(options.items())), cell=self.system.cell, setup=setup)]


def _uncut(term: Term) -> dict[str, float]:
    """Options without what only a cutoff makes necessary."""
    return {name: 0.0 if name == DISPERSION_CORRECTION.name else value for name, value in term.options.items()}


def linked(system: System, listed: list[Listed], fields: list[Field]) -> Bonds | None:
    """Which atoms bonded potentials and sums over all atoms join, as a table of neighbors; None where there are none of either."""
    if not listed and not any(field.form.couples for field in fields):
        return None
    cell = np.asarray(system.cell)
    found = [np.zeros((0, 5), dtype=np.int64)]
    for each in listed:
        if each.scales is None:
            atoms, mask = each.tuples.atoms, each.tuples.mask
            images = np.rint(each.tuples.shift @ np.linalg.inv(cell)).astype(np.int64)
            for j in range(atoms.shape[1] - 1):
                between = images[:, j + 1] - images[:, j]
                found.append(np.concatenate([atoms[:, j : j + 1], atoms[:, j + 1 : j + 2], between], axis=1)[mask])
    if any(field.form.couples for field in fields):
        # All atoms feel each other, and where space is periodic each feels its own images.
        last = len(np.asarray(system.positions)) if system.atoms is None else int(system.atoms)
        chain = np.zeros((last - 1, 5), dtype=np.int64)
        chain[:, 0], chain[:, 1] = np.arange(last - 1), np.arange(1, last)
        own = np.zeros((3, 5), dtype=np.int64)
        own[:, 2:] = np.eye(3, dtype=np.int64)
        found += [chain, own[np.asarray(system.pbc)]]
    pairs = np.concatenate(found)
    pairs = pairs[(pairs[:, 0] != pairs[:, 1]) | np.any(pairs[:, 2:] != 0, axis=1)]
    pairs = np.unique(np.concatenate([pairs, np.column_stack([pairs[:, 1], pairs[:, 0], -pairs[:, 2:]])]), axis=0)
    rows = len(np.asarray(system.positions))
    index, source, image, acting = pair_table(pairs[:, 0], pairs[:, 1], pairs[:, 2:], rows)
    return Bonds(index=index, source=source, image=image, acting=acting)
