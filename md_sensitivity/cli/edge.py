"""Settings of the whole process, which only the application may make: threads, device, precision, compiled programs kept on disk.

The library itself changes nothing global. This runs before anything that computes is imported, because thread pools have their size
from the moment of the import on.
"""

from __future__ import annotations

import os
from typing import Any

from md_sensitivity.cli.console import Console
from md_sensitivity.errors import DeviceError, UsageError
from md_sensitivity.versions import installed_versions, known_bad

THREAD_VARIABLES = ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What XLA's thread pool (NPROC), OpenMP and the BLAS libraries listen to."""


PREALLOCATE, FRACTION, OLD_FRACTION = "XLA_PYTHON_CLIENT_PREALLOCATE", "XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"
"""What jax's memory of a GPU listens to."""


def prepare(console: Console, *, threads: int | None = None, device: str = "auto", gpu_memory: float | None = None) -> None:
    """Set up this process for computing.

    Args:
        console: where remarks go.
        threads: number of threads; None for SLURM_CPUS_PER_TASK, or else all cores.
        device: `auto`, `cpu` or `gpu`.
        gpu_memory: part of the GPU's memory to reserve at the start; None for what is needed, when it is needed.

    Raises:
        DeviceError: where `gpu` is asked for and there is none.
    """
    limit_threads(threads)
    share_gpu_memory(gpu_memory)
    quiet_compiler()
    for sentence in known_bad(installed_versions()):
        console.info(f"warning: {sentence}")
    from md_sensitivity.structures.sandbox import start_early

    start_early()       # it imports its libraries while this process imports others
    import jax

    jax.config.update("jax_enable_x64", True)
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    chosen = _first_device("gpu" if device == "gpu" else None)
    if device == "gpu":
        jax.config.update("jax_default_device", chosen)
    from md_sensitivity.cli.cache import keep_compiled_programs

    folder = keep_compiled_programs()
    console.detail(f"jax {jax.__version__} on {chosen.device_kind}; compiled programs are kept in {folder or 'memory only'}")
    if chosen.platform == "gpu":
        from md_sensitivity.batch.provenance import gpu_memory_settings

        console.detail("memory of the GPU: " + ", ".join(f"{name}={value}" for name, value in gpu_memory_settings().items()))


def _first_device(platform: str | None) -> Any:
    import jax

    try:
        return jax.devices(platform)[0]
    except RuntimeError as error:
        if platform is None:  # JAX_PLATFORMS asks for something that is not there
            raise DeviceError(f"jax finds no device: {error}") from None
        raise DeviceError(
            f"--device {platform}: jax finds none here; check the driver with nvidia-smi, install the extra with pip install '.[gpu]', "
            "or use --device cpu"
        ) from None


def share_gpu_memory(fraction: float | None) -> None:
    """Decide how jax takes memory of the GPU, before it is imported.

    Without a fraction nothing is reserved, so that several processes can share a GPU and a monitor shows what is really used; jax's own
    default would take three quarters at once. Whoever has set one of these variables has decided already.
    """
    from md_sensitivity.batch.provenance import gpu_memory_settings

    if fraction is not None:
        os.environ.pop(OLD_FRACTION, None)  # jax refuses both
        os.environ[PREALLOCATE], os.environ[FRACTION] = "true", f"{fraction:g}"
    elif not gpu_memory_settings():
        os.environ[PREALLOCATE] = "false"


def quiet_compiler() -> None:
    """Keep XLA's own log off stderr, but for what ends the process; what matters of it arrives as exceptions.

    Loading each kept program, it complains about tuning preferences ("prefer-no-gather") as if they were processor features that are
    missing; `keep_compiled_programs` keys its folder by the real ones.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def limit_threads(threads: int | None) -> None:
    """Make thread pools that start from now on have this size."""
    if threads is None:
        text = os.environ.get("SLURM_CPUS_PER_TASK", "")
        if not text:
            return
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise UsageError(f"SLURM_CPUS_PER_TASK={text!r} is no number of threads; correct it or give --threads")
        threads = int(text)
    for name in THREAD_VARIABLES:
        os.environ[name] = str(threads)
