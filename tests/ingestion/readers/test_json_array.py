from pathlib import Path

import pytest

from ingestion.readers.json_array import JsonArrayReader
from polyloom.errors import DataError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.json"


def read(path: Path, content: str | bytes, encoding: str = "utf-8") -> list[tuple[int, object]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    rows = JsonArrayReader(path, encoding=encoding).rows()
    return [(row.number, row.refusal.reason if row.refusal else row.values) for row in rows]


@pytest.mark.parametrize(
    "around", ["%s", '{"rows": %s}', '{"meta": {"inner": [1, [2]], "n": 1}, "数据": %s, "z": null}']
)
def test_an_array_or_an_object_with_one(path: Path, around: str) -> None:
    array = (
        '[{"a": "说", "n": 1, "f": 1.5, "big": 123456789012345678901, "l": ["x", 2.5], "o": {"k": 0.1}}, {"b": null}]'
    )
    assert read(path, around % array) == [
        (1, {"a": "说", "n": 1, "f": 1.5, "big": 123456789012345678901, "l": ["x", 2.5], "o": {"k": 0.1}}),
        (2, {"b": None}),
    ]


def test_numbers_are_int_and_float(path: Path) -> None:
    values = read(path, '[{"n": 1, "f": 1.0, "e": 1e3}]')[0][1]
    assert [type(value) for value in values.values()] == [int, float, float]


def test_what_is_no_object_is_refused_alone(path: Path) -> None:
    assert read(path, '[{"a": 1}, 2, [3], null, {"a": 4}]') == [
        (1, {"a": 1}), (2, "bad_json"), (3, "bad_json"), (4, "bad_json"), (5, {"a": 4}),
    ]  # fmt: skip


def test_no_elements_are_no_rows(path: Path) -> None:
    assert read(path, "[]") == read(path, '{"rows": []}') == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030", "latin-1"])
def test_other_encodings(path: Path, encoding: str) -> None:
    letter = "ü" if encoding == "latin-1" else "说"
    rows = "[" + ",".join(f'{{"a": "{letter * 1000}"}}' for _ in range(200)) + "]"
    assert read(path, rows, encoding) == [(number, {"a": letter * 1000}) for number in range(1, 201)]


def test_a_mark_before_utf8(path: Path) -> None:
    assert read(path, b'\xef\xbb\xbf[{"a": 1}]') == [(1, {"a": 1})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"rows.json is empty. Put an array of objects there"),
        ("  \n", r"rows.json is not whole JSON: .*Repair the file or write it again"),
        ('[{"a": 1}, {"a": ', r"rows.json is not whole JSON"),
        ('[{"a": NaN}]', r"rows.json is not whole JSON: .*invalid"),
        ('[{"a": 1}] [', r"rows.json is not whole JSON: .*trailing garbage"),
        ("<html>", r"rows.json is not whole JSON"),
        ('"text"', r"rows.json has no array. It must be one array of objects"),
        ('{"a": 1}', r"rows.json has no array"),
        ('{"train": [], "test": []}', r"rows.json has the arrays 'train', 'test'. .*exactly one array"),
        (b'[{"a": "\xff"}]', r"rows.json is not whole JSON: .*UTF8"),
        ("[" * 200_000, r"rows.json is nested more than 100 deep. Write it flatter"),
        ('[{"a": ' * 200_000, r"rows.json is nested more than 100 deep"),
    ],
)
def test_what_cannot_be_read(path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(path, content)


def test_bytes_outside_the_declared_encoding(path: Path) -> None:
    path.write_bytes('[{"a": "说"}]'.encode("gb18030") + b"\xff")
    with pytest.raises(DataError, match=r"rows.json cannot be read as gb18030: .*Declare the file's own encoding"):
        list(JsonArrayReader(path, encoding="gb18030").rows())
