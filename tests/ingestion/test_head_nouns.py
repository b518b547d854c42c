"""The head noun of a catalogue's phrases, and the table that is made of them."""

import json
import os
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingestion.datasets import fetch, locate
from ingestion.head_nouns import head_noun, without_noun, write_head_nouns
from polyloom.errors import DataError, RequestError

REAL = os.environ.get("POLYLOOM_DATA")


@pytest.mark.parametrize(
    ("phrase", "noun"),
    [
        ("Rug, flatwoven", "rug"),
        ("Box with lid, in,outdoor", "box"),
        ("Chest of 3 drawers,1 door", "chest"),
        ("Quilt cover and 2 pillowcases", "cover"),
        ("Shelving unit in,outdoor", "unit"),
        ("Two-seat sofa w chaise longue right", "sofa"),
        ("Mirror cab 2 door,built-in lighting", "cab"),
        ("Inset sink 1 1,2 bowl", "sink"),
        ("Sheer curtains, 1 pair", "curtain"),
        ("Wash-stand with 2 drawers", "wash-stand"),
        ("Wine glass", "glass"),
        ("Children's table", "table"),
        ("", ""),
        ("42", ""),
    ],
)
def test_the_head_is_the_last_word_before_what_says_more_about_it(phrase, noun):
    assert head_noun(phrase) == noun


def test_the_noun_goes_with_every_word_that_holds_it():
    assert without_noun("The lamp's Lampshade\nlights a LAMP-post, lightly.", "lamp") == "The 's lights a , lightly."
    assert without_noun("Bookcases for cases", "case") == "for"


def write_products(folder: Path, types: list[str]) -> Path:
    (folder / "images").mkdir(parents=True)
    rows = []
    for number, phrase in enumerate(types):
        (folder / f"images/{number}.jpg").write_bytes(b"picture %d" % number)
        rows.append(
            {
                "article": str(number),
                "name": "N",
                "type": phrase,
                "color": "Red",
                "size": "",
                "description": "Good.",
                "picture": f"images/{number}.jpg",
            }
        )
    (folder / "products.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_rare_nouns_are_left_out_and_the_pictures_come_along(tmp_path):
    source = write_products(tmp_path / "ikea_products", ["Bath towel", "Lamp", "Hand towel, white", "7"])
    write_head_nouns(source, tmp_path, least_rows=2)
    rows = pq.read_table(tmp_path / "products.parquet").to_pylist()
    assert [(row["article"], row["noun"], row["picture"]) for row in rows] == [
        ("0", "towel", b"picture 0"),
        ("2", "towel", b"picture 2"),
    ]
    assert (rows[0]["color"], rows[0]["size"]) == ("Red", None), "an empty text is a missing one"
    assert "type" not in rows[0], "the answer is not among the columns"


def test_another_folder_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r"products.jsonl is not there. The head nouns are made from .*ikea_products"):
        write_head_nouns(tmp_path, tmp_path)


def test_it_is_made_where_its_source_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("POLYLOOM_DATA", str(tmp_path / "data"))
    with pytest.raises(RequestError, match=r"'ikea_nouns' is made from 'ikea_products', which is not here. Set POLYLO"):
        locate("ikea_nouns/products.parquet", beside=tmp_path)
    with pytest.raises(RequestError, match=r"'ikea_nouns' is made from 'ikea_products', which is not here"):
        fetch("ikea_nouns")
    write_products(tmp_path / "data/ikea_products", ["Towel"] * 12)
    made = tmp_path / "home/datasets/ikea_nouns/products.parquet"
    assert locate("ikea_nouns/products.parquet", beside=tmp_path) == made
    assert pq.read_table(made).num_rows == 12
    assert fetch("ikea_nouns") == made.parent


@pytest.mark.skipif(not (REAL and Path(REAL, "ikea_products").is_dir()), reason="needs POLYLOOM_DATA/ikea_products")
def test_the_real_catalogue_has_26_head_nouns(tmp_path):
    write_head_nouns(Path(REAL, "ikea_products"), tmp_path)
    table = pq.read_table(tmp_path / "products.parquet")
    counts = Counter(table["noun"].to_pylist())
    assert (table.num_rows, len(counts)) == (685, 26)
    assert counts.most_common(3) == [("table", 62), ("cabinet", 59), ("cover", 56)]
    spelled = [
        without_noun(text, noun) != " ".join(text.split())
        for text, noun in zip(table["description"].to_pylist(), table["noun"].to_pylist(), strict=True)
    ]
    assert sum(spelled) / len(spelled) == pytest.approx(0.39, abs=0.01)
