"""What a text is cut into: words, stems, Chinese characters and pairs."""

import pytest

from retrieval.words import STOP_WORDS, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Lost cards, lost card!", ["lost", "card", "lost", "card"]),
        ("the loan of a bank", ["loan", "bank"]),
        ("to be or not to be", ["to", "be", "or", "not", "to", "be"]),
        ("退款吗", ["退", "退款", "款", "款吗", "吗"]),
        ("我的iPhone15坏了", ["我", "我的", "的", "iphone15", "坏", "坏了", "了"]),
        ("ＡＢＣ", ["abc"]),
        ("naïve cafés", ["naïve", "cafés"]),
        ("snake_case co-pilot", ["snake", "case", "co", "pilot"]),
        ("東京タワー", ["東", "東京", "京", "京タ", "タ", "タワ", "ワ", "ワー", "ー"]),
        ("… ?! \n", []),
        ("", []),
    ],
)
def test_terms(text, expected):
    assert [term.text for term in terms(text)] == expected


def test_terms_say_where_they_stand():
    text = "Lost 退款 cards"
    assert [text[term.start : term.end] for term in terms(text)] == ["Lost", "退", "退款", "款", "cards"]


def test_stop_words_are_words_of_their_own():
    assert all(word == word.lower() and word.isalpha() for word in STOP_WORDS)
