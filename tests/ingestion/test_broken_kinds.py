"""Every kind of broken input in every kind of source: each is told apart, none is a stack trace, no good row is lost.

The kinds are those of the table in docs/ingestion.md, no more and no fewer.
"""

import random
import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.readers import zip_limits
from ingestion.readers.picture_values import PictureBytes
from ingestion.readers.reader import RawRow, original_text
from ingestion.snapshots import open_snapshot
from polyloom.errors import DataError, PolyloomError, QuarantineError
from tests.support import broken_pictures
from tests.support.broken_files import BINARY, FILE_KINDS, file_of, whole
from tests.support.broken_lines import LINE_KINDS
from tests.support.broken_pictures import BOX_KINDS, GOOD_PICTURES, IMAGES, PICTURE_KINDS
from tests.support.broken_tables import DELIMITED, GOOD_ROWS, LINES, TABLES, WRITERS, good_row, good_rows, table_source
from tests.support.broken_values import DECLARED, VALUES

TARGETS = {"rows": ["label"]}
DAMAGES = 6
COLUMNS, WANTED = 4, 40


@pytest.mark.parametrize("source", TABLES)
def test_broken_values_beside_each_other(source: str, tmp_path: Path, ingest: Callable) -> None:
    kinds = {name: kind for name, kind in VALUES.items() if source in kind.sources}
    broken = []
    for place, kind in enumerate(kinds.values(), start=GOOD_ROWS):
        broken.append(good_row(place, **kind.broken))
    rows = [*good_rows(), *broken]
    columns = dict(DECLARED["columns"])
    if "box without its sides" in kinds:
        columns["boxes"] = "boxes"
        rows[0]["boxes"] = [{"label": "cat", "x": 0, "y": 0, "width": 2, "height": 2}]
    path = WRITERS[source](tmp_path, rows)
    (tmp_path / "items.csv").write_text("id,title\na,an item\nb,another\n")
    others = table_source("CSV", tmp_path / "items.csv", name="items", columns={}, required=())

    report = ingest(table_source(source, path, **{**DECLARED, "columns": columns}), others, rare_labels=TARGETS)

    quarantined = [row for row in open_snapshot(report.folder).quarantine().to_pylist() if row["table"] == "rows"]
    kept = open_snapshot(report.folder).table("rows", ["_key"])["_key"].to_pylist()
    assert sorted(kept) == sorted(row["id"] for row in good_rows())
    assert report.tables["rows"].rows_in == len(rows) == len(kept) + len(quarantined)
    for name, kind in kinds.items():
        found = [row for row in quarantined if row["reason"] == kind.reason and kind.message in row["message"]]
        assert len(found) == 1, (name, [(row["reason"], row["message"]) for row in quarantined])


LINE_CASES = [(name, source) for name, kind in LINE_KINDS.items() for source in kind.writers]


@pytest.mark.parametrize(("name", "source"), LINE_CASES)
def test_a_broken_line_alone_is_refused(name: str, source: str, tmp_path: Path, ingest: Callable) -> None:
    kind = LINE_KINDS[name]

    report = ingest(kind.writers[source](tmp_path))

    (refused,) = open_snapshot(report.folder).quarantine().to_pylist()
    assert refused["reason"] == kind.reason
    assert kind.message in refused["message"]
    assert (report.rows_in, report.rows_kept) == (GOOD_ROWS + 2, GOOD_ROWS + 1)
    if source in {**DELIMITED, **LINES}:
        assert refused["row"] == GOOD_ROWS + (2 if source in DELIMITED else 1)


@pytest.mark.parametrize("source", broken_pictures.PICTURES)
def test_broken_pictures_beside_each_other(source: str, tmp_path: Path, ingest: Callable) -> None:
    kinds = {name: kind for name, kind in PICTURE_KINDS.items() if source in kind.sources}
    pictures = dict(IMAGES)
    for place, (name, kind) in enumerate(kinds.items()):
        pictures[f"{place}-broken.jpg" if name != "picture is missing" else "broken.jpg"] = kind.content()

    report = ingest(broken_pictures.WRITERS[source](tmp_path, pictures))

    quarantined = open_snapshot(report.folder).quarantine().to_pylist()
    assert (report.rows_in, report.rows_kept) == (len(pictures), GOOD_PICTURES)
    assert len(quarantined) == len(kinds)
    for name, kind in kinds.items():
        found = [row for row in quarantined if row["reason"] == kind.reason and kind.message in row["message"]]
        assert len(found) == 1, (name, [(row["reason"], row["message"]) for row in quarantined])


BOX_CASES = [(name, layout) for name, kind in BOX_KINDS.items() for layout in kind.writers]


@pytest.mark.parametrize(("name", "source"), BOX_CASES)
def test_broken_boxes_refuse_their_picture_alone(name: str, source: str, tmp_path: Path, ingest: Callable) -> None:
    kind = BOX_KINDS[name]

    report = ingest(kind.writers[source](tmp_path))

    (refused,) = open_snapshot(report.folder).quarantine().to_pylist()
    assert refused["reason"] == kind.reason
    assert kind.message in refused["message"]
    assert (report.rows_in, report.rows_kept) == (GOOD_PICTURES + kind.extra, GOOD_PICTURES - 1 + kind.extra)


FILE_CASES = [(name, source) for name, kind in FILE_KINDS.items() for source in kind.writers]


@pytest.mark.parametrize(("name", "source"), FILE_CASES)
def test_an_unreadable_source_is_named(
    name: str, source: str, tmp_path: Path, ingest: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bomb of real size would take seconds to be packed.
    monkeypatch.setattr(zip_limits, "RATIO_COUNTS_FROM_BYTES", 1 << 20)
    kind = FILE_KINDS[name]
    broken = kind.writers[source](tmp_path)

    with pytest.raises(kind.error, match=f"(?s){kind.message}"):
        ingest(broken)

    assert not list((tmp_path / "snapshots").glob("toy/*/manifest.json"))


@pytest.mark.parametrize("source", BINARY)
def test_damage_anywhere_is_told_or_every_row_is_there(source: str, tmp_path: Path, ingest: Callable) -> None:
    chance = random.Random(11)
    for attempt in range(DAMAGES):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        broken = whole(source)(folder)
        content = bytearray(file_of(broken).read_bytes())
        start = chance.randrange(len(content))
        content[start : start + 8] = chance.randbytes(8)
        file_of(broken).write_bytes(content)
        try:
            report = ingest(broken)
        except PolyloomError:
            continue
        assert report.rows_in == report.rows_kept + report.rows_quarantined


def test_too_many_refused_rows_stop_everything(tmp_path: Path, ingest: Callable) -> None:
    path = WRITERS["CSV"](tmp_path, [*good_rows(), good_row(GOOD_ROWS, price="cheap")])
    with pytest.raises(QuarantineError, match=r"1 of 9 rows were refused .*more than quarantine.max_share"):
        ingest(table_source("CSV", path), max_share=0.1)
    assert not list((tmp_path / "snapshots").glob("toy/*/manifest.json"))


def test_the_guide_lists_exactly_these_kinds() -> None:
    page = (Path(__file__).parents[2] / "docs/ingestion.md").read_text(encoding="utf-8")
    told = {
        cells[0]: (set(cells[1].split(", ")), re.findall(r"`(\w+)`", cells[2])[:1], cells[3])
        for line in page.partition("## Broken input")[2].splitlines()
        if line.startswith("| ") and len(cells := [cell.strip() for cell in line.strip("| ").split(" | ")]) == COLUMNS
    }
    told.pop("kind")
    tested = {
        **{name: (set(kind.sources), [kind.reason], "0") for name, kind in (VALUES | PICTURE_KINDS).items()},
        **{name: (set(kind.writers), [kind.reason], "0") for name, kind in (LINE_KINDS | BOX_KINDS).items()},
        **{name: (set(kind.writers), [], str(kind.error.exit_code)) for name, kind in FILE_KINDS.items()},
    }
    assert told == tested
    assert len(told) >= WANTED


def test_required_nan_in_a_parquet_number_is_of_the_wrong_type(tmp_path: Path, ingest: Callable) -> None:
    pq.write_table(pa.table({"price": [1.0, float("nan")]}), tmp_path / "rows.parquet")
    source = table_source("Parquet", tmp_path / "rows.parquet", key=None, text=(), columns={"price": "number"})
    assert ingest(source).tables["rows"].reasons == {"wrong_type": 1}


def test_a_refused_picture_is_described_not_printed() -> None:
    raw = RawRow("rows.arrow", 1, {"image": PictureBytes(b"x" * 5000)})
    assert original_text(raw) == '{"image": "<picture of 5000 bytes>"}'


def test_a_damaged_checksum_of_a_packed_tar_is_noticed(tmp_path: Path, ingest: Callable) -> None:
    source = whole("tar")(tmp_path)
    content = bytearray(file_of(source).read_bytes())
    content[-8] ^= 0xFF
    file_of(source).write_bytes(content)
    with pytest.raises(DataError, match=r"all.tar.gz cannot be unpacked: CRC check failed .*Fetch or pack it again"):
        ingest(source)


def test_a_column_name_that_is_no_text_is_told(tmp_path: Path, ingest: Callable) -> None:
    source = table_source("Parquet", WRITERS["Parquet"](tmp_path, [{**row, "zzzz": "1"} for row in good_rows()]))
    content = file_of(source).read_bytes()
    file_of(source).write_bytes(content.replace(b"zzzz", b"\xffzzz"))
    with pytest.raises(DataError, match=r"rows.parquet is not a readable Parquet file"):
        ingest(source)
