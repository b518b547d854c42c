"""Rows drawn for both sides: the same under a seed, in proportion, nothing twice."""

import json
from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.training_rows import (
    SPLITS,
    Case,
    balanced,
    banking,
    conll,
    cut,
    cut_by_group,
    fashion,
    holdout_share,
    ikea,
    phrasebank,
    read_rows,
    write_case,
)
from tests.support.tiny_models import png


@pytest.fixture
def data(tmp_path):
    """All sets in their own formats, tiny."""
    folder = tmp_path / "data"
    for name in ("banking77", "financial_phrasebank", "conll2003", "fashion_mnist"):
        (folder / name).mkdir(parents=True)
    for split, count in (("train", 40), ("test", 8)):
        lines = "".join(f'"{split} query {n}, please",intent {n % 4}\n' for n in range(count))
        (folder / "banking77" / f"{split}.csv").write_text("text,category\n" + lines)
    sentences = [f"Profit {n} rose @ 5 %@{'positive' if n % 3 else 'negative'}" for n in range(30)]
    text = "\r\n".join([*sentences, sentences[0]])
    (folder / "financial_phrasebank" / "Sentences_50Agree.txt").write_text(text, encoding="latin-1")
    blocks = [
        "-DOCSTART- -X- O O",
        *(f"Word{n} NNP I-NP B-PER\nran VB I-VP O" for n in range(30)),
        "\n".join(["w x y O"] * 90),
    ]
    for split in ("train", "test"):
        (folder / "conll2003" / f"{split}.txt").write_text("\n\n".join(blocks) + "\n\n")
    for split in ("train", "test"):
        rows = [{"label": n % 10, "file": f"{n}.png", "png": png(np.full((28, 28), n, np.uint8))} for n in range(60)]
        pq.write_table(pa.Table.from_pylist(rows), folder / "fashion_mnist" / f"fashion_mnist_{split}.parquet")
    (folder / "ikea_products").mkdir()
    lines = []
    for number in range(48):
        (folder / "ikea_products" / f"{number}.jpg").write_bytes(png(np.full((8, 8, 3), number, np.uint8)))
        kind = ("Floor lamp with 2 shades", "Bookcases", "Rug")[number % 3 if number < 36 else 2 if number < 40 else 0]
        product = {"article": str(number), "name": f"N{number // 2}", "type": kind, "color": "", "size": "1x2"}
        lines.append(json.dumps({**product, "description": f"words {number}", "picture": f"{number}.jpg"}))
    lines.append(json.dumps({**json.loads(lines[0]), "name": "ALONE", "type": "Clock"}))
    (folder / "ikea_products" / "products.jsonl").write_text("\n".join(lines))
    return folder


DRAWS = {
    "banking": (banking, {"rows": 20}),
    "phrasebank": (phrasebank, {}),
    "conll": (conll, {"sentences": 20, "test_sentences": 10}),
    "ikea": (ikea, {}),
    "fashion": (fashion, {"rows": 40, "test_rows": 20}),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_is_the_same_again_and_another_under_another_seed(name, data, tmp_path):
    draw, asked = DRAWS[name]
    one, again, other = (draw(data, seed=seed, folder=tmp_path / "case", **asked).rows for seed in (7, 7, 8))
    assert one == again
    assert one["train"] != other["train"]


@pytest.mark.parametrize("name", DRAWS)
def test_no_row_is_in_two_splits(name, data, tmp_path):
    draw, asked = DRAWS[name]
    rows = draw(data, seed=7, folder=tmp_path / "case", **asked).rows
    train, validation = ({json.dumps(row, sort_keys=True) for row in rows[split]} for split in ("train", "validation"))
    assert len(train) == len(rows["train"])
    assert not train & validation
    assert set(rows) == set(SPLITS)


def test_banking_takes_as_many_rows_of_every_intent(data, tmp_path):
    rows = banking(data, rows=20, seed=7, folder=tmp_path).rows
    known = [*rows["train"], *rows["validation"]]
    assert Counter(row["category"] for row in known) == {f"intent {n}": 5 for n in range(4)}
    assert Counter(row["category"] for row in rows["validation"]) == {f"intent {n}": 1 for n in range(4)}
    assert len(rows["test"]) == 8


def test_repeated_sentences_are_out_and_a_sentence_may_hold_the_separator(data, tmp_path):
    rows = phrasebank(data, seed=7, folder=tmp_path).rows
    every = [row["sentence"] for split in SPLITS for row in rows[split]]
    assert len(every) == len(set(every)) == 30
    assert all(str(sentence).endswith("@ 5 %") for sentence in every)
    assert Counter(row["tone"] for row in rows["test"]) == {"positive": 4, "negative": 2}


def test_document_marks_and_sentences_of_over_80_words_are_left_out(data, tmp_path):
    rows = conll(data, sentences=99, test_sentences=99, seed=7, folder=tmp_path).rows
    assert len(rows["test"]) == 30
    assert {tuple(row["tags"]) for row in rows["test"]} == {("B-PER", "O")}


def test_pictures_become_files_of_the_case(data, tmp_path):
    rows = fashion(data, rows=40, test_rows=20, seed=7, folder=tmp_path).rows
    known = [*rows["train"], *rows["validation"]]
    assert Counter(row["kind"] for row in known) == {f"kind {n}": 4 for n in range(10)}
    assert all((tmp_path / row["image"]).read_bytes().startswith(b"\x89PNG") for row in known)


def test_a_case_is_read_as_it_was_written(data, tmp_path):
    drawn = banking(data, rows=20, seed=7, folder=tmp_path)
    write_case(tmp_path / "case", drawn)
    assert Case.read(tmp_path / "case") == drawn.case
    assert {split: read_rows(tmp_path / "case" / f"{split}.jsonl") for split in SPLITS} == drawn.rows


@pytest.mark.parametrize(
    ("rows", "share"), [(1000, 0.2), (3000, 1 / 6), (5000, 0.1), (4999, 0.1000200040008), (100_000, 0.025)]
)
def test_the_share_of_validation_rows_is_autogluons(rows, share):
    assert holdout_share(rows) == pytest.approx(share)


def test_a_class_keeps_at_least_one_row():
    rows = [{"y": "rare"}, *({"y": "common", "n": n} for n in range(10))]
    kept, taken = cut(rows, share=0.9, key=lambda row: row["y"], seed=0)
    assert Counter(row["y"] for row in kept) == {"rare": 1, "common": 1}
    assert Counter(row["y"] for row in taken) == {"common": 9}


def test_classes_give_in_turn_until_there_are_enough():
    rows = [{"y": "few"}, *({"y": "many", "n": n} for n in range(10))]
    assert Counter(row["y"] for row in balanced(rows, 5, key=lambda row: row["y"], seed=0)) == {"few": 1, "many": 4}


def test_variants_of_one_product_are_on_one_side_and_rare_nouns_are_out(data, tmp_path):
    rows = ikea(data, seed=7, folder=tmp_path).rows
    names = [{row["name"] for row in rows[split]} for split in SPLITS]
    assert not names[0] & names[1] | names[0] & names[2] | names[1] & names[2]
    assert len(rows["test"]) == 12
    every = [row for split in SPLITS for row in rows[split]]
    assert {row["noun"] for row in every} == {"lamp", "bookcase", "rug"}
    assert all((tmp_path / row["image"]).is_file() and set(row) >= {"color", "size", "description"} for row in every)


def test_a_share_is_of_the_groups():
    rows = [{"name": name, "n": number} for name in "abcd" for number in range(3)]
    kept, taken = cut_by_group(rows, share=0.5, group="name", seed=0)
    assert (len(kept), len(taken)) == (6, 6)
    assert not {row["name"] for row in kept} & {row["name"] for row in taken}
