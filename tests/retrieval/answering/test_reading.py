"""Which sentence of a passage answers, by words where the vectors say nothing, and by vectors where words do not."""

import numpy as np
import pytest

from retrieval.answering.asked_kinds import NAME, NUMBER, TIME, asked_kind, holds
from retrieval.answering.reading import SentenceReader

TEXT = "We sell hats. Delivery takes two days. Returns are free of charge."


def silent(texts):
    """An encoder that says nothing."""
    return np.zeros((len(texts), 3), dtype=np.float32)


def by_topic(texts):
    """An encoder that knows money."""
    return np.array([["free" in one or "cost" in one, 0.1] for one in texts], dtype=np.float32)


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("How long does delivery take?", TEXT, "Delivery takes two days."),
        ("Are returns free?", TEXT, "Returns are free of charge."),
        ("送货要多久？", "我们卖帽子。送货需要两天。退货免费。", "送货需要两天。"),
    ],
)
def test_by_words(question, text, expected):
    found = SentenceReader(silent)(question, text)
    assert found.text == expected == text[found.start : found.end]


def test_by_vectors():
    assert SentenceReader(by_topic)("What does it cost me?", TEXT).text == "Returns are free of charge."


def test_many_are_read_as_each_alone():
    reader = SentenceReader(by_topic, rarity=lambda _: 1.0)
    texts = [TEXT, "", "One sentence"]
    assert reader.read_all("delivery", texts) == [reader("delivery", text) for text in texts]
    assert reader("delivery", "") is None


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When was it?", TIME),
        ("In what year did it end?", TIME),
        ("How many hats?", NUMBER),
        ("Who was he?", NAME),
        ("多少钱？", NUMBER),
        ("什么时候到？", TIME),
        ("Why is it so?", None),
    ],
)
def test_what_is_asked_for(question, kind):
    assert asked_kind(question) is kind


def test_what_the_question_says_is_no_answer():
    assert not holds("The Bank was founded.", NAME, besides="Who founded the bank?")
    assert holds("It was founded by Smith.", NAME, besides="Who founded the bank?")
