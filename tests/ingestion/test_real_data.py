"""Counts on real data, where it is at hand."""

import os
from pathlib import Path

import pytest

from ingestion.pictures import picture_refusal
from ingestion.snapshots import open_snapshot
from ingestion.sources import TableSource


def real(name: str) -> Path:
    folder = Path(os.environ.get("POLYLOOM_DATA", "")) / name
    if not folder.is_dir() or "POLYLOOM_DATA" not in os.environ:
        pytest.skip(f"POLYLOOM_DATA names no folder with {name}")
    return folder


def test_banking77_is_kept_whole(ingest) -> None:
    folder = real("banking77")
    source = TableSource(
        name="queries",
        paths={"train": folder / "train.csv", "test": folder / "test.csv"},
        text=("text",),
        columns={"category": "category"},
    )
    report = ingest(source, rare_labels={"queries": ["category"]}, max_share=0.0)
    table = open_snapshot(report.folder).table("queries")
    splits = table.column("_split").to_pylist()
    assert (splits.count("test"), len(splits) - splits.count("test")) == (3_080, 10_003)
    assert len(set(table.column("category").to_pylist())) == 77
    assert 900 < splits.count("validation") < 1_100


def test_a_sample_of_fashion_mnist(ingest, tmp_path: Path) -> None:
    folder = real("fashion_mnist")
    source = TableSource(
        name="clothes",
        paths={split: folder / f"fashion_mnist_{split}.parquet" for split in ("train", "test")},
        image="png",
        columns={"label": "category"},
        sample={"train": 900, "validation": 100, "test": 500},
    )
    report = ingest(source, rare_labels={"clothes": ["label"]}, max_share=0.0)
    table = open_snapshot(report.folder).table("clothes").to_pylist()
    assert (report.rows_in, report.rows_kept) == (1_500, 1_500)
    assert report.tables["clothes"].rows_available == 30_000
    per_label = [sum(row["label"] == str(label) and row["_split"] == "test" for row in table) for label in range(10)]
    assert per_label == [50] * 10
    some = table[0]["png"]
    assert picture_refusal((tmp_path / "blobs" / some[:2] / some).read_bytes()) is None


def test_chinese_insurance_questions_in_their_own_encoding(ingest) -> None:
    folder = real("baoxian_faq_zh")
    source = TableSource(
        name="replies", paths={"": folder / "baoxianzhidao_filter.csv"}, text=("title", "reply"), encoding="gb18030",
        columns={"is_best": "category"},
    )  # fmt: skip
    report = ingest(source)
    assert report.rows_in == 8_362
    assert report.rows_kept == 8_362
