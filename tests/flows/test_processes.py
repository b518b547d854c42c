import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from flows import processes
from polyloom.errors import PolyloomError

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN_CODE = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
time.sleep(60)
"""
STUBBORN = [sys.executable, "-c", STUBBORN_CODE]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path))
    return tmp_path


def launch(command: list[str]) -> processes.Running:
    return processes.launch("thing", command, port=processes.pick_port(), url="http://127.0.0.1", environment={})


def test_a_record_survives_the_round_trip() -> None:
    running = launch(SLEEPER)
    processes.write_record(running)
    assert processes.read_record("thing") == running
    assert processes.stop(running)
    assert not running.alive()


def test_a_torn_record_counts_as_none(home: Path) -> None:
    (home / "services").mkdir()
    (home / "services" / "thing.json").write_text('{"name": "thi')
    assert processes.read_record("thing") is None


def test_a_process_that_was_given_the_same_pid_later_is_not_killed() -> None:
    other = launch(SLEEPER)
    before = replace(other, born="long ago")
    assert not before.alive()
    assert not processes.stop(before)
    assert other.alive()
    processes.stop(other)


def test_stop_kills_the_whole_group_when_it_does_not_listen() -> None:
    running = launch(STUBBORN)
    log = Path(running.log)
    while not log.read_text().strip():
        pass
    child = int(log.read_text())
    processes.stop(running, grace_seconds=0.3)
    assert not running.alive()
    assert processes.born(child) is None


def test_a_process_that_dies_at_its_start_shows_its_log() -> None:
    running = launch([sys.executable, "-c", "raise SystemExit('no disk left')"])
    with pytest.raises(PolyloomError, match=r"(?s)thing ended while it started.*no disk left"):
        processes.wait_healthy(running, "/", timeout_seconds=20)


def test_a_process_that_never_answers_is_stopped() -> None:
    running = launch(SLEEPER)
    with pytest.raises(PolyloomError, match=r"did not answer .* within 0 s and was stopped"):
        processes.wait_healthy(running, "/", timeout_seconds=0.2)
    assert not running.alive()


def test_a_taken_port_is_not_picked() -> None:
    free = processes.pick_port()
    assert processes.pick_port(free) == free
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free))
        taken.listen()
        assert processes.pick_port(free) != free


def test_ps_tells_when_a_process_began_where_there_is_no_proc() -> None:
    assert processes._born_by_ps(os.getpid())
