import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion import cleaning
from ingestion.cleaning import Cleaning

PLAIN = "a line of plain words,\tand a tab\n"


def cleaned(values, **settings):
    return Cleaning(**settings).clean(pa.array(values, pa.string()))


def test_each_character_gets_one_form():
    found = cleaned(["e\u0301te\u0301", "plain", None, "汉字", "ﬁ"])
    assert found.column.to_pylist() == ["été", "plain", None, "汉字", "ﬁ"]
    assert found.refused == {}
    assert cleaned(["ﬁ", "Ｆｕｌｌ"], normalise="NFKC").column.to_pylist() == ["fi", "Full"]
    assert cleaned(["e\u0301"], normalise=None).column.to_pylist() == ["e\u0301"]


def test_control_characters_go_but_tabs_and_line_ends_stay():
    found = cleaned(["a\x00b\x1bc\x7fd\x85e\ufefff", "tab\there\r\nline", "\ufeff"])
    assert found.column.to_pylist() == ["abcdef", "tab\there\r\nline", None]


def test_a_text_that_is_empty_once_it_is_clean_is_missing():
    assert cleaned(["\x00 \x01", "\u200b", " \x02x"]).column.to_pylist() == [None, "\u200b", " x"]


def test_control_characters_can_be_kept_or_refused():
    values = ["good", "b\x07ad", None, "汉\x9f"]
    assert cleaned(values, control="keep").column.to_pylist() == values
    found = cleaned(values, control="refuse")
    assert {place: refusal.reason for place, refusal in found.refused.items()} == dict.fromkeys(
        (1, 3), "control_characters"
    )
    assert "holds control characters; remove them, or let the scenario strip them" in found.refused[1].message


def test_what_is_too_long_is_refused_by_its_characters_not_its_bytes():
    found = cleaned(["汉" * 10, "汉" * 11, "x" * 12, None, "e\u0301" * 10], max_characters=10)
    assert set(found.refused) == {1, 2}
    assert found.refused[2].reason == "text_too_long"
    assert found.refused[2].message == (
        "the text has 12 characters, more than the 10 that the scenario allows (clean.max_characters)."
    )


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_slices_and_empty_columns(kind):
    column = pa.array(["\x01first", None, "", "b\x02", "e\u0301", "last"], kind)
    found = Cleaning().clean(column.slice(2, 3)).column
    assert found.to_pylist() == ["", "b", "é"]
    assert found.type == kind
    assert Cleaning().clean(column.slice(0, 0)).column.to_pylist() == []
    assert Cleaning().clean(pa.nulls(3, kind)).column.to_pylist() == [None] * 3


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(["e\u0301", "\x00", "ab\x7f"])


@settings(deadline=None)
@given(st.lists(st.none() | texts, max_size=8))
def test_cleaning_is_what_python_would_do_and_twice_is_once(values):
    def one(text):
        if text is None:
            return None
        strip = {*range(32), *range(127, 160), 0xFEFF} - {9, 10, 13}
        clean = unicodedata.normalize("NFC", "".join(c for c in text if ord(c) not in strip))
        return clean if clean == text or clean.strip() else None

    found = cleaned(values).column
    assert found.to_pylist() == [one(text) for text in values]
    assert Cleaning().clean(found).column.equals(found)


def test_plain_text_is_not_even_copied():
    column = pa.array([PLAIN * 10] * 10_000)
    assert Cleaning().clean(column).column is column


def test_what_is_not_looked_at_has_no_other_form() -> None:
    """Quick check of NFC (Unicode annex 15): inert characters have combining class 0 and end no composition."""
    seconds = {
        chr(int(parts[1], 16))
        for point in range(0x110000)
        if len(parts := unicodedata.decomposition(chr(point)).split()) == 2 and not parts[0].startswith("<")
    }
    points = [point for point in range(0x80, 0x110000) if not 0xD800 <= point < 0xE000]
    alone = pa.array([chr(point) for point in points])
    looked_at = set(cleaning._suspects(alone, cleaning.SUSPECT).tolist())
    inert = [chr(point) for place, point in enumerate(points) if place not in looked_at]
    assert len(inert) > 24_000
    for character in inert:
        assert unicodedata.is_normalized("NFC", character), character
        assert unicodedata.combining(character) == 0, character
        assert character not in seconds, character
        assert unicodedata.category(character) != "Cc", character
        assert character != "\ufeff"


def test_han_text_with_its_punctuation_is_not_looked_at() -> None:
    texts = pa.array(["我的卡在哪里？请帮我，谢谢。“好”——（一）", "Köln, Łódź, Москва", "plain"])
    assert cleaning._suspects(texts, cleaning.SUSPECT).tolist() == []
    assert cleaning._suspects(pa.array(["e\u0301", "の゛", "\u2126", "a\x07"]), cleaning.SUSPECT).tolist() == [
        0,
        1,
        2,
        3,
    ]
