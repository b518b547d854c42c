"""Refused rows are browsed, exported with their own columns, repaired and replayed; a replay twice changes nothing."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.quarantine import QuarantinedRow, quarantine_table
from ingestion.quarantine_export import export_quarantine
from ingestion.quarantine_view import open_quarantine
from ingestion.replayed import MARK, Replayed
from ingestion.replaying import replay_again, replay_file
from ingestion.snapshots import REFUSED
from ingestion.sources import TableSource
from polyloom.errors import RequestError

ROWS = "id,text,price\na,first,1\nb,二,x\nc,,3\nd,fourth,y\n"


@pytest.fixture
def folder(ingest, tmp_path: Path) -> Path:
    """A scenario's folder whose quarantine holds b and d (no numbers) and c (no text)."""
    (tmp_path / "rows.csv").write_text(ROWS)
    source = TableSource(
        name="t", paths={"": tmp_path / "rows.csv"}, key="id", text=("text",), columns={"price": "number"}
    )
    assert ingest(source).rows_quarantined == 3
    return tmp_path / "snapshots" / "toy"


def refused(*rows: tuple[str, int, str]) -> pa.Table:
    return quarantine_table(QuarantinedRow("t", source, row, "", "bad", "", content) for source, row, content in rows)


def repair(path: Path, **changes: dict[str, str]) -> Path:
    """Change cells of an exported CSV, by the key of the row."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row.update(changes.get(row["id"], {}))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_browse_by_table_reason_and_page(folder: Path) -> None:
    quarantine = open_quarantine(folder)
    assert quarantine.counts() == [
        {"table": "t", "reason": "wrong_type", "rows": 2},
        {"table": "t", "reason": "empty_text", "rows": 1},
    ]
    assert [row.key for row in quarantine.page(offset=1, limit=5)] == ["c", "d"]
    chosen = quarantine.select(table="t", reason="wrong_type", source="rows.csv")
    assert [(row.key, row.row, row.values) for row in chosen] == [
        ("b", 3, {"id": "b", "text": "二", "price": "x"}),
        ("d", 5, {"id": "d", "text": "fourth", "price": "y"}),
    ]
    row = next(iter(chosen))
    assert quarantine.row(row.id[:6]) == row
    with pytest.raises(
        RequestError, match=r"--reason 'wrong_typ': no row .* Did you mean 'wrong_type'\? There: empty_text, wrong"
    ):
        quarantine.select(reason="wrong_typ")
    with pytest.raises(RequestError, match=r"'zzz' is not the id of a row in quarantine: it is none of the 3 rows"):
        quarantine.row("zzz")


def test_the_rows_that_stopped_an_ingestion_are_the_ones_to_look_at(folder: Path) -> None:
    pq.write_table(refused(("other.csv", 2, "{}")), folder / REFUSED)
    quarantine = open_quarantine(folder)
    assert (quarantine.origin, len(quarantine)) == ("the ingestion that was stopped", 1)
    with pytest.raises(RequestError, match=r"nobody was never ingested. Next: polyloom ingest nobody"):
        open_quarantine(folder.parent / "nobody")


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_an_export_has_the_sources_own_columns(folder: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.{ending}"
    assert export_quarantine(open_quarantine(folder), path) == 3
    if ending == "csv":
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    else:
        rows = (
            pq.read_table(path).to_pylist()
            if ending == "parquet"
            else list(map(json.loads, path.read_text().splitlines()))
        )
    assert [(row["id"], row["text"], row["price"]) for row in rows][::2] == [("b", "二", "x"), ("d", "fourth", "y")]
    assert [row["quarantine_reason"] for row in rows] == ["wrong_type", "empty_text", "wrong_type"]
    report = replay_file(folder, path)
    assert (report.replayed, report.known, report.unchanged) == (0, 0, 3)
    assert len(Replayed.open(folder)) == 0


def test_repaired_rows_are_read_in_the_place_of_those_they_repair(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    export_quarantine(open_quarantine(folder), path)
    repair(path, b={"price": "2"})
    assert replay_file(folder, path).replayed == 1
    before = sorted((folder / "replayed").rglob("*"))
    again = replay_file(folder, path)
    assert (again.replayed, again.known, again.unchanged) == (0, 1, 2)
    assert sorted((folder / "replayed").rglob("*")) == before

    content = json.dumps({"id": "b", "text": "二", "price": "x"}, ensure_ascii=False)
    now = refused(("rows.csv", 9, "other"), ("rows.csv", 7, content), ("else.csv", 7, content))
    assert {
        position: (row.source, row.number, row.values)
        for position, row in Replayed.open(folder).in_place_of(now).items()
    } == {1: (f"rows.csv{MARK}", 7, {"id": "b", "text": "二", "price": "2"})}


def test_a_row_that_was_refused_again_is_repaired_once_more(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    export_quarantine(open_quarantine(folder), path)
    replay_file(folder, repair(path, b={"price": "two"}))
    (raw,) = Replayed.open(folder).in_place_of(open_quarantine(folder).rows).values()
    pq.write_table(refused((raw.source, raw.number, raw.content)), folder / REFUSED)
    export_quarantine(open_quarantine(folder), path)
    repair(path, b={"price": "2"})
    assert replay_file(folder, path).replayed == 1
    (folder / REFUSED).unlink()
    assert replay_file(folder, path).known == 1, "by the id that it had when it was refused again"
    (raw,) = Replayed.open(folder).in_place_of(open_quarantine(folder).rows).values()
    assert raw.values["price"] == "2"


def test_equal_rows_are_repaired_one_by_one(folder: Path) -> None:
    twin = '{"id": "e"}'
    both = refused(("rows.csv", 3, twin), ("rows.csv", 5, twin))
    pq.write_table(both, folder / REFUSED)
    first, second = open_quarantine(folder)
    assert first.id != second.id
    replay_again(folder, [first])
    pq.write_table(both.slice(1), folder / REFUSED)
    (left,) = open_quarantine(folder)
    assert left.id == second.id
    assert list(Replayed.open(folder).in_place_of(both)) == [0]


def test_a_line_that_nobody_could_read_is_given_columns(folder: Path, tmp_path: Path) -> None:
    pq.write_table(refused(("rows.jsonl", 3, '{"id": "e", "price":'), ("rows.jsonl", 4, "?")), folder / REFUSED)
    path = tmp_path / "out.jsonl"
    export_quarantine(open_quarantine(folder), path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows[0]["quarantine_content"] == '{"id": "e", "price":'
    rows[0]["quarantine_content"] = '{"id": "e", "price": 4}'
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = replay_file(folder, path)
    assert (report.replayed, report.unreadable) == (1, 1)
    rows[1] |= {"id": "f", "price": 5}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert replay_file(folder, path).replayed == 1
    found = Replayed.open(folder).in_place_of(pq.read_table(folder / REFUSED))
    assert [row.values for row in found.values()] == [{"id": "e", "price": 4}, {"id": "f", "price": 5}]


def test_what_nobody_touched_keeps_its_type(folder: Path, tmp_path: Path) -> None:
    content = json.dumps({"tags": ["a", "b"], "n": 3, "text": None, "ok": True})
    pq.write_table(refused(("rows.jsonl", 3, content), ("rows.jsonl", 4, '{"extra": 1}')), folder / REFUSED)
    path = tmp_path / "out.csv"
    export_quarantine(open_quarantine(folder), path)
    path.write_text(path.read_text(encoding="utf-8-sig").replace(",True", "").replace(",3,,", ",3,now,"))
    replay_file(folder, path)
    (replay,) = Replayed.open(folder).rows.values()
    assert replay.values == {"tags": ["a", "b"], "n": 3, "text": "now", "ok": True}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.xls", "", r"rows.xls ends in '.xls'. Allowed endings: .csv, .jsonl, .parquet."),
        ("none.csv", None, r"none.csv: there is no such file. `polyloom quarantine SCENARIO export"),
        ("rows.csv", "id\nb\n", r"rows.csv, row 2: no quarantine_id. Keep that column"),
        ("rows.csv", "quarantine_id\nffff\n", r"'ffff' is not the id of a row in quarantine .* 3 rows.* Export again"),
        ("rows.jsonl", "{broken\n", r"rows.jsonl, line 1: the line is not JSON: .* Repair it and replay again."),
        ("rows.csv", "", r"rows.csv is empty: .* A repaired file is UTF-8, with commas."),
    ],
)
def test_a_file_that_cannot_be_replayed(folder: Path, tmp_path: Path, name, content, message) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(RequestError, match=message):
        replay_file(folder, tmp_path / name)
