"""The whole examination of snapshots on disk, toy ones and real data."""

import json
import os
from pathlib import Path

import pytest

from ingestion.examination.card import write_data_card
from ingestion.examination.examine import examine
from ingestion.examination.near_texts import LIKENESS
from ingestion.examination.shingles import jaccard, shingles
from ingestion.snapshots import open_snapshot, take_snapshot
from ingestion.sources import TableSource
from polyloom.progress import SILENT
from tests.ingestion.examination.toys import sentences

SHARES = {"validation": 0.1, "test": 0.2}


def taken(tmp_path: Path, source: TableSource):
    report = take_snapshot(
        scenario="toy",
        tables=[source],
        store=tmp_path / "snapshots",
        blobs=tmp_path / "blobs",
        max_share=1.0,
        fractions=SHARES,
        seed=7,
        rare_labels={},
        progress=SILENT,
    )
    return open_snapshot(report.folder)


def real(name: str) -> Path:
    folder = Path(os.environ.get("POLYLOOM_DATA", "")) / name
    if not folder.is_dir() or "POLYLOOM_DATA" not in os.environ:
        pytest.skip(f"POLYLOOM_DATA names no folder with {name}")
    return folder


def write(path: Path, texts: list[str]) -> Path:
    path.write_text("".join(json.dumps({"text": text, "label": "ab"[at % 2]}) + "\n" for at, text in enumerate(texts)))
    return path


def test_a_snapshot_on_disk_is_examined_and_drawn(tmp_path: Path) -> None:
    known, asked = sentences(300), sentences(100, seed=1)
    asked[0], asked[1] = known[2], known[4][:-2]
    source = TableSource(
        name="items",
        paths={"train": write(tmp_path / "train.jsonl", known), "test": write(tmp_path / "test.jsonl", [*asked, ""])},
        text=("text",),
        columns={"label": "category"},
    )
    snapshot = taken(tmp_path, source)
    findings = examine(snapshot, targets={"items": ["label"]}, blobs=tmp_path / "blobs")
    serious = {finding.code: finding for finding in findings if finding.severity == "serious"}
    assert {code: finding.rows for code, finding in serious.items()} == {"leaked_text": 1, "near_leaked_text": 1}
    held = [row for row in serious["leaked_text"].examples if row.split == "test"]
    assert [(row.source, row.row) for row in held] == [("test.jsonl", 1)]
    assert [finding.severity for finding in findings] == sorted(
        (finding.severity for finding in findings), key=["serious", "warning", "info"].index
    )
    assert json.loads(json.dumps([finding.to_json() for finding in findings]))[0]["table"] == "items"
    card = tmp_path / "card.html"
    write_data_card(card, snapshot=snapshot, findings=findings, profile=None, blobs=tmp_path / "blobs")
    assert "empty text" in card.read_text(encoding="utf-8")


def test_the_same_snapshot_gives_the_same_findings(tmp_path: Path) -> None:
    source = TableSource(name="items", paths={"": write(tmp_path / "rows.jsonl", sentences(200))}, text=("text",))
    snapshot = taken(tmp_path, source)
    first, second = (examine(snapshot, targets={}, blobs=tmp_path, max_texts=50) for _ in range(2))
    assert first == second


def test_banking77_asks_in_test_nearly_what_it_asks_in_train(tmp_path: Path) -> None:
    folder = real("banking77")
    source = TableSource(
        name="queries",
        paths={"train": folder / "train.csv", "test": folder / "test.csv"},
        text=("text",),
        columns={"category": "category"},
    )
    findings = examine(taken(tmp_path, source), targets={"queries": ["category"]}, blobs=tmp_path)
    found = {finding.code: finding for finding in findings}
    assert found["near_leaked_text"].figures["test_share"] > 0.04
    examples = found["near_leaked_text"].examples
    for first, second in zip(examples[::2], examples[1::2], strict=True):
        assert jaccard(shingles(first.shown), shingles(second.shown)) >= LIKENESS
    assert found["near_label_conflict_text"].rows >= 20
    assert "leaked_text" not in found


def test_thucnews_titles_that_are_in_both_files(tmp_path: Path) -> None:
    folder = real("thucnews_titles")
    titles = {
        name: [line.split("\t")[0] for line in (folder / f"{name}.txt").read_text().splitlines()]
        for name in ("dev", "test")
    }
    source = TableSource(
        name="titles",
        paths={
            "train": write(tmp_path / "dev.jsonl", titles["dev"]),
            "test": write(tmp_path / "test.jsonl", titles["test"]),
        },
        text=("text",),
    )
    findings = {finding.code: finding for finding in examine(taken(tmp_path, source), targets={}, blobs=tmp_path)}
    known = set(titles["dev"])
    assert findings["leaked_text"].rows >= sum(title in known for title in titles["test"]) == 8
    assert findings["texts"].figures["han"] > 0.9
