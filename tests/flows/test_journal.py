import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from flows.journal import Journal, Tee, journal_path
from flows.run_view import read_events, read_run, runs
from polyloom.progress import SILENT, Progress

KILLED = """
import sys
from pathlib import Path
from flows.journal import Journal
with Journal(Path(sys.argv[1])) as journal, journal.stage("embed", total=10, unit="rows") as bar:
    bar.advance(4)
    print("ready", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return journal_path(tmp_path, "shop", "run-1")


def test_a_run_is_read_as_it_was_written(path: Path) -> None:
    with Journal(path) as journal:
        with journal.stage("读取", total=3, unit="rows") as bar:
            bar.advance(2)
            bar.advance()
            bar.say("epoch 1: 0.9")
        journal.log("kept 3 rows")
        journal.metrics({"accuracy": 0.5})
        journal.metrics({"accuracy": 0.75, "f1": 0.5})
    view = read_run(path)
    assert (view.scenario, view.run_id, view.state, view.error) == ("shop", "run-1", "done", None)
    assert (view.log, view.metrics) == (["kept 3 rows"], {"accuracy": 0.75, "f1": 0.5})
    [stage] = view.stages
    assert (stage.name, stage.state, stage.done, stage.total, stage.unit) == ("读取", "done", 3, 3, "rows")
    assert stage.note == "epoch 1: 0.9"
    assert stage.seconds == 0 or stage.rate == pytest.approx(3 / stage.seconds)
    assert view.started is not None
    assert view.ended is not None
    assert view.started <= view.ended


def test_the_page_sees_a_run_while_it_goes_on(path: Path) -> None:
    with Journal(path) as journal, journal.stage("embed", total=10, unit="rows") as bar:
        bar.advance(4)
        view = read_run(path)
        assert view.state == "running"
        assert (view.stages[0].state, view.stages[0].done) == ("running", 4)


def test_steps_are_written_at_most_twice_a_second(path: Path) -> None:
    with Journal(path) as journal, journal.stage("embed", total=None, unit="rows") as bar:
        for _ in range(1000):
            bar.advance()
    kinds = [event["kind"] for event in read_events(path)]
    assert kinds.count("advanced") <= 2
    assert read_run(path).stages[0].done == 1000


def test_an_error_ends_the_stage_and_the_run(path: Path) -> None:
    with pytest.raises(ValueError, match="no rows"), Journal(path) as journal, journal.stage("a", total=1, unit="x"):
        raise ValueError("no rows")
    view = read_run(path)
    assert (view.state, view.error, view.stages[0].state) == ("failed", "no rows", "failed")


def test_a_killed_run_shows_as_interrupted_until_it_goes_on(path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        assert read_run(path).state == "running"
        process.send_signal(signal.SIGKILL)
    view = read_run(path)
    assert (view.state, view.stages[0].state, view.stages[0].done) == ("interrupted", "interrupted", 4)
    assert read_run(path).stages[0].seconds == view.stages[0].seconds, "the clock stands still"

    with Journal(path), Journal(path) as again, again.stage("embed", total=10, unit="rows") as bar:
        bar.advance(10)
        assert read_run(path).state == "running"
    assert read_run(path).state == "done"


def test_torn_lines_are_skipped_and_swallow_nothing(path: Path) -> None:
    Journal(path).log("first")
    with path.open("ab") as stream:
        stream.write(b'{"at": "2026-01-01T00:00:00+00:00", "kind": "lo')
    Journal(path).log("second")
    with path.open("ab") as stream:
        stream.write(b"[1, 2]\n\xff\n")
    assert read_run(path).log == ["first", "second"]


def test_lines_of_several_threads_never_mix(path: Path) -> None:
    journal = Journal(path)
    threads = [threading.Thread(target=lambda: [journal.log("x" * 500) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read_run(path, log_lines=1000).log) == 200


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    for age, (scenario, run) in enumerate([("shop", "new"), ("support", "middle"), ("shop", "old")]):
        written = journal_path(tmp_path, scenario, run)
        Journal(written).log("hello")
        os.utime(written, (1_000_000 - age, 1_000_000 - age))
    assert [view.run_id for view in runs(tmp_path)] == ["new", "middle", "old"]
    assert [view.run_id for view in runs(tmp_path, "shop")] == ["new", "old"]
    assert runs(tmp_path / "nowhere") == []


def test_a_tee_shows_everything_everywhere(tmp_path: Path) -> None:
    paths = [journal_path(tmp_path, "shop", run) for run in ("a", "b")]
    journals: list[Progress] = [Journal(path) for path in paths]
    tee = Tee([*journals, SILENT])
    with tee.stage("embed", total=2, unit="rows") as bar:
        bar.advance(2)
        bar.say("note")
    tee.log("done")
    for path in paths:
        view = read_run(path)
        assert (view.stages[0].done, view.stages[0].note, view.log) == (2, "note", ["done"])
