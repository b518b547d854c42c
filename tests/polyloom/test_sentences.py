"""Where sentences end, in English and in Chinese, and that no character is lost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyloom.sentences import sentences


def cut(text):
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It works. It is cheap! Is it?", ["It works.", "It is cheap!", "Is it?"]),
        ("Dr. Smith paid 4.90 euros. He left.", ["Dr. Smith paid 4.90 euros.", "He left."]),
        ("John C. Messenger wrote it. It sold.", ["John C. Messenger wrote it.", "It sold."]),
        ("J. R. R. Tolkien wrote it.", ["J. R. R. Tolkien wrote it."]),
        ("The U.S. Army came. The U.S. The end.", ["The U.S. Army came.", "The U.S.", "The end."]),
        ("Socks, hats etc. are here. See e.g. No. 5.", ["Socks, hats etc. are here.", "See e.g. No. 5."]),
        ("Is it free? No. It costs.", ["Is it free?", "No.", "It costs."]),
        ('He said: "Go." She went.', ['He said: "Go."', "She went."]),
        ('"Why?" he asked. Nobody knew.', ['"Why?" he asked.', "Nobody knew."]),
        ("Version 2.5 is out...and works", ["Version 2.5 is out...and works"]),
        ("", []),
        (" \n\t ", []),
        ("no stop", ["no stop"]),
    ],
)
def test_english(text, expected):
    assert cut(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("运费是4.90欧元。三天送到！可以退吗？", ["运费是4.90欧元。", "三天送到！", "可以退吗？"]),
        ("先付款；再发货。", ["先付款；", "再发货。"]),
        ("他说：“可以。”我走了。", ["他说：“可以。”", "我走了。"]),
        ("真的吗?真的!好", ["真的吗?", "真的!", "好"]),
        ("用 iPhone 15 付款。OK.", ["用 iPhone 15 付款。", "OK."]),
    ],
)
def test_chinese(text, expected):
    assert cut(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Delivery\n\nIt takes two days", ["Delivery", "It takes two days"]),
        ("# Delivery\nIt takes two days", ["# Delivery", "It takes two days"]),
        ("Prices\n- hats\n- socks", ["Prices", "- hats", "- socks"]),
        (
            "Delivery inside the country takes between two and\nfour days.",
            ["Delivery inside the country takes between two and\nfour days."],
        ),
        ("short\nline", ["short\nline"]),
        ("Short\nLine", ["Short", "Line"]),
    ],
)
def test_lines(text, expected):
    assert cut(text) == expected


@given(st.text(alphabet='aB1 .!?。；\n"”()#-é中', max_size=80))
def test_all_that_is_not_blank_is_in_one_sentence(text):
    found = sentences(text)
    assert "".join("".join(text[start:end].split()) for start, end in found) == "".join(text.split())
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


def test_a_long_text_takes_no_long_time():
    assert len(sentences("Mr. A. went. " * 5_000)) == 5_000
    assert len(sentences("." * 100_000 + "a" * 100_000)) == 1
