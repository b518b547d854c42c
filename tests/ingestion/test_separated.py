import csv
import io
from pathlib import Path

import pytest

from ingestion.readers.reader import RawRow
from ingestion.readers.separated import SeparatedReader
from polyloom.errors import DataError, RequestError


def read(path: Path, content: bytes, *, encoding: str = "utf-8", separator: str = ",") -> list[RawRow]:
    path.write_bytes(content)
    return list(SeparatedReader(path, encoding=encoding, separator=separator).rows())


def outcomes(rows: list[RawRow]) -> list[tuple[int, str]]:
    return [(row.number, row.refusal.reason if row.refusal else "kept") for row in rows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv"


def test_quoted_line_ends_separators_and_chinese(path: Path) -> None:
    rows = read(path, 'a,b\r\n"one\ntwo, three",1\r\n\r\n"说 ""你好""",2\r\n'.encode())
    assert [row.values for row in rows] == [{"a": "one\ntwo, three", "b": "1"}, {"a": '说 "你好"', "b": "2"}]
    assert [row.number for row in rows] == [2, 5]


def test_byte_order_mark_is_no_part_of_the_first_name(path: Path) -> None:
    assert read(path, b"\xef\xbb\xbfa\n1\n")[0].values == {"a": "1"}


def test_tab_separated(path: Path) -> None:
    assert read(path, b"a\tb\nx, y\t2\n", separator="\t")[0].values == {"a": "x, y", "b": "2"}


def test_a_quote_left_open_refuses_its_own_line_only(path: Path) -> None:
    rows = read(path, b'a,b\n1,2\n"open,3\n4,5\n6,7\n')
    assert outcomes(rows) == [(2, "kept"), (3, "ragged_row"), (4, "kept"), (5, "kept")]
    assert rows[1].content == '"open,3'


def test_the_tail_of_a_badly_quoted_row_is_not_taken_for_a_row(path: Path) -> None:
    rows = read(path, b'a,b\n"he said "hi"\nthere",3\n4,5\n')
    assert outcomes(rows) == [(2, "ragged_row"), (3, "ragged_row"), (4, "kept")]


def test_a_field_that_is_too_large_is_one_refused_row(path: Path) -> None:
    rows = read(path, b"a,b\n1,2\n" + b"x" * (csv.field_size_limit() + 1) + b",3\n4,5\n")
    assert outcomes(rows) == [(2, "kept"), (3, "field_too_large"), (4, "kept")]


def test_a_nul_byte_is_a_problem_of_its_row(path: Path) -> None:
    rows = read(path, b"a,b\n1,\x00\n4,5\n")
    assert outcomes(rows) == [(2, "bad_encoding"), (3, "kept")]
    assert "NUL byte" in rows[0].refusal.message


@pytest.mark.parametrize("encoding", ["latin-1", "gb18030", "utf-16", "cp1252"])
def test_a_declared_encoding_is_used(path: Path, encoding: str) -> None:
    word = "中文" if encoding in {"gb18030", "utf-16"} else "café"
    assert read(path, f"a,b\n{word},2\n".encode(encoding), encoding=encoding)[0].values["a"] == word


def test_bytes_of_another_encoding_refuse_their_row(path: Path) -> None:
    rows = read(path, b"a,b\nok,1\n" + "中文,2\n".encode("gb18030"))
    assert outcomes(rows) == [(2, "kept"), (3, "bad_encoding")]
    assert "`encoding: gb18030`" in rows[1].refusal.message


def test_utf16_is_recognised(path: Path) -> None:
    with pytest.raises(
        DataError, match="starts with a UTF-16 byte order mark but is read as utf-8; declare `encoding: utf-16`"
    ):
        read(path, "a,b\n1,2\n".encode("utf-16"))


def test_a_file_that_breaks_off_inside_utf16(path: Path) -> None:
    with pytest.raises(DataError, match=r"rows.csv cannot be read as utf-16 after line"):
        read(path, "a,b\n1,2\n".encode("utf-16")[:-1], encoding="utf-16")


@pytest.mark.parametrize("encoding", ["utf8x", "hex"])
def test_an_unknown_encoding_is_refused(path: Path, encoding: str) -> None:
    with pytest.raises(RequestError, match=f"encoding: '{encoding}' is not a text encoding"):
        read(path, b"a\n1\n", encoding=encoding)


def test_a_separator_is_one_character(path: Path) -> None:
    with pytest.raises(RequestError, match="separator: '::' is not one character"):
        read(path, b"a\n", separator="::")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,a\n1,2\n", "the column 'a' stands twice"),
        (b"caf\xe9,b\n1,2\n", "line 1: the row holds bytes that are not utf-8"),
        (b'"a"b,c\n1,2\n', "the first line does not name columns"),
    ],
)
def test_a_first_line_that_names_no_columns(path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(path, content)


def test_agrees_with_the_csv_module_on_what_it_wrote(path: Path) -> None:
    buffer = io.StringIO()
    records = [["x", "y"], ["1", 'a "b" c'], ["\r\n", ","], ["末", "\t"]]
    csv.writer(buffer).writerows(records)
    assert [list(row.values.values()) for row in read(path, buffer.getvalue().encode())] == records[1:]
