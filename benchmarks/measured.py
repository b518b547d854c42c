"""A command's wall time, processor time and peak memory, with everything that it starts.

Memory is the proportional set size (PSS, proc(5)): a page that several processes share counts once, so that a server or
a forked helper weighs what it adds. Processes are recognised by a mark in their environment, so that one which leaves
its parent's session is counted too.
"""

import contextlib
import os
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = "MEASURED_RUN"
POLL_SECONDS = 0.2
TICKS = os.sysconf("SC_CLK_TCK")
GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


@dataclass(frozen=True)
class Measured:
    """What a command took; `peak_bytes` is the highest sum of PSS that was seen, looked at five times a second."""

    seconds: float
    processor_seconds: float
    peak_bytes: int
    exit_code: int


def measured(
    command: Sequence[str], *, threads: int, environment: Mapping[str, str], folder: Path, log: Path
) -> Measured:
    """Run a command in `folder` on as many cores as it has threads; what it prints goes to `log`."""
    mark = f"{MARK}={uuid.uuid4().hex}"
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    marked = dict([mark.split("=")])
    started = time.monotonic()
    peak, ticks = 0, dict[int, int]()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, **limits, **marked},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
        # Threads and children inherit the cores, whatever they make of the variables.
        os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[-threads:])
        while process.poll() is None:
            pids = marked_processes(mark)
            peak = max(peak, sum(map(proportional_bytes, pids)))
            ticks.update({pid: spent for pid in pids if (spent := processor_ticks(pid))})
            time.sleep(POLL_SECONDS)
    return Measured(time.monotonic() - started, sum(ticks.values()) / TICKS, peak, process.returncode)


def marked_processes(mark: str) -> list[int]:
    """The processes whose environment holds the mark, `NAME=value`."""
    wanted = mark.encode()
    return [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and wanted in content(folder / "environ").split(b"\0")
    ]


def proportional_bytes(pid: int) -> int:
    """A process's PSS; 0 when it is gone."""
    for line in content(Path(f"/proc/{pid}/smaps_rollup")).splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def processor_ticks(pid: int) -> int:
    """What a process has computed so far, in user and system mode (proc(5), `stat`, fields 14 and 15)."""
    fields = content(Path(f"/proc/{pid}/stat")).rpartition(b")")[2].split()
    return int(fields[11]) + int(fields[12]) if fields else 0


def content(path: Path) -> bytes:
    """A file of /proc; nothing when its process is gone or somebody else's."""
    with contextlib.suppress(*GONE):
        return path.read_bytes()
    return b""
