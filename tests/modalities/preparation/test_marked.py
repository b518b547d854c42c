"""Marked texts to ids and places, by hand over the tiny vocabulary."""

import pytest
from tokenizers import Tokenizer

from modalities.preparation.marked import MarkedPreparation
from polyloom.errors import RequestError
from tests.support.tiny_models import write_tokenizer

TEXT = "the <e1>red hats</e1> lost a <e2>shoe</e2>"


@pytest.fixture
def tokenizer(tmp_path):
    write_tokenizer(tmp_path)
    return Tokenizer.from_file(str(tmp_path / "tokenizer.json"))


def prepared(tokenizer, **options):
    settings = {"columns": ("text",), "max_tokens": 32, "padding_id": 0, "markers": ("?", "."), **options}
    return MarkedPreparation(tokenizer=tokenizer, **settings)


def tokens(tokenizer, arrays, row=0):
    return " ".join(tokenizer.id_to_token(int(number)) for number in arrays["input_ids"][row])


def test_tags_become_tokens_and_places_point_at_them(tokenizer):
    arrays = prepared(tokenizer)([TEXT])
    expected = "[CLS] the ? red hat ##s ? lost a . shoe . [SEP]"
    assert tokens(tokenizer, arrays) == expected
    assert arrays["markers"].tolist() == [[2, 6, 9, 11]]
    assert arrays["attention_mask"].tolist() == [[1] * 13]


def test_the_second_stretch_may_come_first_and_touch(tokenizer):
    arrays = prepared(tokenizer)(["<e2>退</e2><e1>款</e1>吗"])
    assert tokens(tokenizer, arrays) == "[CLS] . 退 . ? 款 ? 吗 [SEP]"
    assert arrays["markers"].tolist() == [[4, 6, 1, 3]]


def test_signs_of_the_text_itself_are_no_markers(tokenizer):
    arrays = prepared(tokenizer)(["? . <e1>red</e1> ? . <e2>hat</e2> ."])
    assert tokens(tokenizer, arrays) == "[CLS] ? . ? red ? ? . . hat . . [SEP]"
    assert arrays["markers"].tolist() == [[3, 5, 8, 10]]


def test_a_marker_inside_of_a_word(tokenizer):
    arrays = prepared(tokenizer)(["<e1>hat</e1>s <e2>lost</e2>"])
    assert arrays["markers"].tolist() == [[1, 3, 5, 7]]


def test_a_long_text_keeps_what_is_near_the_markers(tokenizer):
    long = f"{'a ' * 30}my <e1>hat</e1> {'the ' * 30}<e2>shoe</e2> lost {'a ' * 30}"
    arrays = prepared(tokenizer, max_tokens=14)([long])
    assert tokens(tokenizer, arrays) == "[CLS] a my ? hat ? the the the . shoe . lost [SEP]"
    assert arrays["markers"].tolist() == [[3, 5, 9, 11]]
    assert prepared(tokenizer, max_tokens=14).lengths([long, None]).tolist() == [14, 0]


def test_ranges_stand_for_tags(tokenizer):
    given = prepared(tokenizer, ranges=("a", "b", "c", "d"))
    row = {"text": "the red hats lost a shoe", "a": 4.0, "b": 12.0, "c": 20.0, "d": 24}
    assert given.value(row) == TEXT
    assert given.value({"text": TEXT, "c": None}) == TEXT


def test_a_text_without_marks_is_refused(tokenizer):
    with pytest.raises(RequestError, match="'a hat' has no <e1>"):
        prepared(tokenizer)(["a hat"])


def test_markers_must_be_tokens(tokenizer):
    with pytest.raises(RequestError, match=r"markers: '\$' is not one token of the text model's vocabulary"):
        prepared(tokenizer, markers=("$", "."))
    with pytest.raises(RequestError, match="markers: 'hats' is not one token"):
        prepared(tokenizer, markers=("hats", "."))


def test_markers_need_room(tokenizer):
    with pytest.raises(RequestError, match="max_tokens: 5 leaves no room for the four markers"):
        prepared(tokenizer, max_tokens=5)
