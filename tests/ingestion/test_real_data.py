"""Counts on real data, where it is at hand."""

import os
from pathlib import Path

import pytest

from ingestion.pictures import picture_refusal
from ingestion.rules import ColumnRule, Rules
from ingestion.snapshots import open_snapshot
from ingestion.sources import SPLITS, TableSource


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
        name="replies",
        paths={"": folder / "baoxianzhidao_filter.csv"},
        text=("title", "reply"),
        encoding="gb18030",
        columns={"is_best": "category"},
    )
    report = ingest(source)
    assert report.rows_in == 8_362
    assert report.rows_kept == 8_362


def test_conll2003_has_its_published_sentences(ingest) -> None:
    folder = real("conll2003")
    source = TableSource(
        name="sentences",
        kind="conll",
        columns={"tokens": "tokens", "tags": "tokens"},
        paths={"train": folder / "train.txt", "validation": folder / "valid.txt", "test": folder / "test.txt"},
        options={"fields": ["tokens", "pos", "chunk", "tags"]},
    )
    report = ingest(source, max_share=0.0)
    snapshot = open_snapshot(report.folder)
    assert snapshot.manifest["tables"]["sentences"]["splits"] == {"train": 14_041, "validation": 3_250, "test": 3_453}
    tokens = sum(len(row) for row in snapshot.table("sentences", ["tokens"]).column("tokens").to_pylist())
    assert tokens == 203_621 + 51_362 + 46_435


def test_stocknet_is_kept_whole(ingest) -> None:
    source = TableSource(
        name="tweets",
        paths={"": real("stocknet") / "tweets_preprocessed.jsonl.gz"},
        columns={"text": "tokens", "created_at": "time", "stock": "category"},
        time_split="created_at",
    )
    report = ingest(source, max_share=0.0)
    assert report.rows_kept == 106_338
    assert report.tables["tweets"].columns_ignored == ("day", "user_id_str")
    table = open_snapshot(report.folder).table("tweets", ["stock", "created_at", "_split"])
    assert len(set(table.column("stock").to_pylist())) == 87
    latest = {split: max(row["created_at"] for row in table.to_pylist() if row["_split"] == split) for split in SPLITS}
    assert latest["train"] < latest["validation"] < latest["test"]


def test_movielens_without_header_lines(ingest) -> None:
    folder = real("movielens_100k")
    ratings = TableSource(
        name="ratings",
        paths={"": folder / "u.data"},
        separator="\t",
        user="user",
        item="item",
        time="at",
        columns={"rating": "number"},
        options={"names": ["user", "item", "rating", "at"]},
        rules=Rules(columns={"item": ColumnRule(references="films"), "rating": ColumnRule(minimum=1, maximum=5)}),
    )
    films = TableSource(
        name="films",
        paths={"": folder / "u.item"},
        separator="|",
        encoding="auto",
        key="film",
        text=("title",),
        options={"names": ["film", "title", "date", "video", "address", *(f"genre{place}" for place in range(19))]},
    )
    report = ingest(ratings, films, max_share=0.0)
    assert (report.tables["ratings"].rows_kept, report.tables["films"].rows_kept) == (100_000, 1_682)
    users = open_snapshot(report.folder).table("ratings", ["user"]).column("user").to_pylist()
    assert len(set(users)) == 943


def test_chest_xrays_with_notes_stay_with_their_patients(ingest) -> None:
    source = TableSource(
        name="cases",
        paths={"": real("covid_chestxray") / "metadata.csv"},
        image="filename",
        text=("clinical_notes",),
        columns={"finding": "category", "patientid": "category"},
        group="patientid",
        options={"image_folder": "images"},
    )
    report = ingest(source)
    # 28 of the 187 rows have no clinical note, and so no text; all pictures can be read.
    assert (report.rows_in, report.rows_kept) == (187, 159)
    assert report.tables["cases"].reasons == {"empty_text": 28}
    sides: dict[str, set[str]] = {}
    for row in open_snapshot(report.folder).table("cases", ["patientid", "_split"]).to_pylist():
        sides.setdefault(row["patientid"], set()).add(row["_split"])
    assert all(len(splits) == 1 for splits in sides.values())


def test_fashion_mnist_is_kept_whole(ingest) -> None:
    folder = real("fashion_mnist")
    source = TableSource(
        name="clothes",
        paths={split: folder / f"fashion_mnist_{split}.parquet" for split in ("train", "test")},
        image="png",
        columns={"label": "category"},
    )
    report = ingest(source, max_share=0.0)
    table = report.tables["clothes"]
    assert (table.rows_in, table.rows_kept, table.rows_quarantined) == (30_000, 30_000, 0)
