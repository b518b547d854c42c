"""A log that loses nothing and shows no half: also when its writer is killed, and when several write at once."""

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ingestion.event_log import append, segments
from ingestion.readers.event_log_reader import EventLogReader
from polyloom.errors import DataError, IntegrityError

KILLS = 60
BATCH = 7
# Appends batches for ever and tells after each; a killed child may have told less than it wrote, never more.
KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from ingestion.event_log import append

moments = random.Random(7)
folder, batch = Path(sys.argv[1]), int(sys.argv[2])
# On a busy machine an append takes as long as on an idle one thirty do.
started = time.monotonic()
for number in range(5):
    append(folder.with_name("measured"), [{"part": part, "text": "文" * 5000} for part in range(batch)])
longest = max(0.03, time.monotonic() - started)
for line in sys.stdin:
    told_read, told_write = os.pipe()
    child = os.fork()
    if child == 0:
        number = int(line) * 1_000_000
        while True:
            rows = [{"n": number, "part": part, "text": "文" * 5000} for part in range(batch)]
            append(folder, rows, segment_bytes=200_000)
            os.write(told_write, b"%d\\n" % number)
            number += 1
    os.close(told_write)
    time.sleep(moments.uniform(0.0, longest))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    told = b""
    while block := os.read(told_read, 65536):
        told += block
    os.close(told_read)
    print(told.decode().replace("\\n", " ").strip(), flush=True)
"""
AT_ONCE = """
import os, sys
from pathlib import Path
from ingestion.event_log import append

writers = []
for writer in range(4):
    child = os.fork()
    if child == 0:
        for number in range(25):
            rows = [{"writer": writer, "n": number, "part": part} for part in range(3)]
            append(Path(sys.argv[1]), rows, segment_bytes=500)
        os._exit(0)
    writers.append(child)
sys.exit(any(os.waitpid(writer, 0)[1] for writer in writers))
"""


def values(folder: Path) -> list[dict]:
    rows = list(EventLogReader(folder).rows())
    assert [row.refusal for row in rows if row.refusal] == []
    return [dict(row.values) for row in rows]


def chunk_values(folder: Path) -> list[object]:
    segments_of_chunks = [
        segment for chunk in EventLogReader(folder).chunks({"n": "number"}) for segment in chunk.segments()
    ]
    return [n for segment in segments_of_chunks for n in segment.table["n"].to_pylist()]


def test_rows_come_back_with_their_origin(tmp_path: Path) -> None:
    at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert append(tmp_path / "events", [{"user": "伟\u2028", "at": at}, {"user": "b", "at": at.date()}]) == 2
    assert append(tmp_path / "events", iter([{"user": None}])) == 1
    rows = list(EventLogReader(tmp_path / "events").rows())
    assert [(row.source, row.number) for row in rows] == [("00000001.jsonl", number) for number in (1, 2, 3)]
    assert [row.values for row in rows] == [
        {"user": "伟\u2028", "at": "2026-01-01T00:00:00+00:00"}, {"user": "b", "at": "2026-01-01"}, {"user": None},
    ]  # fmt: skip


def test_nothing_is_appended_where_nothing_is_given(tmp_path: Path) -> None:
    assert append(tmp_path / "events", []) == 0
    assert not (tmp_path / "events").exists()
    with pytest.raises(DataError, match=r"events is empty: it is no event log yet. Write rows with"):
        EventLogReader(tmp_path / "events")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"a": float("nan")}, "row 2 cannot be written as JSON: Out of range float"),
        ({"a": {1}}, "row 2 cannot be written as JSON: a set has no form in JSON"),
        ({"a": "\ud800"}, "row 2 cannot be written as JSON: .*surrogates not allowed"),
    ],
)
def test_a_row_that_has_no_form_in_json_stops_all_of_its_batch(tmp_path: Path, row: dict, message: str) -> None:
    append(tmp_path, [{"a": 0}])
    with pytest.raises(DataError, match=f"{message}.*Nothing was appended"):
        append(tmp_path, [{"a": 1}, row])
    assert values(tmp_path) == [{"a": 0}]


def test_segments_roll_at_their_size_and_are_never_written_again(tmp_path: Path) -> None:
    line = len(b'{"n":100}\n')
    for number in range(100, 110):
        append(tmp_path, [{"n": number}], segment_bytes=3 * line)
    sizes = [segment.path.stat().st_size for segment in segments(tmp_path)]
    assert sizes == [3 * line] * 3 + [line]
    first = next(segments(tmp_path)).path
    assert [row["n"] for row in map(json.loads, first.read_text().splitlines())] == [100, 101, 102]
    assert [row["n"] for row in values(tmp_path)] == chunk_values(tmp_path) == list(range(100, 110))


def test_a_reader_sees_no_bytes_that_were_not_confirmed_and_the_next_append_cuts_them(tmp_path: Path) -> None:
    append(tmp_path, [{"n": 1}])
    path = next(segments(tmp_path)).path
    for tail in (b'{"n": 2', b'{"n": 2}\n', b'{"n": 2}\n{"n"'):
        with path.open("ab") as stream:
            stream.write(tail)
        assert [row["n"] for row in values(tmp_path)] == chunk_values(tmp_path) == [1]
    append(tmp_path, [{"n": 3}])
    assert path.read_text() == '{"n":1}\n{"n":3}\n'


def test_a_segment_that_is_gone_or_cut_is_named(tmp_path: Path) -> None:
    for number in range(2):
        append(tmp_path, [{"n": number}], segment_bytes=1)
    first, second = (segment.path for segment in segments(tmp_path))
    second.write_bytes(b'{"n"')
    with pytest.raises(
        IntegrityError, match=r"00000002.jsonl is missing or shorter than recorded in log.json. Bring it back"
    ):
        list(EventLogReader(tmp_path).rows())
    first.unlink()
    with pytest.raises(IntegrityError, match=r"00000001.jsonl is missing"):
        list(EventLogReader(tmp_path).rows())


def test_a_killed_append_leaves_all_of_its_rows_or_none(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    told: set[int] = set()
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), str(BATCH)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for kill in range(KILLS):
            process.stdin.write(f"{kill}\n")
            process.stdin.flush()
            told |= set(map(int, process.stdout.readline().split()))
            found = [(row["n"], row["part"]) for row in values(folder)] if (folder / "log.json").exists() else []
            batches = [found[start : start + BATCH] for start in range(0, len(found), BATCH)]
            assert batches == [[(batch[0][0], part) for part in range(BATCH)] for batch in batches]
            assert told <= {batch[0][0] for batch in batches}
            assert len({batch[0][0] for batch in batches}) == len(batches)
        process.stdin.close()
        assert process.wait(60) == 0
    assert len(told) > KILLS / 2
    assert len(list(segments(folder))) > 1


def test_several_writers_wait_for_each_other(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", AT_ONCE, str(tmp_path)], check=True, timeout=60)
    rows = [(row["writer"], row["n"], row["part"]) for row in values(tmp_path)]
    assert sorted(rows) == [(writer, n, part) for writer in range(4) for n in range(25) for part in range(3)]
    for writer in range(4):
        assert [row[1:] for row in rows if row[0] == writer] == [(n, part) for n in range(25) for part in range(3)]
