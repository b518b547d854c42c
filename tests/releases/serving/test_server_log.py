"""The server's log: facts, no values; and no request pays for a log that cannot be written."""

import asyncio
import contextlib
import gc
import json
import logging
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from releases.serving.handled import Handled
from releases.serving.known import known
from releases.serving.quiet import quiet_libraries
from releases.serving.server_log import MOST_WAITING, ServerLog

KNOWN = known(routes=["/v1/{scenario}/predict"], scenarios=["shop"], actions=["predict"], reasons=["busy"])
SECRET = "alice@example.org"


def request(**fields):
    usual = {
        "request_id": "f" * 32,
        "method": "POST",
        "route": "/v1/{scenario}/predict",
        "status": 200,
        "seconds": 0.01,
    }
    return Handled(**{**usual, **fields})


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def until(true, seconds=5):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "server.log"


def test_a_request_is_one_line_of_json(path):
    with ServerLog(path, known=KNOWN) as log:
        log.handled(request(scenario="shop", rows=2, prediction="p1", bytes_in=10))
    (told,) = lines(path)
    assert told.pop("at").endswith("Z")
    assert told == {
        "level": "info",
        "event": "handled",
        "request_id": "f" * 32,
        "method": "POST",
        "route": "/v1/{scenario}/predict",
        "status": 200,
        "seconds": 0.01,
        "scenario": "shop",
        "rows": 2,
        "bytes_in": 10,
        "bytes_out": 0,
        "prediction": "p1",
    }
    assert path.stat().st_mode & 0o077 == 0


def test_a_failed_request_is_an_error(path):
    with ServerLog(path, known=KNOWN) as log:
        log.handled(request(status=503))
    assert lines(path)[0]["level"] == "error"


def test_nothing_that_a_caller_chooses_gets_in(path):
    with ServerLog(path, known=KNOWN) as log:
        log.handled(request(method=SECRET, route=f"/v1/{SECRET}", scenario=SECRET, refused=SECRET, status=12345))
        log.event("switched", scenario=SECRET, query=SECRET, reason="a\nb", outcome="done", seconds=0.5)
    assert SECRET not in path.read_text()
    first, second = lines(path)
    assert (first["method"], first["route"], first["scenario"], first["refused"]) == ("other",) * 4
    assert second["left_out"] == ["query"]
    assert (second["scenario"], second["reason"], second["outcome"], second["seconds"]) == (
        "unsafe",
        "unsafe",
        "done",
        0.5,
    )


def test_a_failure_has_its_type_and_place_and_no_message(path):
    with ServerLog(path, known=KNOWN) as log:
        try:
            try:
                int(SECRET)
            except ValueError as error:
                raise ExceptionGroup(SECRET, [KeyError(SECRET)]) from error
        except ExceptionGroup as error:
            log.failure(error, "f" * 32)
    (told,) = lines(path)
    assert SECRET not in path.read_text()
    assert told["request_id"] == "f" * 32
    assert (told["error"], told["cause"]["error"], told["group"][0]["error"]) == (
        "ExceptionGroup",
        "ValueError",
        "KeyError",
    )
    assert "serving/test_server_log.py:" in told["frames"][0]
    assert told["frames"][0].endswith("test_a_failure_has_its_type_and_place_and_no_message")
    assert str(Path.home()) not in path.read_text()


def test_a_log_that_was_moved_is_opened_anew(path):
    with ServerLog(path, known=KNOWN) as log:
        log.event("first")
        until(lambda: path.exists() and path.read_text())
        path.rename(path.with_suffix(".1"))
        log.event("second")
        until(lambda: path.exists() and path.read_text())
    assert [one["event"] for one in lines(path.with_suffix(".1"))] == ["first"]
    assert [one["event"] for one in lines(path)] == ["second"]


def test_a_full_disk_is_counted_and_the_log_goes_on_when_there_is_room(path, tmp_path):
    path.symlink_to("/dev/full")
    with ServerLog(path, known=KNOWN) as log:
        for _ in range(3):
            log.event("gone")
        until(lambda: log.lost == 3)
        path.unlink()
        path.symlink_to(tmp_path / "room.log")
        log.event("kept")
    assert [one["event"] for one in lines(path)] == ["kept", "log_lost"]
    assert lines(path)[1]["lines"] == 3


def test_a_line_that_the_disk_cut_off_spoils_none_after_it(path):
    # A process of its own: a limit on the size of files stands for a disk that is full in the middle of a line.
    code = f"""
import resource
from pathlib import Path
from releases.serving.known import Known
from releases.serving.log_sink import LogSink
sink = LogSink(Path({str(path)!r}))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (15, hard))
assert not sink.write(['{{"line": 1}}\\n', '{{"line": 2}}\\n'])
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
assert sink.write(['{{"line": 3}}\\n'])
print(sink.lost)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
    assert path.read_text().splitlines() == ['{"line": 1}', '{"l', '{"line": 3}']


def test_a_folder_that_vanishes_costs_nothing_but_lines(tmp_path):
    with ServerLog(tmp_path / "nowhere" / "server.log", known=KNOWN) as log:
        log.event("gone")
        until(lambda: log.lost == 1)


def test_a_pipe_that_nobody_reads_stops_no_caller(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log = ServerLog(pipe, known=KNOWN)
    begun = time.monotonic()
    for _ in range(4 * MOST_WAITING):
        log.event("waits")
    assert time.monotonic() - begun < 5
    until(lambda: log.lost > MOST_WAITING)
    begun = time.monotonic()
    log.close()
    assert time.monotonic() - begun < 4
    os.close(reader)


def test_a_closed_pipe_costs_nothing():
    code = """
import os, sys, time
from releases.serving.known import Known
from releases.serving.server_log import ServerLog
log = ServerLog(known=Known())
log.event("first")
sys.stdin.read()
log.event("second")
log.close()
print(log.lost)
"""
    running = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with running:
        assert json.loads(running.stderr.readline())["event"] == "first"
        running.stderr.close()
        running.stdin.close()
        assert running.stdout.read() == "1\n"


def test_a_line_costs_its_caller_little(path):
    with ServerLog(path, known=KNOWN) as log:
        told = request(scenario="shop", rows=1)
        rounds = []
        for _ in range(20):
            begun = time.thread_time()
            for _ in range(100):
                log.handled(told)
            rounds.append((time.thread_time() - begun) / 100)
            time.sleep(0.05)
    assert min(rounds) < 30e-6
    assert len(lines(path)) == 2000


@pytest.fixture
def quiet(path):
    with ServerLog(path, known=KNOWN) as log:
        put_back = quiet_libraries(log)
        yield log
        put_back()


def test_libraries_tell_who_and_where_and_no_values(quiet, path, capfd):
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application\n")
    logging.getLogger("uvicorn.error").info("Started server process [%d]", 12)
    logging.getLogger("uvicorn.error").error("startup failed: " + SECRET)  # noqa: G003  (as starlette does)
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "1.2.3.4", "GET", f"/{SECRET}", "1.1", 200)
    logging.getLogger("some.library").warning("odd value %s", SECRET)
    logging.getLogger("some.library").info("nothing to see")
    quiet.close()
    told = lines(path)
    assert [(one["event"], one.get("library"), one.get("says")) for one in told] == [
        ("library", "uvicorn.error", "Exception in ASGI application"),
        ("failure", None, None),
        ("library", "uvicorn.error", "Started server process [%d]"),
        ("library", "uvicorn.error", None),
        ("library", "some.library", None),
    ]
    assert "test_server_log.py:" in told[0]["place"]
    out, err = capfd.readouterr()
    assert SECRET not in path.read_text() + out + err


def test_what_dies_in_the_background_tells_no_values(quiet, path, capfd):
    async def never_awaited():
        async def fails():
            raise ValueError(SECRET)

        task = asyncio.create_task(fails(), name=SECRET)
        await asyncio.sleep(0.01)
        del task
        gc.collect()

    def dies():
        raise KeyError(SECRET)

    class Odd:
        def __del__(self):
            raise RuntimeError(SECRET)

    asyncio.run(never_awaited())
    thread = threading.Thread(target=dies)
    thread.start()
    thread.join()
    odd = Odd()
    del odd
    gc.collect()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(SECRET, stacklevel=1)
    quiet.close()
    told = lines(path)
    assert [one["error"] for one in told if one["event"] == "failure"] == ["ValueError", "KeyError", "RuntimeError"]
    assert [one["library"] for one in told if one["event"] == "library"] == ["asyncio", "py.warnings"]
    out, err = capfd.readouterr()
    assert SECRET not in path.read_text() + out + err


def test_quiet_is_undone(path):
    root = logging.getLogger()
    before = list(root.handlers), root.level, threading.excepthook, sys.unraisablehook
    with ServerLog(path, known=KNOWN) as log, contextlib.ExitStack() as stack:
        stack.callback(quiet_libraries(log))
    assert (list(root.handlers), root.level, threading.excepthook, sys.unraisablehook) == before
    assert not logging.getLogger("uvicorn.access").disabled
