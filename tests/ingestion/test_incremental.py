"""A store that has seen earlier versions of a source holds what a fresh one would, and makes only what is new."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import seeing
from ingestion.collection import collect
from ingestion.parts import PartStore
from ingestion.readers import stretches
from ingestion.snapshots import SnapshotReport, open_snapshot, take_snapshot
from ingestion.sources import TableSource

CHUNK_BYTES = 1200
ROWS = 60
KEYED = TableSource(
    name="t",
    paths={"": Path()},
    key="id",
    text=("text",),
    columns={"label": "category", "shop": "category", "at": "time"},
)
SHAPES = {
    "keys": KEYED,
    "no keys": replace(KEYED, key=None),
    "groups": replace(KEYED, group="shop"),
    "times": replace(KEYED, time_split="at"),
    "a column": replace(KEYED, split="part", columns={**KEYED.columns, "part": "category"}),
    "a sample": replace(KEYED, sample={"train": 20}),
}
EDITS = st.lists(
    st.tuples(st.sampled_from(["append", "change", "remove", "repeat", "insert"]), st.integers(0, ROWS - 1)),
    min_size=1,
    max_size=3,
)


def row(number: int, text: str = "") -> str:
    return json.dumps(
        {
            "id": f"k{number}",
            "text": text or f"row {number}",
            "label": f"label {number % 3}" if number % 29 else "rare",
            "shop": f"shop {number % 7}",
            "at": f"2026-01-{1 + number % 28:02d}",
            "part": ("train", "test", "validation", "train")[number % 4],
        }
    )


def ingest(source: TableSource, path: Path, store: Path, *, seed: int = 3) -> SnapshotReport:
    return take_snapshot(
        scenario="toy",
        tables=[replace(source, paths={"": path})],
        store=store,
        blobs=path.parent / "blobs",
        max_share=1.0,
        fractions={"validation": 0.2, "test": 0.2},
        seed=seed,
        rare_labels={"t": ["label"]},
    )


def told(report: SnapshotReport) -> list:
    """What a snapshot says, apart from the files that it rests on."""
    snapshot = open_snapshot(report.folder)
    described = snapshot.manifest["tables"]["t"]
    rest = {name: described[name] for name in described if name not in {"parts", "views", "profile"}}
    # Of an older snapshot with the same sample the parts, and so their profiles, hold other rows.
    profile = described["profile"] if report.created else None
    return [told_rows(table, report) for table in (snapshot.table("t"), snapshot.quarantine())] + [rest, profile]


def told_rows(table: pa.Table, report: SnapshotReport) -> list:
    """A table's rows; of an older snapshot with the same sample without their lines, which may be others by now."""
    lines = [] if report.created else [name for name in ("_row", "row") if name in table.column_names]
    return table.drop_columns(lines).to_pylist()


@pytest.fixture
def small_chunks(monkeypatch) -> None:
    monkeypatch.setattr(stretches, "CHUNK_BYTES", CHUNK_BYTES)


@pytest.mark.parametrize("shape", [name for name in SHAPES if name != "times"])
@settings(max_examples=5, deadline=None)
@given(edits=EDITS)
def test_as_if_the_store_were_fresh(shape, edits) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretches, "CHUNK_BYTES", CHUNK_BYTES)
        path = Path(folder) / "rows.jsonl"
        rows = [row(number) for number in range(ROWS)]
        path.write_text("\n".join(rows) + "\n")
        ingest(SHAPES[shape], path, Path(folder) / "old")
        for step, (what, place) in enumerate(edits):
            at = place % len(rows)
            if what == "remove":
                del rows[at]
            elif what == "change":
                rows[at] = row(at, text=f"changed {step}")
            else:
                where = at if what == "insert" else len(rows)
                rows.insert(where, rows[at] if what == "repeat" else row(1000 * (step + 1)))
            path.write_text("\n".join(rows) + "\n")
            again = ingest(SHAPES[shape], path, Path(folder) / "old")
            fresh = ingest(SHAPES[shape], path, Path(folder) / f"fresh{step}")
            assert again.id == fresh.id
            assert told(again) == told(replace(fresh, created=again.created))


def test_a_byte_in_the_middle_is_noticed(tmp_path: Path, small_chunks) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(row(number) + "\n" for number in range(ROWS)))
    first = ingest(KEYED, path, tmp_path / "store")
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"row 30"', b'"row 3O"'))
    second = ingest(KEYED, path, tmp_path / "store")
    assert second.tables["t"].parts - second.tables["t"].parts_reused == 1
    assert second.id != first.id
    texts = {one["_key"]: one["text"] for one in open_snapshot(second.folder).table("t").to_pylist()}
    assert (texts["k30"], texts["k31"]) == ("row 3O", "row 31")
    path.write_bytes(content)
    assert ingest(KEYED, path, tmp_path / "store").id == first.id


def views(report: SnapshotReport) -> list[str]:
    return [view["sha256"] for view in open_snapshot(report.folder).manifest["tables"]["t"]["views"]]


def test_only_new_views_are_made(tmp_path: Path, small_chunks, monkeypatch) -> None:
    made = []
    put = seeing.put_view

    def counted(store, part, rows, **told):
        made.append(part.digest)
        return put(store, part, rows, **told)

    monkeypatch.setattr(seeing, "put_view", counted)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(row(number) + "\n" for number in range(1, 29)))
    first = ingest(KEYED, path, tmp_path / "store")
    assert len(made) == first.tables["t"].parts
    made.clear()
    ingest(KEYED, path, tmp_path / "store")
    assert made == []
    with path.open("a") as stream:
        stream.write(row(30) + "\n")
    second = ingest(KEYED, path, tmp_path / "store")
    assert len(made) == second.tables["t"].parts - second.tables["t"].parts_reused <= 2
    kept = second.tables["t"].parts_reused
    assert views(second)[:kept] == views(first)[:kept]
    made.clear()
    third = ingest(KEYED, path, tmp_path / "store", seed=4)
    assert len(made) == third.tables["t"].parts == third.tables["t"].parts_reused


def test_a_view_that_is_lost_is_made_again(tmp_path: Path, small_chunks) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(row(number) + "\n" for number in range(1, 29)))
    first = ingest(KEYED, path, tmp_path / "store")
    rows = open_snapshot(first.folder).table("t")
    for lost in (tmp_path / "store/toy/parts").glob("*.view.parquet"):
        lost.unlink()
    again = ingest(KEYED, path, tmp_path / "store")
    assert (again.id, again.created) == (first.id, False)
    assert open_snapshot(first.folder).table("t").equals(rows)


def test_a_repeated_key_is_found_without_reading_other_parts(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(stretches, "CHUNK_BYTES", 500)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(row(number) + "\n" for number in range(1, 60)))
    ingest(KEYED, path, tmp_path / "store")
    with path.open("a") as stream:
        stream.write(row(7, text="another text") + "\n")
    read = set()
    kept = PartStore.kept

    def watched(self, part, columns=None, **how):
        if set(columns or ()) != {"_identity"}:
            read.add(part.digest)
        return kept(self, part, columns, **how)

    monkeypatch.setattr(PartStore, "kept", watched)
    report = ingest(KEYED, path, tmp_path / "store")
    monkeypatch.undo()
    parts = open_snapshot(report.folder).manifest["tables"]["t"]["parts"]
    assert read == {parts[1]["digest"], parts[-1]["digest"]}
    assert len(parts) > 8
    assert report.tables["t"].reasons == {"duplicate_key": 1}
    (refused,) = open_snapshot(report.folder).quarantine().to_pylist()
    assert (refused["row"], refused["content"]) == (60, row(7, text="another text"))
    assert refused["message"] == "the key 'k7' stands in rows.jsonl, row 7 already."


def test_gc_takes_views_that_nobody_sees_by(tmp_path: Path, small_chunks) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(row(number) + "\n" for number in range(1, 29)))
    first = ingest(KEYED, path, tmp_path / "store")
    second = ingest(KEYED, path, tmp_path / "store", seed=4)
    there = {file.name.partition(".")[0] for file in (tmp_path / "store/toy/parts").glob("*.view.parquet")}
    assert there == {*views(first), *views(second)}
    collect(tmp_path / "store/toy", blobs=tmp_path / "blobs", keep=1)
    there = {file.name.partition(".")[0] for file in (tmp_path / "store/toy/parts").glob("*.view.parquet")}
    assert there == {*views(second)}
    assert open_snapshot(second.folder).table("t").num_rows == 28
