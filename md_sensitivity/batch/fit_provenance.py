"""`run.json` of a fit: what a reader needs to repeat it."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from md_sensitivity.batch.provenance import SCHEMA, constants, device_info
from md_sensitivity.versions import installed_versions

if TYPE_CHECKING:
    from md_sensitivity.fitting.study import Study


def fit_run_json(
    study: Study,
    options: Mapping[str, Any],
    provenance: Mapping[str, Any],
    *,
    state: str,
    started: datetime.datetime,
    seconds: float,
    code: int,
    status: str,
) -> str:
    """Content of `run.json`."""
    field = study.force_field
    document = {
        "schema": SCHEMA,
        "state": state,
        "exit_code": code,
        **provenance,
        "options": dict(options),
        "inputs": {
            "study": {"path": study.path, "sha256": study.sha256},
            "force_field": {"path": field.path, "sha256": field.sha256, "name": field.name, "units": field.units.name},
            "structures": [{"path": path, "sha256": digest} for path, digest in study.inputs],
        },
        "results": [{"name": "fit", "path": study.path, "status": status, "exit_code": code, "seconds": seconds}],
        "versions": installed_versions(),
        "machine": {"platform": platform.platform(), "processors": os.cpu_count(), "python": platform.python_implementation()},
        "device": device_info(),
        "seed": options.get("seed", 0),
        "constants": constants(field),
        "timings": {"started": started.isoformat(timespec="seconds"), "total_s": seconds},
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"
