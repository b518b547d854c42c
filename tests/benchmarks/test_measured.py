"""Memory and time of a command and of all that it starts."""

import os
import sys

from benchmarks.measured import measured

MEGABYTE = 1 << 20
HOLD = "import time; held = bytearray({size}); held[::4096] = b'x' * len(held[::4096]); time.sleep(1.2)"
DETACHED = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {code!r}], start_new_session=True).wait()"
)


def run(code, tmp_path, threads=1):
    return measured(
        [sys.executable, "-c", code],
        threads=threads,
        environment=dict(os.environ),
        folder=tmp_path,
        log=tmp_path / "log",
    )


def test_what_a_child_in_a_session_of_its_own_holds_is_counted(tmp_path):
    held = HOLD.format(size=80 * MEGABYTE)
    alone, with_child = run(HOLD.format(size=1), tmp_path), run(DETACHED.format(code=held), tmp_path)
    assert 80 * MEGABYTE < with_child.peak_bytes - alone.peak_bytes < 120 * MEGABYTE
    assert with_child.exit_code == 0


def test_waiting_costs_time_but_not_the_processor(tmp_path):
    found = run("import time; time.sleep(1.5)", tmp_path)
    assert found.seconds > 1.5
    assert found.processor_seconds < 1.0


def test_computing_costs_both(tmp_path):
    found = run("import time; end = time.process_time() + 1.5\nwhile time.process_time() < end: pass", tmp_path)
    assert 1.0 < found.processor_seconds < 2.5


def test_it_runs_on_as_many_cores_as_it_has_threads(tmp_path):
    run("import os; print(len(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'])", tmp_path)
    assert (tmp_path / "log").read_text().split() == ["1", "1"]


def test_a_failure_is_told_by_its_exit_code(tmp_path):
    assert run("raise SystemExit(3)", tmp_path).exit_code == 3
