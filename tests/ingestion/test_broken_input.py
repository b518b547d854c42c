"""Twelve kinds of broken input: each is told apart, none is a stack trace, and no row vanishes."""

import csv
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ingestion.snapshots import open_snapshot
from ingestion.sources import TableSource
from polyloom.errors import DataError, RequestError

GOOD_ROWS = 10


def with_row(*fields: object) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["id", "title", "price", "label"])
    for number in range(GOOD_ROWS):
        writer.writerow([number, f"row {number}", number / 2, "even" if number % 2 == 0 else "odd"])
    writer.writerow(fields)
    return buffer.getvalue().encode()


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(buffer, format="JPEG")
    return buffer.getvalue()


def huge_png() -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 20_000, 15_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


class Refused(NamedTuple):
    content: bytes
    reason: str
    message: str
    line: int = GOOD_ROWS + 2


ROWS = {
    "wrong type": Refused(with_row("x", "row", "cheap", "odd"), "wrong_type", "'price': 'cheap' is not a number"),
    "NaN": Refused(with_row("x", "row", "NaN", "odd"), "wrong_type", "'price': NaN is not a number"),
    "duplicate key": Refused(
        with_row("3", "row", "1", "odd"), "duplicate_key", "the key '3' stands in rows.csv, row 5"
    ),
    "latin-1": Refused(
        with_row("x", "row", "1", "odd").replace(b"x,row", "x,café".encode("latin-1")),
        "bad_encoding",
        "not utf-8; declare the file's own encoding in the scenario, such as `encoding: latin-1`",
    ),
    "ragged": Refused(with_row("x", "row", "1"), "ragged_row", "the row has 3 fields, the first line names 4"),
    "label seen once": Refused(with_row("x", "row", "1", "neither"), "label_seen_once", "'neither' is the only row"),
}
PICTURES = {
    "truncated JPEG": Refused(jpeg()[:-200], "picture_truncated", "ends too early", GOOD_ROWS + 1),
    "0-byte picture": Refused(b"", "picture_empty", "0 bytes", GOOD_ROWS + 1),
    "300-megapixel PNG": Refused(huge_png(), "picture_too_large", "the limit is 64 megapixels", GOOD_ROWS + 1),
}
FILES = {
    "missing file": (None, RequestError, "there is no .*rows.csv. Check the path"),
    "empty file": (b"", DataError, "rows.csv is empty: its first line must name the columns"),
    "wrong column": (
        with_row("x", "row", "1", "odd").replace(b"title", b"titel"),
        DataError,
        "rows.csv: no column 'title'. Columns there: 'id', 'label', 'price', 'titel'. Did you mean 'titel'?",
    ),
}


def rows_source(tmp_path: Path, content: bytes | None) -> TableSource:
    path = tmp_path / "rows.csv"
    if content is not None:
        path.write_bytes(content)
    return TableSource(
        name="items",
        paths={"": path},
        key="id",
        text=("title",),
        columns={"price": "number", "label": "category"},
        required=("price",),
    )


def picture_source(tmp_path: Path, content: bytes) -> TableSource:
    folder = tmp_path / "pictures" / "things"
    folder.mkdir(parents=True)
    for number in range(GOOD_ROWS):
        (folder / f"{number}.jpg").write_bytes(jpeg())
    (folder / "broken.jpg").write_bytes(content)
    return TableSource(
        name="items", kind="pictures", paths={"": tmp_path / "pictures"}, image="image", columns={"label": "category"}
    )


@pytest.mark.parametrize("kind", [*ROWS, *PICTURES, *FILES])
def test_broken_input_has_a_reason_and_no_row_vanishes(kind: str, tmp_path: Path, ingest: Callable) -> None:
    targets = {"items": ["label"]}
    if kind in FILES:
        content, error, message = FILES[kind]
        with pytest.raises(error, match=message):
            ingest(rows_source(tmp_path, content), rare_labels=targets)
        assert not list((tmp_path / "snapshots").glob("toy/*"))
        return
    expected = ROWS.get(kind) or PICTURES[kind]
    source = (rows_source if kind in ROWS else picture_source)(tmp_path, expected.content)

    report = ingest(source, rare_labels=targets)

    assert (report.rows_in, report.rows_kept, report.rows_quarantined) == (GOOD_ROWS + 1, GOOD_ROWS, 1)
    (refused,) = open_snapshot(report.folder).quarantine().to_pylist()
    assert refused["reason"] == expected.reason
    assert expected.message in refused["message"]
    assert refused["row"] == expected.line
    assert report.tables["items"].reasons == {expected.reason: 1}
    assert open_snapshot(report.folder).table("items").num_rows == GOOD_ROWS


def test_required_nan_in_a_parquet_number_is_of_the_wrong_type(tmp_path: Path, ingest: Callable) -> None:
    pq.write_table(pa.table({"price": [1.0, float("nan")]}), tmp_path / "rows.parquet")
    source = TableSource(
        name="items", paths={"": tmp_path / "rows.parquet"}, columns={"price": "number"}, required=("price",)
    )
    assert ingest(source).tables["items"].reasons == {"wrong_type": 1}
