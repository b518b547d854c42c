"""Words and the tokens they start at, with a tokenizer whose vocabulary is known."""

import numpy as np
import pytest
from tokenizers import Tokenizer

from modalities.preparation.letters import letter_numbers
from modalities.preparation.loading import load_preparation
from modalities.preparation.words import WordPreparation
from tests.support.tiny_models import SPECIAL, WORDS, write_tokenizer

PAD, UNKNOWN, START, END, _ = range(len(SPECIAL))


def ids(*words):
    return [len(SPECIAL) + WORDS.index(word) for word in words]


@pytest.fixture
def tokenizer(tmp_path):
    write_tokenizer(tmp_path)
    return Tokenizer.from_file(str(tmp_path / "tokenizer.json"))


@pytest.fixture
def prepare(tokenizer):
    return WordPreparation(tokenizer=tokenizer, columns=("words",), max_tokens=8, padding_id=PAD)


def test_places_are_the_first_token_of_each_word(prepare):
    arrays = prepare([["the", "hats", "shoes", "退款"], ["red"]])
    assert arrays["input_ids"].tolist() == [
        [START, *ids("the", "hat", "##s", "shoe", "##s", "退"), END],
        [START, *ids("red"), END, PAD, PAD, PAD, PAD, PAD],
    ]
    assert arrays["attention_mask"].sum(axis=1).tolist() == [8, 3]
    assert arrays["places"].tolist() == [[1, 2, 4, 6], [1, -1, -1, -1]]
    assert {array.dtype for array in arrays.values()} == {np.dtype(np.int64)}


def test_words_beyond_the_limit_have_no_place_and_are_counted(prepare):
    words = ["red"] * 10
    assert prepare([words])["places"].tolist() == [[1, 2, 3, 4, 5, 6, -1, -1, -1, -1]]
    assert prepare.unlabelled([words, ["red"], "red " * 7]).tolist() == [4, 0, 1]
    assert prepare.lengths([words, ["red"]]).tolist() == [8, 3]


def test_a_word_that_the_tokenizer_drops_has_no_place(prepare):
    assert prepare([["red", "\u200b", "hat"]])["places"].tolist() == [[1, -1, 2]]


def test_a_text_is_split_like_its_list_of_words(prepare):
    for text, words in (("The red hats.", ["The", "red", "hats", "."]), ("退款，lost", ["退", "款", "，", "lost"])):
        for one, other in zip(prepare([text]).values(), prepare([words]).values(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_letters_are_given_on_request(tokenizer):
    prepare = WordPreparation(tokenizer=tokenizer, columns=("words",), max_tokens=8, padding_id=PAD, letters=5)
    arrays = prepare([["Red", "hat"], ["a"]])
    assert arrays["characters"].shape == (2, 2, 5)
    np.testing.assert_array_equal(arrays["characters"][0], letter_numbers(["Red", "hat"], letters=5))
    assert not arrays["characters"][1, 1].any()


def test_a_sentence_without_words_still_has_room_for_one(prepare):
    assert prepare([[]])["places"].tolist() == [[-1]]
    assert prepare([])["places"].shape == (0, 1)


def test_the_value_is_the_list_or_the_text(tokenizer, prepare):
    assert prepare.value({"words": ["a", "b"]}) == ["a", "b"]
    assert prepare.value({"words": np.array(["a", "b"], dtype=object)}) == ["a", "b"]
    assert prepare.value({"words": " a red hat "}) == "a red hat"
    assert [prepare.value({"words": empty}) for empty in (None, [], " ")] == [None, None, None]
    two = WordPreparation(tokenizer=tokenizer, columns=("title", "note"), max_tokens=8, padding_id=PAD)
    assert two.value({"title": "a", "note": "b"}) == "a\nb"


def test_the_disk_gives_back_the_same_preparation(tokenizer, tmp_path):
    prepare = WordPreparation(tokenizer=tokenizer, columns=("words",), max_tokens=6, padding_id=PAD, letters=4)
    folder = tmp_path / "saved"
    folder.mkdir()
    prepare.save(folder)
    again = load_preparation(folder)
    assert isinstance(again, WordPreparation)
    for name, array in again([["red", "hats"]]).items():
        np.testing.assert_array_equal(array, prepare([["red", "hats"]])[name])
