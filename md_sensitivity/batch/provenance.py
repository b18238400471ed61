"""`run.json`: what a reader needs to repeat a run, and how it ended."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from md_sensitivity import units
from md_sensitivity.batch.outcome import Outcome, outcome_code
from md_sensitivity.versions import installed_versions

if TYPE_CHECKING:
    from md_sensitivity.batch.study import Study
    from md_sensitivity.forcefields import ForceField
    from md_sensitivity.types import Structure

SCHEMA = "md-sensitivity/run/1"
RUNNING, FINISHED, INTERRUPTED = "running", "finished", "interrupted"


def run_json(
    study: Study,
    force_field: ForceField,
    outcomes: Sequence[Outcome],
    *,
    references: Sequence[Structure] = (),
    state: str,
    started: datetime.datetime,
    seconds: float,
    code: int,
    compilations: Sequence[float],
) -> str:
    """Content of `run.json`; the exit code is null unless the run is finished."""
    return json_text(
        {
            **ending(state, code),
            **study.provenance,
            "options": asdict(study.options),
            "shard": {"index": study.shard[0], "count": study.shard[1]},
            "inputs": {
                "force_field": force_field_info(force_field),
                "references": [{"path": each.path, "sha256": each.sha256} for each in references],
                "structures": [_structure_info(outcome) for outcome in outcomes],
            },
            "results": [_outcome_info(outcome, study) for outcome in outcomes],
            "seed": getattr(study.options, "seed", None),
            **circumstances(force_field, started, seconds),
            "programs": {"compiled_or_loaded": len(compilations), "seconds": sum(compilations)},
        }
    )


def ending(state: str, code: int) -> dict[str, Any]:
    """How a run stands; its exit code is null unless it is finished."""
    return {"schema": SCHEMA, "state": state, "exit_code": code if state == FINISHED else None}


def circumstances(force_field: ForceField, started: datetime.datetime, seconds: float) -> dict[str, Any]:
    """Under what a run took place, and how long it took [s]."""
    return {
        "versions": installed_versions(),
        "machine": {"platform": platform.platform(), "processors": os.cpu_count(), "python": platform.python_implementation()},
        "device": device_info(),
        "constants": constants(force_field),
        "timings": {"started": started.isoformat(timespec="seconds"), "total_s": seconds},
    }


def json_text(document: Mapping[str, Any]) -> str:
    """The JSON of a run."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=_plain) + "\n"


def device_info() -> dict[str, Any]:
    """Device and precision of the computation, as jax has them now; from which size on structures are split over all devices, if ever."""
    import jax

    from md_sensitivity.sharding import LARGE, devices_for

    devices = jax.devices()
    chosen = jax.config.jax_default_device or devices[0]
    return {
        "platform": chosen.platform,
        "kind": chosen.device_kind,
        "count": len(devices),
        "atoms_split_from": LARGE if devices_for(LARGE) else None,
        "precision": "double" if jax.config.jax_enable_x64 else "single",
        "threads": os.environ.get("NPROC") or "all",
        "gpu_memory": gpu_memory_settings(),
    }


def gpu_memory_settings() -> dict[str, str]:
    """How jax takes memory of a GPU, as the environment says it."""
    return {name: value for name, value in sorted(os.environ.items()) if name.startswith(("XLA_PYTHON_CLIENT_", "XLA_CLIENT_MEM_"))}


def constants(force_field: ForceField) -> dict[str, float]:
    """Physical constants that take the numbers of the force-field file to Å, eV and GPa."""
    fixed = {"elementary_charge_C": units.ELEMENTARY_CHARGE, "avogadro_per_mol": units.AVOGADRO}
    if force_field.units.reduced:
        return fixed
    system = force_field.units
    sizes = {"energy_unit_eV": system.energy, "length_unit_A": system.length}
    return fixed | sizes | {"pressure_GPa_per_eV_per_A3": system.pressure, "coulomb_eV_A": system.coulomb}


def force_field_info(force_field: ForceField) -> dict[str, Any]:
    """Which force field it was."""
    return {"path": force_field.path, "sha256": force_field.sha256, "name": force_field.name, "units": force_field.units.name}


def _structure_info(outcome: Outcome) -> Mapping[str, Any]:
    return {"path": outcome.path, "sha256": outcome.sha256}


def _outcome_info(outcome: Outcome, study: Study) -> Mapping[str, Any]:
    info = {"name": outcome.name, "path": outcome.path, "place": outcome.place, "status": outcome.status}
    info |= {"exit_code": outcome_code(outcome, strict=study.strict), "seconds": outcome.seconds}
    return info | ({"message": outcome.message} if outcome.message else {}) | ({"kept": True} if outcome.kept else {})


def _plain(value: object) -> object:
    return list(value) if isinstance(value, set | frozenset | tuple) else str(value)
