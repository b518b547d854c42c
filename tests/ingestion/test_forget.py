"""A forgotten item is in no byte of the store any more, comes back with no ingestion, and takes nobody else along."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingestion.barred import Barrier, reference_columns
from ingestion.forget import forget
from ingestion.forgotten import LEDGER, Forgotten
from ingestion.history import snapshot_folders
from ingestion.quarantine_export import export_quarantine
from ingestion.quarantine_view import open_quarantine
from ingestion.replaying import replay_file
from ingestion.snapshots import current_snapshot, open_snapshot
from ingestion.sources import TableSource
from polyloom.errors import RequestError

SECRET = "Ms Winterbottom of 7 Larch Lane"
ITEMS = [
    {"id": "a", "text": "a lamp", "picture": "red.png"},
    {"id": "b", "text": SECRET, "picture": "blue.png"},
    {"id": "c", "text": "a chair", "picture": "red.png"},
]


@pytest.fixture
def store(ingest, tmp_path: Path, picture) -> Path:
    """Three snapshots of items and of what people did with them; the second and third hold b."""
    for colour in ("red", "blue"):
        (tmp_path / f"{colour}.png").write_bytes(picture(colour))
    items = TableSource(name="items", paths={"": tmp_path / "items.jsonl"}, key="id", text=("text",), image="picture")
    events = TableSource(name="events", paths={"": tmp_path / "events.jsonl"}, user="user", item="item")
    assert reference_columns(events) == ("user", "item")
    broken = ["{" + json.dumps(SECRET) + ', "id": "b"', json.dumps({"id": "b", "text": 7, "picture": SECRET})]
    for rows in (ITEMS[:1], ITEMS[:2], ITEMS):
        lines = [json.dumps(row) for row in rows] + (broken if len(rows) > 1 else [])
        (tmp_path / "items.jsonl").write_text("\n".join(lines) + "\n")
        seen = [{"user": user, "item": row["id"]} for row in rows for user in ("u1", "u2")]
        (tmp_path / "events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in seen))
        ingest(items, events)
    return tmp_path


def forget_in(place: Path, *keys: str, **given):
    references = {"events": ("user", "item")}
    return forget(place / "snapshots/toy", keys, blobs=place / "blobs", references=references, **given)


def bytes_that_tell(place: Path, *words: str) -> list[str]:
    """The files under the store and the pictures that hold a word, also inside Parquet's compression."""
    found = []
    for path in [*(place / "snapshots").rglob("*"), *(place / "blobs").rglob("*")]:
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += json.dumps(pq.read_table(path).to_pylist(), default=str, ensure_ascii=False).encode()
            found += [path.name for word in words if word.encode() in content]
    return found


def test_every_byte_of_an_item_leaves_and_the_others_stay(store: Path) -> None:
    folder = store / "snapshots/toy"
    export_quarantine(open_quarantine(folder), store / "out.jsonl")
    lines = [json.loads(line) for line in (store / "out.jsonl").read_text().splitlines()]
    repaired = [{**line, "id": "b", "text": f"{SECRET}, repaired"} for line in lines]
    (store / "out.jsonl").write_text("".join(json.dumps(line) + "\n" for line in repaired))
    assert replay_file(folder, store / "out.jsonl").replayed == 2
    before = {path.name for path in snapshot_folders(folder)}
    assert bytes_that_tell(store, SECRET)

    told = forget_in(store, "b")
    assert (told.rows, told.refused, told.replayed, told.pictures) == ({"items": 1, "events": 2}, 2, 2, 1)
    assert bytes_that_tell(store, SECRET) == []
    assert len(list((store / "blobs").glob("??/*"))) == 1
    assert "items.jsonl, row 2" in told.places
    assert "events.jsonl, row 3" in told.places

    after = {path.name for path in snapshot_folders(folder)}
    assert len(after) == 3
    assert set(told.snapshots) == before - after == set(told.held_by)
    assert set(told.snapshots.values()) == after - before
    current = open_snapshot(current_snapshot(folder.parent, "toy"))
    assert current.table("items")["_key"].to_pylist() == ["a", "c"]
    assert current.table("items")["text"].to_pylist() == ["a lamp", "a chair"]
    assert current.table("events").select(["user", "item", "_row"]).to_pylist() == [
        {"user": user, "item": item, "_row": row}
        for item, user, row in [("a", "u1", 1), ("a", "u2", 2), ("c", "u1", 5), ("c", "u2", 6)]
    ]
    for path in snapshot_folders(folder):
        snapshot = open_snapshot(path)
        for name, described in snapshot.manifest["tables"].items():
            assert described["rows_in"] == described["rows_kept"] + described["rows_quarantined"]
            assert described["rows_kept"] == snapshot.table(name).num_rows == sum(described["splits"].values())
    assert current.quarantine().num_rows == 0


def test_a_person_who_is_only_referred_to_leaves_too(store: Path) -> None:
    told = forget_in(store, "u2")
    assert told.rows == {"items": 0, "events": 3}
    current = open_snapshot(current_snapshot(store / "snapshots", "toy"))
    assert current.table("events")["user"].unique().to_pylist() == ["u1"]
    assert current.table("items").num_rows == 3


def test_the_ledger_holds_no_key_and_is_asked_twice(store: Path) -> None:
    forget_in(store, "b")
    ledger = (store / "snapshots/toy" / LEDGER).read_text()
    assert '"b"' not in ledger
    told = forget_in(store, "b")
    assert (told.rows, told.snapshots) == ({"items": 0, "events": 0}, {})
    assert len(told.held_by) == 2
    assert (store / "snapshots/toy" / LEDGER).read_text() == ledger
    with pytest.raises(RequestError, match=r"'items-1': no row of toy has this key.* Nothing was removed"):
        forget_in(store, "items-1")


def test_the_barrier_keeps_a_forgotten_item_out(store: Path) -> None:
    folder = store / "snapshots/toy"
    current = open_snapshot(current_snapshot(folder.parent, "toy"))
    kept, refused = current.table("items"), current.quarantine()
    forgotten = Forgotten.open(folder)
    barrier = Barrier(forgotten=forgotten, references=())
    assert barrier.left_of(kept, refused, has_key=True) == (kept, refused, 0)
    forgotten.add(["b"], snapshots=[], pictures=[])
    left = Barrier(forgotten=Forgotten.open(folder), references=()).left_of(kept, refused, has_key=True)
    assert (left.kept["_key"].to_pylist(), left.refused.num_rows, left.forgotten) == (["a", "c"], 0, 3)
    events = current.table("events")
    forgotten.add(["u1"], snapshots=[], pictures=[])
    left = Barrier(forgotten=forgotten, references=("user", "item")).left_of(events, refused.slice(0, 0), has_key=True)
    assert left.kept.select(["user", "item"]).to_pylist() == [{"user": "u2", "item": "a"}, {"user": "u2", "item": "c"}]


def test_rows_without_keys_are_known_by_what_their_content_gives(ingest, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(f"text\none\n{SECRET}\n{SECRET}\n")
    report = ingest(TableSource(name="t", paths={"": tmp_path / "rows.csv"}, text=("text",)))
    _, first, second = open_snapshot(report.folder).table("t")["_key"].to_pylist()
    assert second == f"{first}-2"
    told = forget(tmp_path / "snapshots/toy", [second], blobs=tmp_path / "blobs", references={})
    assert told.rows == {"t": 2}
    assert bytes_that_tell(tmp_path, SECRET) == []


FORGET = """
import os, signal, sys, threading, time
from pathlib import Path
import ingestion.forgetting
from ingestion.forget import forget

place, moment = Path(sys.argv[1]), float(sys.argv[2])
threading.Thread(target=lambda: (time.sleep(moment), os.kill(os.getpid(), signal.SIGKILL)), daemon=True).start()
forget(place / "snapshots/toy", ["b"], blobs=place / "blobs", references={"events": ("user", "item")})
"""


@pytest.mark.parametrize("moment", [0.005, 0.02, 0.05])
def test_a_killed_forgetting_is_ended_by_the_next(store: Path, moment: float) -> None:
    ended = subprocess.run([sys.executable, "-c", FORGET, store, str(moment)], check=False)
    assert ended.returncode in {0, -signal.SIGKILL}
    folder = store / "snapshots/toy"
    for path in [*snapshot_folders(folder), current_snapshot(folder.parent, "toy")]:
        assert open_snapshot(path).table("items").num_rows >= 1
    forget_in(store, "b")
    assert bytes_that_tell(store, SECRET) == []
    assert len(list((store / "blobs").glob("??/*"))) == 1
    assert len(snapshot_folders(folder)) == 3
