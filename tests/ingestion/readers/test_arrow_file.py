import struct
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pytest

from ingestion.readers.arrow_file import ArrowReader
from ingestion.readers.chunks import RawColumns
from ingestion.readers.picture_values import PictureBytes
from polyloom.errors import DataError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.arrow"


def test_types_and_chosen_columns(path: Path) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    table = pa.table({"a": ["说"], "tags": [["x", "y"]], "at": pa.array([at]), "left": [1]})
    pa.feather.write_feather(table, path)
    reader = ArrowReader(path, columns=["at", "a", "tags", "gone"])
    assert reader.header() == {"a", "tags", "at", "left"}
    assert [dict(row.values) for row in reader.rows()] == [{"a": "说", "tags": ["x", "y"], "at": at}]


def test_pictures_come_as_bytes(path: Path) -> None:
    table = pa.table({"photo": pa.array([b"\x89PNG", None], pa.binary()), "other": [b"x", b"y"]})
    pa.feather.write_feather(table, path)
    rows = [dict(row.values) for row in ArrowReader(path, image="photo").rows()]
    assert rows == [{"photo": PictureBytes(b"\x89PNG"), "other": b"x"}, {"photo": None, "other": b"y"}]
    (chunk,) = ArrowReader(path, image="photo").chunks({})
    (rows,) = chunk.segments()
    assert rows[0].values["photo"] == PictureBytes(b"\x89PNG")


def test_chunks_hold_the_same_rows_and_their_digest_follows_the_content(path: Path) -> None:
    def digests(values: list[str]) -> list[str]:
        pa.feather.write_feather(pa.table({"a": values}), path, chunksize=100)
        return [chunk.digest for chunk in ArrowReader(path).chunks({})]

    letters = [f"row {number}" for number in range(250)]
    before = digests(letters)
    segments = [segment for chunk in ArrowReader(path).chunks({}) for segment in chunk.segments()]
    assert all(isinstance(segment, RawColumns) for segment in segments)
    assert [value for segment in segments for value in segment.table["a"].to_pylist()] == letters
    assert [int(segment.numbers[0]) for segment in segments] == [1, 101, 201]
    after = digests([*letters, "one more"])
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_text_that_is_not_utf8_spoils_its_own_row_only(path: Path) -> None:
    column = pa.array([b"fine", b"\xff", "好".encode()], pa.binary()).view(pa.string())
    with pa.ipc.new_file(path, pa.schema([("a", pa.string())])) as file:
        file.write_batch(pa.record_batch([column], names=["a"]))
    assert [row.values["a"] for row in ArrowReader(path).rows()] == ["fine", b"\xff", "好"]


def test_offsets_that_lead_out_of_the_file_are_found_before_they_are_followed(path: Path) -> None:
    pa.feather.write_feather(pa.table({"a": ["abc", "def"]}), path, compression="uncompressed")
    offsets = struct.pack("<3i", 0, 3, 6)
    content = path.read_bytes()
    assert content.count(offsets) == 1
    path.write_bytes(content.replace(offsets, struct.pack("<3i", 0, 3, 10**6)))
    with pytest.raises(DataError, match=r"rows.arrow is not a whole Arrow file: .*Write it again"):
        list(ArrowReader(path).rows())


@pytest.mark.parametrize(
    "content", [b"ARROW1\0\0", b"ARROW1\0\0" + b"\xff" * 500, b"\xff\xff\xff\xff" * 9, b"a,b\n1,2\n"]
)
def test_what_is_no_arrow_file(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"rows.arrow is not a whole Arrow file"):
        list(ArrowReader(path).rows())


def test_feather_of_old(path: Path) -> None:
    path.write_bytes(b"FEA1" + bytes(100))
    with pytest.raises(
        DataError, match=r"rows.arrow is Feather version 1, which is no longer read. Write it as version 2"
    ):
        ArrowReader(path).header()


def test_no_rows(path: Path) -> None:
    pa.feather.write_feather(pa.table({"a": pa.array([], pa.string())}), path)
    assert ArrowReader(path).header() == {"a"}
    assert list(ArrowReader(path).rows()) == []
