import json
import re
import subprocess
import sys

import pytest

from polyloom.errors import IntegrityError
from releases.ledger import GENESIS, Ledger


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger" / "shop.jsonl")


def filled(ledger, count=4):
    for number in range(count):
        ledger.append("intent", {"version": str(number), "why": "因为更好"})
    return ledger


def test_a_ledger_without_file_is_empty(ledger):
    assert ledger.entries() == []
    assert ledger.verify() == 0
    assert not ledger.path.exists()


def test_each_line_holds_the_digest_of_the_one_before(ledger):
    filled(ledger)
    lines = [json.loads(line) for line in ledger.path.read_text(encoding="utf-8").splitlines()]
    assert [line["number"] for line in lines] == [1, 2, 3, 4]
    assert [line["previous"] for line in lines] == [GENESIS, *(line["digest"] for line in lines[:-1])]
    assert lines[0]["facts"] == {"version": "0", "why": "因为更好"}
    assert ledger.verify() == 4


def test_append_returns_what_entries_reads(ledger):
    written = ledger.append("done", {"intent": 1})
    assert ledger.entries() == [written]
    assert written.at.utcoffset().total_seconds() == 0


def test_every_flipped_byte_is_found_and_its_line_named(ledger):
    filled(ledger, 3)
    content = ledger.path.read_bytes()
    starts = [0, *(found.end() for found in re.finditer(b"\n", content))]
    for position in range(0, len(content), 7):
        if content[position : position + 1] == b"\n":
            continue
        line = max(number for number, start in enumerate(starts, start=1) if start <= position)
        ledger.path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(IntegrityError, match=f"shop.jsonl: line {line} of "):
            ledger.verify()


@pytest.mark.parametrize(("keep", "broken"), [([1, 2, 3], 1), ([0, 2, 3], 2), ([0, 2, 1, 3], 2), ([0, 1, 1, 2, 3], 3)])
def test_a_line_removed_moved_or_repeated_is_found(ledger, keep, broken):
    lines = filled(ledger).path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(lines[number] for number in keep))
    with pytest.raises(IntegrityError, match=f"line {broken} of {len(keep)} is not what was written.*Restore the file"):
        ledger.verify()


def test_nothing_is_added_to_a_broken_ledger(ledger):
    lines = filled(ledger).path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(b"".join(lines[1:]))
    with pytest.raises(IntegrityError, match="line 1 of 3"):
        ledger.append("done", {})
    assert ledger.path.read_bytes() == b"".join(lines[1:])


def test_a_torn_last_line_is_not_there_yet_and_goes_with_the_next_append(ledger):
    content = filled(ledger).path.read_bytes()
    end_of_third = content[:-1].rindex(b"\n") + 1
    for cut in range(end_of_third, len(content) - 1, 13):
        ledger.path.write_bytes(content[:cut])
        assert ledger.verify() == 3
        assert ledger.append("done", {"after": cut}).number == 4
        assert ledger.verify() == 4


def test_a_whole_last_line_without_its_line_break_is_kept(ledger):
    ledger.path.write_bytes(filled(ledger).path.read_bytes()[:-1])
    ledger.append("done", {})
    assert [entry.event for entry in ledger.entries()] == ["intent"] * 4 + ["done"]


APPENDING = """
import sys
from pathlib import Path
from releases.ledger import Ledger

for number in range(15):
    Ledger(Path(sys.argv[1])).append("intent", {"number": number})
"""


def test_processes_that_append_at_once_lose_nothing(ledger):
    writers = [subprocess.Popen([sys.executable, "-c", APPENDING, str(ledger.path)]) for _ in range(4)]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    assert ledger.verify() == 60


def test_a_ledger_that_was_read_before_is_still_verified(ledger):
    content = filled(ledger).path.read_bytes()
    assert ledger.verify() == 4
    ledger.path.write_bytes(content.replace(b'"number":2,', b'"number":7,', 1))
    with pytest.raises(IntegrityError, match="line 2 of 4 is not what was written"):
        ledger.verify()
    ledger.path.write_bytes(content[: content.index(b"\n") + 1])
    assert ledger.verify() == 1
