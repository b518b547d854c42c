"""The log on real disks: one that is well, a full one, a slow one, none, and a process that is killed."""

import contextlib
import os
import resource
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from polyloom.errors import RequestError
from releases.serving.logged_predictions import find_logged
from releases.serving.prediction_log import PredictionLog
from releases.serving.served_batch import Member, ServedBatch
from tests.support.served import day_now, lines_of, one_row, until

DAY = 86400.0


@pytest.fixture
def opened():
    """Logs that are closed when the test ends."""
    logs = []

    def open_log(folder, **given):
        logs.append(PredictionLog(folder, **{"sync_seconds": 0.05, "retry_seconds": 0.05, **given}))
        return logs[-1]

    yield open_log
    for log in logs:
        log.close(timeout_seconds=1.0)


def test_a_prediction_is_found_by_its_id_within_its_batch(tmp_path, opened):
    log = opened(tmp_path / "predictions")
    members = [
        Member(prediction=f"{datetime.now(UTC):%Y%m%d}-{n:016x}", request=f"r{n}", place=3 * n, rows=3)
        for n in range(2)
    ]
    batch = ServedBatch(
        scenario="shop",
        release="a" * 64,
        action="predict",
        options={"top": 5},
        rows=[{"title": f"红 mug {n}", "price": 0.1 * n, "picture": b"p" * (n + 1)} for n in range(6)],
        answers=[{"score": 0.1 * n} for n in range(6)],
        members=members,
        exact=False,
        index="i1",
    )
    assert log.add(batch)
    found = log.find(members[1].prediction)
    assert found.rows == batch.rows[3:]
    assert found.answers == batch.answers[3:]
    assert (found.batch.rows, found.batch.options, found.batch.index, found.batch.exact, found.batch.at) == (
        batch.rows,
        batch.options,
        "i1",
        False,
        batch.at,
    )
    assert found.member == members[1]
    assert set(found.machine) >= {"cpu", "machine", "onnxruntime", "threads", "omp_num_threads"}


def test_the_same_picture_lies_there_once(tmp_path, opened):
    log = opened(tmp_path)
    for _ in range(3):
        log.add(one_row("x", options={"image": b"picture"}))
    log.close()
    assert len([path for path in tmp_path.rglob("*") if path.is_file() and "blobs" in path.parts]) == 1


def test_nobody_else_may_read_it(tmp_path, opened):
    log = opened(tmp_path / "predictions")
    log.add(one_row("x"))
    log.close()
    (path,) = tmp_path.rglob("*.jsonl")
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_an_id_that_is_only_spoken_of_is_not_taken_for_the_prediction(tmp_path, opened):
    log = opened(tmp_path)
    wanted = one_row("the right one")
    log.add(one_row(f"somebody writes {wanted.members[0].prediction}"))
    log.add(wanted)
    assert log.find(wanted.members[0].prediction).rows == [{"title": "the right one"}]


def test_of_another_scenario_it_is_not_found(tmp_path, opened):
    log = opened(tmp_path)
    batch = one_row("x")
    log.add(batch)
    assert log.find(batch.members[0].prediction, scenario="shop")
    with pytest.raises(RequestError, match="There is no prediction"):
        log.find(batch.members[0].prediction, scenario="support")


def test_a_line_that_was_cut_off_is_passed_over_and_the_next_begins_anew(tmp_path, opened):
    first = opened(tmp_path, process="p1")
    cut, whole = one_row("cut"), one_row("whole")
    first.add(cut)
    first.close()
    (path,) = tmp_path.rglob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(RequestError, match="There is no prediction"):
        find_logged(tmp_path, cut.members[0].prediction)
    second = opened(tmp_path, process="p1")
    second.add(whole)
    assert second.find(whole.members[0].prediction).rows == [{"title": "whole"}]
    with pytest.raises(RequestError, match="There is no prediction"):
        second.find(cut.members[0].prediction)


def test_what_cannot_be_written_is_counted_and_jams_nothing(tmp_path, opened):
    log = opened(tmp_path)
    good = one_row("good")
    log.add(one_row("bad", options={"thing": object()}))
    log.add(good)
    assert log.find(good.members[0].prediction)
    assert log.status.lost == 1


def test_half_a_character_is_kept(tmp_path, opened):
    log = opened(tmp_path)
    batch = one_row("half \ud83d of a smile")
    log.add(batch)
    assert log.find(batch.members[0].prediction).rows == batch.rows


def test_old_days_go_and_say_so(tmp_path, opened):
    old = (datetime.now(UTC) - timedelta(days=8)).date()
    kept = (datetime.now(UTC) - timedelta(days=6)).date()
    for day in (old, kept):
        (tmp_path / "shop" / day.isoformat() / "blobs").mkdir(parents=True)
    (tmp_path / "shop" / "notes").mkdir()
    log = opened(tmp_path, keep_days=7)
    log.add(one_row("x"))
    until(lambda: not (tmp_path / "shop" / old.isoformat()).exists())
    assert (tmp_path / "shop" / kept.isoformat()).is_dir()
    assert (tmp_path / "shop" / "notes").is_dir()
    with pytest.raises(RequestError, match="is kept no more: predictions stay for 7 days"):
        log.find(f"{old:%Y%m%d}-0123456789abcdef")
    with pytest.raises(RequestError, match="keep_days is 0; keep predictions for at least 1 day"):
        PredictionLog(tmp_path, keep_days=0)


def test_what_was_named_before_midnight_is_found_on_the_next_day(tmp_path, opened):
    log = opened(tmp_path)
    yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y%m%d}-0123456789abcdef"
    log.add(one_row("late", prediction=yesterday))
    assert log.find(yesterday).rows == [{"title": "late"}]


def test_off_means_off():
    log = PredictionLog(None)
    assert not log.add(one_row("x"))
    assert log.status.state == "off"
    with pytest.raises(RequestError, match="was not kept: no predictions are"):
        log.find(one_row("x").members[0].prediction)
    log.close()


def test_without_a_folder_to_write_to_it_says_so_and_goes_on_once_there_is_one(tmp_path, opened):
    (tmp_path / "home").write_text("a file where a folder belongs")
    log = opened(tmp_path / "home" / "predictions")
    until(lambda: log.status.state == "failing")
    batch = one_row("x")
    assert log.add(batch)
    assert "director" in str(log.status.reason) or "exists" in str(log.status.reason)
    (tmp_path / "home").unlink()
    until(lambda: log.status.state == "on")
    assert log.find(batch.members[0].prediction)
    assert log.status.lost == 0


@pytest.fixture
def small_disk(tmp_path):
    """A real disk of 256 KiB, where this machine lets us have one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("no disk can be made here: that takes root")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_costs_what_comes_last_and_no_time(small_disk, opened):
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (200 << 10))
    log = opened(small_disk / "predictions", queue_bytes=80 << 10)
    batches = [one_row(f"{number} {'x' * 2000}") for number in range(300)]
    slowest = 0.0
    taken = []
    for batch in batches:
        begin = time.perf_counter()
        taken.append(log.add(batch))
        slowest = max(slowest, time.perf_counter() - begin)
    until(lambda: log.status.state == "failing" and log.status.reason == os.strerror(28))
    assert slowest < 0.5
    assert taken.count(False) == log.status.lost > 0
    ballast.unlink()
    after = one_row("after")
    until(lambda: log.add(after))
    until(lambda: log.status.state == "on")
    kept = [batch for batch, was_taken in zip(batches, taken, strict=True) if was_taken]
    for batch in [*kept, after]:
        assert log.find(batch.members[0].prediction).rows == batch.rows


def test_a_file_that_may_not_grow_any_more_loses_no_line_that_was_written(tmp_path):
    code = f"""if True:
        import resource, sys, time
        from pathlib import Path
        from releases.serving.prediction_log import PredictionLog
        from tests.support.served import one_row, until
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 200_000))
        log = PredictionLog(Path({str(tmp_path)!r}), sync_seconds=0.01, retry_seconds=0.01)
        sent = [one_row("x" * 1000) for _ in range(60)]
        for batch in sent:
            assert log.add(batch)
            time.sleep(0.002)
        until(lambda: log.status.state == "failing")
        print(log.status.reason)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        until(lambda: log.status.state == "on")
        for batch in sent:
            assert log.find(batch.members[0].prediction).rows == batch.rows
        print("all", log.status.lost)
    """
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines() == [os.strerror(27), "all 0"]
    assert len(lines_of(tmp_path)) == 60
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_disk_that_takes_nothing_never_makes_a_request_wait(tmp_path, opened):
    day = tmp_path / "shop" / day_now()
    day.mkdir(parents=True)
    os.mkfifo(day / "slow.jsonl")
    log = opened(tmp_path, process="slow", queue_bytes=100_000)
    begin = time.perf_counter()
    taken = [log.add(one_row("x" * 1000)) for _ in range(1000)]
    assert time.perf_counter() - begin < 2
    assert 10 < sum(taken) < 100
    assert log.status.state == "failing"
    assert log.status.lost == 1000 - sum(taken)
    assert log.status.waiting_bytes <= 100_000
    reader = os.open(day / "slow.jsonl", os.O_RDONLY | os.O_NONBLOCK)
    until(lambda: drained(reader) and log.status.waiting_bytes == 0)
    os.close(reader)
    (day / "slow.jsonl").unlink()
    batch = one_row("after")
    assert log.add(batch)
    until(lambda: log.status.state == "on")
    assert log.find(batch.members[0].prediction)


def drained(reader):
    with contextlib.suppress(BlockingIOError):
        os.read(reader, 1 << 20)
    return True


def test_closing_does_not_wait_for_a_disk_that_takes_nothing(tmp_path):
    day = tmp_path / "shop" / day_now()
    day.mkdir(parents=True)
    os.mkfifo(day / "slow.jsonl")
    log = PredictionLog(tmp_path, process="slow")
    log.add(one_row("x"))
    begin = time.perf_counter()
    log.close(timeout_seconds=0.2)
    assert time.perf_counter() - begin < 2
    assert (log.add(one_row("y")), log.status.lost) == (False, 2)
    with (day / "slow.jsonl").open("rb"):
        until(lambda: not log._thread.is_alive())


def test_closing_writes_what_waits(tmp_path):
    log = PredictionLog(tmp_path, sync_seconds=60)
    batches = [one_row(str(number)) for number in range(2000)]
    assert all(map(log.add, batches))
    log.close()
    assert len(lines_of(tmp_path)) == 2000


def test_threads_hand_over_at_once_and_nothing_is_lost(tmp_path, opened):
    log = opened(tmp_path)
    sent = [[one_row(f"{thread} {number}") for number in range(100)] for thread in range(8)]
    threads = [threading.Thread(target=lambda own=own: [log.add(one) for one in own]) for own in sent]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert len(lines_of(tmp_path)) == 800
    assert find_logged(tmp_path, sent[7][99].members[0].prediction).rows == [{"title": "7 99"}]


def test_a_killed_process_loses_no_more_than_its_last_moment(tmp_path):
    served = [sys.executable, "-m", "tests.support.served", str(tmp_path)]
    with subprocess.Popen(served, stdout=subprocess.PIPE, text=True) as process:
        said = [process.stdout.readline().strip() for _ in range(400)]
        process.kill()
    found = {line[line.index(b'"prediction":"') + 14 :][:25].decode() for line in lines_of(tmp_path)}
    assert len(found) >= 350
    assert set(said[:350]) <= found
    for prediction in said[:350:50]:
        assert find_logged(tmp_path, prediction).rows == [{"title": "x" * 500}]
