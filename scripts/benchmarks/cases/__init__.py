"""All cases, in the order in which they run; a new one is a file and a line."""

from __future__ import annotations

from benchmarks.cases.all_parameters import ALL_PARAMETERS
from benchmarks.cases.differences import DIFFERENCES
from benchmarks.cases.elastic import ELASTIC
from benchmarks.cases.fit_step import FIT_STEP
from benchmarks.cases.force import FORCE_JAX_MD, FORCE_LAMMPS, FORCE_MATERIALS
from benchmarks.cases.gpu import GPU
from benchmarks.cases.growth import GROWTH
from benchmarks.cases.hessian import HESSIAN
from benchmarks.cases.memory import MEMORY
from benchmarks.cases.sparse import SPARSE
from benchmarks.cases.start import START
from benchmarks.cases.water import WATER
from benchmarks.run import Case

CASES: dict[str, Case] = {
    case.name: case
    for case in (
        FORCE_LAMMPS,
        FORCE_MATERIALS,
        FORCE_JAX_MD,
        HESSIAN,
        ALL_PARAMETERS,
        DIFFERENCES,
        WATER,
        ELASTIC,
        SPARSE,
        GROWTH,
        MEMORY,
        START,
        GPU,
        FIT_STEP,
    )
}
