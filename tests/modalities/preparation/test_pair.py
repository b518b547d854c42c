"""Pairs to ids, types and characters, in one window or in several."""

import numpy as np
import pytest
from tokenizers import Tokenizer

from modalities.preparation.pair import Pair, PairPreparation
from polyloom.errors import RequestError
from tests.support.tiny_models import write_tokenizer

CONTEXT = "The red hats, my  card"


@pytest.fixture
def tokenizer(tmp_path):
    write_tokenizer(tmp_path)
    return Tokenizer.from_file(str(tmp_path / "tokenizer.json"))


def prepared(tokenizer, **options):
    settings = {"columns": ("question", "context"), "max_tokens": 32, "padding_id": 0, **options}
    return PairPreparation(tokenizer=tokenizer, **settings)


def tokens(tokenizer, arrays, row=0):
    return " ".join(tokenizer.id_to_token(int(number)) for number in arrays["input_ids"][row])


def test_question_and_context_with_types_and_characters(tokenizer):
    arrays = prepared(tokenizer)([Pair("a hat?", CONTEXT)])
    assert tokens(tokenizer, arrays) == "[CLS] a hat ? [SEP] the red hat ##s [UNK] my card [SEP]"
    assert arrays["token_type_ids"].tolist() == [[0] * 5 + [1] * 8]
    assert arrays["attention_mask"].tolist() == [[1] * 13]
    covered = [CONTEXT[start:end] for start, end in arrays["offsets"][0][5:12]]
    assert covered == ["The", "red", "hat", "s", ",", "my", "card"]
    assert arrays["offsets"][0, 0].tolist() == [-1, -1]
    assert not arrays["offsets"][0, 1:5].any()
    assert not arrays["offsets"][0, 12].any()


def test_a_long_context_is_read_in_overlapping_windows(tokenizer):
    context = "the red hat my card lost a shoe blue my"
    given = prepared(tokenizer, max_tokens=12, overlap=2)
    arrays = given([Pair("a ?", context), Pair("a ?", "red")])
    # Seven tokens of context fit beside "[CLS] a ? [SEP] … [SEP]".
    first = "[CLS] a ? [SEP] the red hat my card lost a [SEP]"
    assert tokens(tokenizer, arrays) == f"{first} [CLS] a ? [SEP] lost a shoe blue my [SEP]"
    assert arrays["offsets"][0, :, 0].tolist().count(-1) == 2
    assert arrays["offsets"][0, 12].tolist() == [-1, -1]
    assert given.lengths([Pair("a ?", context), None, Pair("a ?", "red")]).tolist() == [22, 0, 6]
    assert arrays["attention_mask"].sum(axis=1).tolist() == [22, 6]


def test_every_window_but_the_last_is_full_and_every_character_is_read(tokenizer):
    context = " ".join(["the red hat my card"] * 40)
    for max_tokens in (9, 16, 31):
        arrays = prepared(tokenizer, max_tokens=max_tokens)([Pair("my hat ?", context)])
        starts = np.flatnonzero(arrays["offsets"][0, :, 0] == -1)
        assert starts.tolist() == list(range(0, arrays["input_ids"].shape[1], max_tokens))
        read = np.zeros(len(context), bool)
        for start, end in arrays["offsets"][0]:
            read[max(start, 0) : max(end, 0)] = True
        assert all(read[place] for place, sign in enumerate(context) if sign != " ")


def test_a_long_question_leaves_two_thirds_for_the_context(tokenizer):
    given = prepared(tokenizer, max_tokens=12)
    arrays = given([Pair("red hat my card lost a shoe", "the hat")])
    assert tokens(tokenizer, arrays) == "[CLS] red hat my card [SEP] the hat [SEP]"


def test_a_pair_needs_both(tokenizer):
    given = prepared(tokenizer)
    assert given.value({"question": " a ", "context": " b\n"}) == Pair(" a ", " b\n")
    assert given.value({"question": "a", "context": "  "}) is None
    assert given.value({"question": None, "context": "b"}) is None


def test_a_list_from_json_is_a_pair(tokenizer):
    given = prepared(tokenizer)
    np.testing.assert_array_equal(given([["a", "hat"]])["input_ids"], given([Pair("a", "hat")])["input_ids"])


def test_columns_and_overlap_must_fit(tokenizer):
    with pytest.raises(RequestError, match=r"a question and its context are two columns, in this order; here are \['a"):
        prepared(tokenizer, columns=("a",))
    with pytest.raises(RequestError, match="windows of 12 tokens can share 0 to 4 of them, not 5"):
        prepared(tokenizer, max_tokens=12, overlap=5)
