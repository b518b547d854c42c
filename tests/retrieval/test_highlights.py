"""What is highlighted in a text, in English and in Chinese, and which part of a long one is shown."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyloom.errors import RequestError
from retrieval.highlights import Span, highlights, passage
from retrieval.words import terms


def marked(text, spans):
    """The text with what is highlighted in brackets."""
    for start, end in sorted(spans, reverse=True):
        text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
    return text


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("My cards were lost.", "lost card", "My [cards] were [lost]."),
        ("Lost cards, LOST card", "the losing of a card", "Lost [cards], LOST [card]"),
        ("The bank of the river", "the bank", "The [bank] of the river"),
        ("To be or not", "to be", "[To] [be] or not"),
        ("nothing here", "card", "nothing here"),
        ("", "card", ""),
        ("card", "?!", "card"),
        ("Naïve cafés", "cafés", "Naïve [cafés]"),
        ("ＡＢＣ shop", "abc", "[ＡＢＣ] shop"),
    ],
)
def test_english(text, query, expected):
    assert marked(text, highlights(text, query)) == expected


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("如何申请退款，款项多久退回", "退款", "如何申请[退款]，款项多久退回"),
        ("退货后的款项", "退款", "[退]货后的[款]项"),
        ("信用卡被盗刷", "信用卡", "[信用卡]被盗刷"),
        ("我的信用很好，卡在家里", "信用卡", "我的[信用]很好，卡在家里"),
        ("红鞋和红帽", "红", "[红]鞋和[红]帽"),
        ("红色的鞋，一款红鞋子", "红 鞋子", "[红]色的鞋，一款[红鞋子]"),
        ("我的iPhone15退款了，退了", "iphone15退款", "我的[iPhone15退款]了，退了"),
        ("買東京タワーの券", "東京タワー", "買[東京タワー]の券"),
        ("没有", "退款", "没有"),
    ],
)
def test_chinese_pairs_before_single_characters(text, query, expected):
    assert marked(text, highlights(text, query)) == expected


WORDS = st.lists(st.sampled_from(["card", "cards", "the", "退", "款", "信用", " ", ", ", "_", "Ａ", "é"])).map("".join)


@given(WORDS, WORDS)
def test_spans_stand_apart_and_hold_terms_of_the_query(text, query):
    spans = highlights(text, query)
    assert all(left.end < right.start for left, right in pairwise(spans))
    wanted = {term.text for term in terms(query)}
    found = [term for term in terms(text) if term.text in wanted]
    assert bool(spans) == bool(found)
    assert all(any(span.start <= term.start < span.end for term in found) for span in spans)


@given(WORDS)
def test_a_text_holds_all_of_itself(text):
    covered = {place for start, end in highlights(text, text) for place in range(start, end)}
    # A character that stands alone may be part of a pair elsewhere, and then says little.
    alone = {term.start for term in terms(text) if len(term.text) == 1}
    assert {place for term in terms(text) for place in range(term.start, term.end)} - alone <= covered


def test_a_short_text_is_shown_whole():
    assert passage("A lost card", [Span(2, 6)]) == ("A lost card", [Span(2, 6)])
    assert passage("", []) == ("", [])


def test_the_part_with_most_of_it_by_hand():
    text = "one card here and much that is of no use at all, then the lost card was found again by somebody"
    spans = highlights(text, "lost card found")
    shown = passage(text, spans, around=40)
    assert marked(*shown) == "…then the [lost] [card] was [found] again by…"
    assert passage(text, [], around=20) == ("one card here and…", [])


def test_chinese_is_cut_between_any_two_characters():
    text = "甲乙丙丁" * 10 + "申请退款" + "戊己庚辛" * 10
    shown = passage(text, highlights(text, "退款"), around=10)
    assert marked(*shown) == "…丙丁申请[退款]戊己庚辛…"


def test_a_word_longer_than_the_passage_is_cut_in_the_middle():
    text = "x" * 100 + "退款" + "y" * 100
    shown = passage(text, [Span(100, 102)], around=10)
    assert marked(*shown) == "…[退款]…"
    assert passage("x" * 50, [], around=10) == ("x" * 10 + "…", [])
    assert passage("x" * 50, [Span(5, 50)], around=10) == ("…" + "x" * 10 + "…", [Span(1, 11)])


def test_blanks_alone_are_not_something_left_out():
    assert passage("card" + " " * 50, [Span(0, 4)], around=10) == ("card", [Span(0, 4)])


@given(WORDS, WORDS, st.integers(1, 30))
def test_a_passage_is_a_part_of_its_text(text, query, around):
    spans = highlights(text, query)
    shown = passage(text, spans, around=around)
    inner = shown.text.removeprefix("…").removesuffix("…")
    assert inner in text
    assert len(inner) <= around
    assert bool(shown.spans) == bool(spans)
    assert all(0 <= start < end <= len(shown.text) for start, end in shown.spans)
    said = {text[start:end] for start, end in spans}
    assert all(any(shown.text[start:end] in one for one in said) for start, end in shown.spans)


def test_a_passage_of_nothing_is_refused():
    with pytest.raises(RequestError, match="passage of 0 characters was asked for; ask for at least 1"):
        passage("text", [], around=0)
