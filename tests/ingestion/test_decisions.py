"""What only several rows or tables can decide."""

from pathlib import Path

import pytest

from ingestion.rules import ColumnRule, Rules
from ingestion.snapshots import open_snapshot
from ingestion.sources import TableSource


@pytest.fixture
def write(tmp_path: Path):
    def file(name: str, text: str) -> dict[str, Path]:
        (tmp_path / name).write_text(text)
        return {"": tmp_path / name}

    return file


def refused(report) -> dict[str, list[tuple[int, str, str]]]:
    rows = open_snapshot(report.folder).quarantine().to_pylist()
    return {
        table: [(row["row"], row["reason"], row["message"]) for row in rows if row["table"] == table]
        for table in sorted({row["table"] for row in rows})
    }


def test_a_reference_needs_a_kept_row(ingest, write) -> None:
    items = TableSource(
        name="items", paths=write("items.csv", "id,text\na,lamp\nb,\na,again\n"), key="id", text=("text",)
    )
    events = TableSource(
        name="events",
        paths=write("events.csv", "who,what\n1,a\n2,b\n3,c\n4,\n"),
        columns={"what": "category"},
        rules=Rules(columns={"what": ColumnRule(references="items")}),
    )
    found = refused(ingest(items, events))
    assert [(row, reason) for row, reason, _ in found["items"]] == [(3, "empty_text"), (4, "duplicate_key")]
    assert found["events"] == [
        (3, "unknown_reference", "'what': 'b' is no key of the kept rows of 'items'."),
        (4, "unknown_reference", "'what': 'c' is no key of the kept rows of 'items'."),
    ]


def test_references_in_a_ring_fall_one_after_the_other(ingest, write) -> None:
    rules = Rules(columns={"next": ColumnRule(references="t")})
    chain = "id,next\na,b\nb,c\nc,gone\nd,e\ne,d\n"
    source = TableSource(name="t", paths=write("t.csv", chain), key="id", columns={"next": "category"}, rules=rules)
    report = ingest(source)
    assert open_snapshot(report.folder).table("t", ["_key"]).column("_key").to_pylist() == ["d", "e"]
    assert [row for row, *_ in refused(report)["t"]] == [2, 3, 4]


def test_a_value_that_must_be_unique(ingest, write) -> None:
    source = TableSource(
        name="t",
        paths=write("t.csv", "id,sku\n1,A\n2,B\n3,A\n4,\n5,\n6,A\n"),
        key="id",
        columns={"sku": "category"},
        rules=Rules(columns={"sku": ColumnRule(unique=True)}),
    )
    assert refused(ingest(source))["t"] == [
        (4, "not_unique", "'sku': 'A' stands in t.csv, row 2 already; it must be unique."),
        (7, "not_unique", "'sku': 'A' stands in t.csv, row 2 already; it must be unique."),
    ]


def test_equal_rows_without_a_key_are_numbered(ingest, write) -> None:
    source = TableSource(name="t", paths=write("t.csv", "text\nsame\nother\nsame\nsame\n"), text=("text",))
    keys = open_snapshot(ingest(source).folder).table("t", ["_key"]).column("_key").to_pylist()
    assert keys == [keys[0], keys[1], f"{keys[0]}-2", f"{keys[0]}-3"]


def test_rows_of_a_group_share_a_split_and_time_moves_no_row(ingest, write) -> None:
    lines = [f"{day:02d},p{day % 7},text {day}" for day in range(1, 29)]
    body = "\n".join(f"2026-01-{line}" for line in lines)
    grouped = TableSource(name="g", paths=write("g.csv", f"at,who,text\n{body}\n"), text=("text",), group="who")
    timed = TableSource(name="d", paths=write("d.csv", f"at,who,text\n{body}\n"), text=("text",), time_split="at")
    first = open_snapshot(ingest(grouped, timed).folder)
    sides: dict[str, set[str]] = {}
    for row in first.table("g", ["who", "_split"]).to_pylist():
        sides.setdefault(row["who"], set()).add(row["_split"])
    assert all(len(split) == 1 for split in sides.values())
    before = first.table("d", ["_key", "_split"]).to_pylist()
    assert [row["_split"] for row in before] == sorted(
        (row["_split"] for row in before), key=["train", "validation", "test"].index
    )
    later = "\n".join(f"2026-02-{day:02d},p1,later {day}" for day in range(1, 29))
    write("d.csv", f"at,who,text\n{body}\n{later}\n")
    after = open_snapshot(ingest(grouped, timed).folder).table("d", ["_key", "_split"]).to_pylist()
    assert after[: len(before)] == before
    assert {row["_split"] for row in after[len(before) :]} == {"test"}
