"""What the last bits of a score depend on besides the release: the processor, its threads, and what runs the graphs."""

import functools
import importlib.metadata
import os
import platform
from pathlib import Path

from polyloom.cores import cores

CPU_INFO = Path("/proc/cpuinfo")
RUNNERS = ("onnxruntime", "openvino", "numpy")


@functools.cache
def this_machine() -> dict[str, str]:
    """Facts of this process; where they are equal a release gives the same scores to the last bit."""
    return {
        "cpu": cpu_name(CPU_INFO),
        "machine": platform.machine(),
        "threads": str(cores()),
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS", "unset"),
        **{name: version for name in RUNNERS if (version := _version(name)) is not None},
    }


def cpu_name(info: Path) -> str:
    """The processor's model, by what Linux says of it, else by what Python knows."""
    try:
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or "unknown")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
