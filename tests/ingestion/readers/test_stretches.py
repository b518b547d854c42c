"""Stretches of a file: whole lines, hashed and numbered without being kept."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.readers.stretches import Stretch, bytes_digest, count_lines, stretches
from polyloom.errors import DataError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"one\ntwo\n\nthree, which is longer\nfour\nfive without an end")
    return path


def test_lines_stay_whole_and_nothing_is_lost(path: Path) -> None:
    found = list(stretches(path, length=6))
    contents = [stretch.content() for stretch in found]
    assert contents == [b"one\ntwo\n", b"\nthree, which is longer\n", b"four\nfive without an end"]
    assert [stretch.first for stretch in found] == [1, 3, 5]
    assert [stretch.lines for stretch in found] == [2, 2, 1]


@given(lines=st.lists(st.binary(max_size=9), max_size=30), length=st.integers(1, 40), start=st.integers(0, 5))
def test_any_file_in_any_length(tmp_path_factory, lines, length, start) -> None:
    path = tmp_path_factory.mktemp("stretches") / "lines"
    content = b"\n".join(lines)
    path.write_bytes(content)
    found = list(stretches(path, start=start, length=length))
    assert b"".join(stretch.content() for stretch in found) == content[start:]
    numbers = [stretch.first for stretch in reversed(list(stretches(path, start=start, length=length)))]
    assert numbers == [1 + content[start : stretch.start].count(b"\n") for stretch in reversed(found)]
    for stretch in stretches(path, start=start, length=length):
        taken = content[stretch.start : stretch.start + stretch.length]
        assert stretch.digest == bytes_digest(taken)
        assert stretch.lines == count_lines(taken) == taken.count(b"\n")


def test_the_end_is_where_it_was_said_to_be(path: Path) -> None:
    (stretch,) = stretches(path, end=8)
    assert stretch.content() == b"one\ntwo\n"
    growing = stretches(path, length=6)
    first = next(growing)
    with path.open("ab") as stream:
        stream.write(b"\nsix\n")
    assert b"".join(one.content() for one in (first, *growing)).endswith(b"five without an end")


def test_what_was_told_is_not_counted(path: Path) -> None:
    first, second, third = stretches(path, length=6)
    path.unlink()
    first.tell_lines(2)
    second.tell_lines(2)
    assert (third.first, second.first) == (5, 3)
    with pytest.raises(FileNotFoundError):
        third.content()


def test_held_bytes_are_read_once(path: Path) -> None:
    first, second, _ = stretches(path, length=6)
    first.hold()
    path.write_bytes(b"other")
    assert first.digest == bytes_digest(b"one\ntwo\n")
    assert (second.first, first.lines, first.content()) == (3, 2, b"one\ntwo\n")


@pytest.mark.parametrize("after", [b"one\nTWO\n", b"one"])
def test_a_file_that_changes_meanwhile_is_told(path: Path, after: bytes) -> None:
    stretch = Stretch(path, start=0, length=8)
    assert stretch.digest == bytes_digest(b"one\ntwo\n")
    path.write_bytes(after)
    with pytest.raises(DataError, match=r"rows.jsonl changed while it was read. Ingest again"):
        stretch.content()
