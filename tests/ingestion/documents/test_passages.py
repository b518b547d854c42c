"""Passages are parts of the document as it stands, and keep their ids."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.documents.document import Document, Heading, Page, markdown_headings
from ingestion.documents.passages import passages
from polyloom.errors import RequestError

PARAGRAPH = "Number {0} is here. It has a second sentence, {0} of them. And a third one that is longer than both."


def document(text, **given):
    return Document("shop.md", "markdown", text, headings=tuple(markdown_headings(text)), **given)


@given(
    st.text(alphabet="ab. 。\n中#", max_size=300),
    st.integers(20, 60),
    st.integers(0, 10),
)
def test_each_is_what_stands_there_and_none_is_too_long(text, characters, overlap):
    found = passages(document(text), characters=characters, overlap=overlap)
    assert all(one.text == text[one.start : one.end] and 0 < len(one.text) <= characters for one in found)
    assert len({one.id for one in found}) == len(found)
    covered = {place for one in found for place in range(one.start, one.end)}
    assert all(text[place].isspace() for place in set(range(len(text))) - covered)


def test_whole_sentences_are_repeated():
    found = passages(document("One is here. Two is here. Three is it. Four is it."), characters=26, overlap=13)
    assert [one.text for one in found] == [
        "One is here. Two is here.",
        "Two is here. Three is it.",
        "Three is it. Four is it.",
    ]


def test_a_long_sentence_is_cut_at_words():
    found = passages(document("word " * 20), characters=24, overlap=0)
    assert {one.text for one in found} == {"word word word word word"[:24]}


def test_an_id_survives_a_change_elsewhere():
    paragraphs = [PARAGRAPH.format(number) for number in range(40)]
    before = passages(document("\n\n".join(paragraphs)), characters=150, overlap=0)
    changed = ["A new first paragraph. " + paragraphs[0], *paragraphs[1:]]
    after = passages(document("\n\n".join(changed)), characters=150, overlap=0)
    kept = {one.id for one in before} & {one.id for one in after}
    assert len(kept) >= len(before) - 2
    assert len({one.id for one in before}) == len(before)


def test_none_goes_on_behind_a_heading_and_pages_are_known():
    text = "# Delivery\nTwo days.\n\n# Returns\n## How\nSend it back."
    found = passages(document(text, pages=(Page(1, 0, 21), Page(2, 22, len(text)))))
    assert [one.text for one in found] == ["# Delivery\nTwo days.", "# Returns\n## How\nSend it back."]
    assert [(one.heading, one.page) for one in found] == [("Delivery", 1), ("Returns", 2)]


def test_the_same_words_twice_are_two_passages():
    found = passages(
        Document("a", "text", "Same.\n\nSame.", headings=(Heading(0, "x"), Heading(7, "y"))), characters=20, overlap=0
    )
    assert len({one.id for one in found}) == len(found)


@pytest.mark.parametrize(("characters", "overlap"), [(10, 0), (100, -1), (100, 51)])
def test_what_cannot_be_asked_for(characters, overlap):
    with pytest.raises(
        RequestError, match=f"Passages of {characters} characters with an overlap of {overlap} were asked"
    ):
        passages(document("a"), characters=characters, overlap=overlap)
