"""How rankings are scored, and what the halves of the questions are joined by."""

import math

import numpy as np
import pytest

from benchmarks.retrieval_quality import CASES, JOINED, RANKS, VECTORS, WORDS, summary, ways
from benchmarks.retrieval_rows import RetrievalSet, answered, judged, marked_records
from benchmarks.retrieval_scores import first_answers, ndcg_at_10, one_of_ten_answers
from retrieval.joining import Judged

RECORDS = ".I 7\n.T\na wing\nin air\n.A\nsomeone\n.W\nwhat lifts\n.I 9\n.T\n.W\n"


def test_scores_by_hand():
    assert ndcg_at_10(["a", "x", "b"], {"a", "b", "c"}) == pytest.approx((1 + 1 / 2) / (1 + 1 / math.log2(3) + 1 / 2))
    assert ndcg_at_10(["x"] * 10 + ["a"], {"a"}) == 0.0
    assert (first_answers(["a"], {"a"}), first_answers(["x", "a"], {"a"}), first_answers([], {"a"})) == (1, 0, 0)
    assert (one_of_ten_answers(["x"] * 9 + ["a"], {"a"}), one_of_ten_answers(["x"] * 10 + ["a"], {"a"})) == (1, 0)


def test_records_by_their_marks():
    assert marked_records(RECORDS) == [
        ("7", {"T": "a wing in air", "A": "someone", "W": "what lifts"}),
        ("9", {"T": "", "W": ""}),
    ]


def test_what_is_repeated_stands_once():
    found = answered(
        "faq", [("q", "yes", True), ("q", "no", False), ("p", "yes", True), ("r", "no", False), ("s", "", True)]
    )
    assert dict(found.items) == {"0": "yes", "1": "no"}
    assert [(one.text, set(one.relevant)) for one in found.questions] == [("q", {"0"}), ("p", {"0"})]
    assert len(found.cut(1).questions) == 1


def test_each_question_is_judged_by_what_the_other_half_taught():
    wordy = Judged(cosines={"a": 0.9, "b": 0.8, "c": 0.1}, keyword={"c": 7.0, "b": 1.0}, relevant={"c"})
    scores, learned = ways([wordy] * 80, first_answers)
    assert [one.share for one in learned] == [1.0, 1.0]
    assert {name: values.mean() for name, values in scores.items()} == {WORDS: 1, VECTORS: 0, RANKS: 1, JOINED: 1}


def test_joined_scores_are_held_against_the_better_part():
    given: RetrievalSet = judged("xquad", {"a": "x"}, [("q", {"a"})] * 4)
    right, wrong = np.ones(4), np.zeros(4)
    shown = {WORDS: right, VECTORS: wrong, RANKS: right, JOINED: wrong}
    *_, reached, gain = summary(CASES["xquad"], given, shown, [])
    assert (reached.value, reached.against, reached.met) == (0.0, 1.0, False)
    assert (gain.value, gain.met) == (-1.0, False)
    assert "gain over words alone, -1.0000 to -1.0000" in gain.name
