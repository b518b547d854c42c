"""Hashed character n-grams, against vectors that can be computed by hand."""

import math
import zlib

import numpy as np
import pytest

from modalities.preparation.characters import CharacterPreparation, grams

DIM = 4096


def flat(*, sizes=(1,), dim=DIM):
    """A preparation to which every place is as rare as any other."""
    return CharacterPreparation(columns=("text",), dim=dim, sizes=sizes, rarity=np.ones(dim))


def place(gram):
    code = zlib.crc32(gram.encode())
    return (code >> 1) % DIM, 1.0 if code & 1 else -1.0


def vector(preparation, text):
    return preparation([text])["vector"][0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab", ["^", "a", "b", "$", "^a", "ab", "b$"]),
        ("A B", ["^", "a", "$", "^a", "a$", "^", "b", "$", "^b", "b$"]),
        ("退款", ["退", "款", "退款"]),
        ("退款吗", ["退", "款", "吗", "退款", "款吗"]),
        ("退，款", ["退", "款"]),
        ("ＡＢ", ["^", "a", "b", "$", "^a", "ab", "b$"]),
        ("é", ["^", "é", "$", "^é", "é$"]),
        ("?!。", []),
    ],
)
def test_grams(text, expected):
    assert list(grams(text, sizes=(1, 2))) == expected


def test_one_character_is_one_signed_place_of_length_one():
    number, sign = place("退")
    expected = np.zeros(DIM, np.float32)
    expected[number] = sign
    np.testing.assert_array_equal(vector(flat(), "退"), expected)


def test_counts_enter_by_their_logarithm():
    (twice, twice_sign), (once, once_sign) = place("退"), place("款")
    found = vector(flat(), "退退款")
    weight = 1 + math.log(2)
    norm = math.hypot(weight, 1.0)
    assert found[twice] == pytest.approx(twice_sign * weight / norm)
    assert found[once] == pytest.approx(once_sign / norm)
    assert np.count_nonzero(found) == 2


def test_rare_places_weigh_more():
    rows = [{"text": "退款"}, {"text": "退"}, {"text": "退"}]
    fitted = CharacterPreparation.fit(rows, columns=("text",), dim=DIM, sizes=(1,))
    found = vector(fitted, "退款")
    common, rare = 1.0, math.log(4 / 2) + 1
    assert abs(found[place("退")[0]]) == pytest.approx(common / math.hypot(common, rare))
    assert abs(found[place("款")[0]]) == pytest.approx(rare / math.hypot(common, rare))


def test_chinese_texts_that_share_a_two_character_word_are_near():
    prepare = flat(sizes=(1, 2, 3))
    question, same, other = (vector(prepare, text) for text in ("我要退款", "退款多久", "卡丢了"))
    # 8 and 9 grams, of which 退, 款 and 退款 are shared; a lone three-character gram differs.
    assert question @ same == pytest.approx(3 / 9, abs=1e-6)
    assert question @ other == pytest.approx(0.0, abs=1e-6)


def test_case_and_width_do_not_matter():
    prepare = flat(sizes=(1, 2, 3))
    np.testing.assert_array_equal(vector(prepare, "Ｒｅｄ Shoes"), vector(prepare, "red SHOES"))


@pytest.mark.parametrize("text", ["?!", "。，？", " "])
def test_punctuation_alone_is_the_zero_vector(text):
    assert not vector(flat(), text).any()


def test_every_other_text_has_length_one():
    vectors = flat(sizes=(1, 2, 3))(["a", "the red hat", "我要退款", "x" * 500])["vector"]
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-6)


def test_fitting_on_no_text_leaves_every_place_alike():
    fitted = CharacterPreparation.fit([{"text": None}, {}], columns=("text",), dim=DIM, sizes=(1,))
    np.testing.assert_array_equal(vector(fitted, "退款"), vector(flat(), "退款"))
