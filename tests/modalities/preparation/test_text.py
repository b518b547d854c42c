"""Token ids of a tokenizer whose vocabulary is known."""

import numpy as np
import pytest
from tokenizers import Tokenizer

from modalities.preparation.text import TextPreparation
from tests.support.tiny_models import SPECIAL, WORDS, write_tokenizer

PAD, UNKNOWN, START, END, _ = range(len(SPECIAL))


def ids(*words):
    return [len(SPECIAL) + WORDS.index(word) for word in words]


@pytest.fixture
def prepare(tmp_path):
    write_tokenizer(tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    return TextPreparation(tokenizer=tokenizer, columns=("title", "note"), max_tokens=6, padding_id=PAD)


def test_ids_and_mask_are_padded_to_the_longest_of_the_batch(prepare):
    arrays = prepare(["The red hats", "退款"])
    assert arrays["input_ids"].tolist() == [
        [START, *ids("the", "red", "hat", "##s"), END],
        [START, *ids("退", "款"), END, PAD, PAD],
    ]
    assert arrays["attention_mask"].tolist() == [[1] * 6, [1, 1, 1, 1, 0, 0]]
    assert arrays["input_ids"].dtype == arrays["attention_mask"].dtype == np.int64


def test_long_texts_are_cut_and_keep_their_end_mark(prepare):
    assert prepare(["red " * 99])["input_ids"].tolist() == [[START, *ids(*["red"] * 4), END]]


def test_lengths_are_those_after_the_cut(prepare):
    assert prepare.lengths(["red", "red " * 99, ""]).tolist() == [3, 6, 2]


def test_text_columns_stand_one_a_line(prepare):
    assert prepare.value({"title": " a ", "note": "b"}) == "a\nb"
    assert prepare.value({"title": None, "note": "b"}) == "b"
    assert prepare.value({"title": " ", "note": ""}) is None
    assert prepare.value({"note": 7}) == "7"


@pytest.mark.parametrize(
    ("text", "share"),
    [("the red hats", 1.0), ("the zebra", 0.5), ("zebra", 0.0), ("退款", 1.0), ("退票", 0.5), ("", 0.0)],
)
def test_known_share_counts_tokens_of_the_vocabulary(prepare, text, share):
    assert prepare.known_share(text) == share
