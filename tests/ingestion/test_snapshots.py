import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingestion.snapshots import current_snapshot, open_snapshot
from ingestion.sources import TableSource
from polyloom.errors import DataError, IntegrityError, QuarantineError, RequestError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("id,text,label,extra\n1,one,a,\n2,two,a,\n3,three,b,\n4,four,b,\n")
    return path


@pytest.fixture
def source(path: Path) -> TableSource:
    return TableSource(name="items", paths={"": path}, key="id", text=("text",), columns={"label": "category"})


def test_the_same_rows_are_the_same_snapshot_in_any_order(ingest, source: TableSource, path: Path) -> None:
    first = ingest(source)
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *reversed(rows)]))
    second = ingest(source)
    assert (first.created, second.created) == (True, False)
    assert first.id == second.id


@pytest.mark.parametrize(
    ("old", "new"), [("one", "uno"), ("4,four,b", "5,four,b"), ("3,three,b,\n", ""), ("4,four,b,", "4,four,b,,")]
)
def test_other_rows_are_another_snapshot(ingest, source: TableSource, path: Path, old: str, new: str) -> None:
    first = ingest(source)
    path.write_text(path.read_text().replace(old, new))
    second = ingest(source)
    assert second.created
    assert first.id != second.id
    assert open_snapshot(first.folder).table("items").num_rows == 4


def test_a_new_column_without_values_leaves_the_hashes(ingest, source: TableSource, path: Path) -> None:
    before = open_snapshot(ingest(source).folder).table("items").column("_hash").to_pylist()
    wider = TableSource(
        name="items", paths={"": path}, key="id", text=("text",), columns={"label": "category", "extra": "number"}
    )
    table = open_snapshot(ingest(wider).folder).table("items")
    assert table.column("_hash").to_pylist() == before
    assert table.column("extra").to_pylist() == [None] * 4


def test_the_key_is_no_part_of_the_content(ingest, source: TableSource, path: Path) -> None:
    path.write_text("id,text,label\n1,same,a\n2,same,a\n")
    hashes = open_snapshot(ingest(source).folder).table("items").column("_hash").to_pylist()
    assert hashes[0] == hashes[1]
    assert len(hashes[0]) == 16


def test_the_pointer_names_the_last_snapshot(ingest, source: TableSource, tmp_path: Path) -> None:
    assert current_snapshot(tmp_path / "snapshots", "toy") is None
    report = ingest(source)
    assert current_snapshot(tmp_path / "snapshots", "toy") == report.folder
    assert json.loads((tmp_path / "snapshots/toy/current.json").read_text()) == {"id": report.id}


def test_the_manifest_tells_what_is_there(ingest, source: TableSource) -> None:
    report = ingest(source)
    snapshot = open_snapshot(report.folder)
    described = snapshot.manifest["tables"]["items"]
    assert snapshot.id == snapshot.manifest["id"] == report.id == report.folder.name
    assert described["rows_in"] == described["rows_kept"] == described["rows_available"] == 4
    assert described["columns"] == {"id": "category", "text": "text", "label": "category"}
    assert described["columns_ignored"] == ["extra"]
    assert sum(described["splits"].values()) == 4
    assert [view["rows"] for view in described["views"]] == [part["rows"] for part in described["parts"]] == [4]
    assert sorted(path.name for path in report.folder.iterdir()) == ["manifest.json", "quarantine.parquet"]


def test_too_many_refused_rows_stop_before_anything_is_published(ingest, source, path: Path, tmp_path: Path) -> None:
    good = ingest(source)
    path.write_text("id,text,label\n1,one,a\n1,two,a\n3,,b\n4,four,b\n")
    with pytest.raises(
        QuarantineError,
        match=r"data.items: 2 of 4 rows were refused \(duplicate_key 1, empty_text 1\), more than quarantine.max_share",
    ) as caught:
        ingest(source, max_share=0.4)
    refused = tmp_path / "snapshots/toy/refused.parquet"
    assert str(refused) in str(caught.value)
    assert pq.read_table(refused).column("reason").to_pylist() == ["duplicate_key", "empty_text"]
    assert current_snapshot(tmp_path / "snapshots", "toy") == good.folder
    assert ingest(source, max_share=0.5).rows_quarantined == 2
    assert not refused.exists()


def test_no_row_left(ingest, source: TableSource, path: Path) -> None:
    path.write_text("id,text,label\n1,,a\n")
    with pytest.raises(DataError, match=r"1 of 1 rows were refused \(empty_text 1\), so no row is left"):
        ingest(source)


def test_no_rows_at_all(ingest, source: TableSource, path: Path) -> None:
    path.write_text("id,text,label\n")
    with pytest.raises(DataError, match=r"rows.csv holds no rows. Put rows there"):
        ingest(source)


def test_a_refused_row_that_leaves_a_label_alone_takes_its_partner_along(
    ingest, source: TableSource, path: Path
) -> None:
    path.write_text("id,text,label,other\n1,x,a,p\n2,x,a,q\n3,x,b,q\n4,x,b,q\n5,x,b,q\n")
    wider = TableSource(
        name="items", paths={"": path}, key="id", text=("text",), columns={"label": "category", "other": "category"}
    )
    report = ingest(wider, rare_labels={"items": ["label", "other"]})
    assert report.tables["items"].reasons == {"label_seen_once": 2}
    assert open_snapshot(report.folder).table("items").column("_key").to_pylist() == ["3", "4", "5"]


def test_users_items_and_times_of_events(ingest, tmp_path: Path) -> None:
    (tmp_path / "events.tsv").write_text("who\twhat\twhen\tkind\nu1\ti1\t2026-01-01\tview\nu1\t\t2026-01-01\tbuy\n")
    source = TableSource(
        name="events", paths={"": tmp_path / "events.tsv"}, user="who", item="what", time="when", weight="kind"
    )
    report = ingest(source)
    (event,) = open_snapshot(report.folder).table("events").to_pylist()
    assert (event["who"], event["what"], event["kind"], event["when"].year) == ("u1", "i1", "view", 2026)
    assert report.tables["events"].reasons == {"missing_value": 1}


def test_a_changed_byte_is_found(ingest, source: TableSource) -> None:
    folder = ingest(source).folder
    for changed in (folder.parent / "parts").glob("*.parquet"):
        whole = changed.read_bytes()
        content = bytearray(whole)
        content[20] ^= 1
        changed.write_bytes(content)
        with pytest.raises(IntegrityError, match=rf"{changed.name} is not what its snapshot recorded"):
            open_snapshot(folder).table("items")
        changed.write_bytes(whole)


def test_no_such_table_and_no_such_snapshot(ingest, source: TableSource, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the snapshot has no table 'rows'. Tables there: items"):
        open_snapshot(ingest(source).folder).table("rows")
    with pytest.raises(IntegrityError, match=r"holds no snapshot: manifest.json cannot be read"):
        open_snapshot(tmp_path)


def test_paths_must_be_splits(path: Path) -> None:
    with pytest.raises(RequestError, match=r"data.t.path: \['dev'\] is not a set of splits"):
        TableSource(name="t", paths={"dev": path})


def test_an_unknown_ending(ingest, tmp_path: Path) -> None:
    (tmp_path / "rows.docx").write_bytes(b"PK")
    with pytest.raises(RequestError, match=r"'rows.docx' ends in '.docx'. Allowed endings: .arrow, .csv, "):
        ingest(TableSource(name="t", paths={"": tmp_path / "rows.docx"}, text=("a",)))


def test_a_wrong_separator_is_guessed(ingest, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id;text\n1;a\n")
    with pytest.raises(DataError, match=r"no column 'text'.* Is the separator ';'"):
        ingest(TableSource(name="t", paths={"": tmp_path / "rows.csv"}, text=("text",)))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(ingest, source: TableSource, path: Path) -> None:
    path.chmod(0)
    with pytest.raises(RequestError, match=r"rows.csv cannot be read. Give yourself the right"):
        ingest(source)
