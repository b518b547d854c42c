"""From start and end logits to answers, scores and their calibration."""

import json

import numpy as np
import pytest

from heads.span_calibration import best_margin
from heads.span_decoding import SpanDecoder
from heads.span_target import SpanTarget

NONE, OTHER = (-1, -1), (0, 0)
CONTEXT = "one two six"
SPANS = [NONE, OTHER, (0, 3), (4, 7), (8, 11), OTHER]
LOW = -50.0


def outputs(*rows):
    """Rows of (none, one, two, six) scores: the start logits; the end logits are the same."""
    logits = np.array([[none, LOW, *words, LOW] for none, *words in rows], np.float32).reshape(-1, 6) / 2
    return {"start": logits, "end": logits, "characters": np.array([SPANS] * len(rows)).reshape(-1, 6, 2)}


def target(*answers):
    return SpanTarget(CONTEXT, answers)


def pairs(count):
    return [("which?", CONTEXT)] * count


def test_truth_as_arrays():
    truth = SpanDecoder().encode([target("two", "six"), target(), target("ten"), SpanTarget(CONTEXT, ["six"], 8)])
    assert truth["start"].tolist() == [4, 0, -1, 8]
    assert truth["end"].tolist() == [7, 0, -1, 11]
    assert {array.shape[0] for array in truth.values()} == {4}
    assert SpanDecoder().encode([None])["start"].tolist() == [-1]
    # A list from JSON is as good.
    again = SpanDecoder().encode([[CONTEXT, ["two", "six"], None]])
    assert again["start"].tolist() == [4]


def test_the_best_span_with_its_place_and_probabilities():
    # Single words score 0, ln 8, 0; "one two" and "two six" have the mean of their words' scores.
    answer = SpanDecoder().answers(outputs((-100.0, 0.0, np.log(8.0), 0.0)), pairs(1))[0]
    assert answer.label == "two"
    part = answer.parts[0]
    assert (part.text, part.start, part.end) == ("two", 4, 7)
    assert CONTEXT[part.start : part.end] == part.text
    total = 8 + 1 + 1 + 2 * np.sqrt(8) + 1  # "one two six" scores 0
    assert answer.probability == pytest.approx(8 / total)
    assert answer.probabilities["one two"] == pytest.approx(np.sqrt(8) / total)
    assert next(iter(answer.probabilities)) == "two"


def test_probabilities_add_up_to_one_over_spans_and_none():
    answer = SpanDecoder(temperature=1.7).answers(outputs((1.0, 0.3, 2.0, -1.0)), pairs(1), top=100)[0]
    assert sum(answer.probabilities.values()) == pytest.approx(1.0)
    assert set(answer.probabilities) == {"", "one", "two", "six", "one two", "two six", "one two six"}


def test_no_answer_where_it_leads_by_more_than_the_margin():
    given = outputs((5.0, 0.0, 3.0, 0.0))
    assert SpanDecoder().answers(given, pairs(1))[0].label == ""
    assert SpanDecoder().answers(given, pairs(1))[0].parts == ()
    assert SpanDecoder(none_margin=2.5).answers(given, pairs(1))[0].label == "two"
    assert SpanDecoder(none_margin=None).answers(given, pairs(1))[0].label == "two"
    assert SpanDecoder().answers(given, pairs(1), top=1)[0].probability == pytest.approx(
        SpanDecoder().answers(given, pairs(1))[0].probabilities[""]
    )


def test_the_same_words_at_two_places_are_one_answer_of_two_parts_probability():
    context = "red hat red"
    spans = [NONE, OTHER, (0, 3), (4, 7), (8, 11), OTHER]
    given = {**outputs((-100.0, 2.0, 0.0, 1.0)), "characters": np.array([spans])}
    answer = SpanDecoder().answers(given, [("which?", context)])[0]
    assert answer.label == "red"
    assert answer.parts[0].start == 0
    assert answer.probability > answer.parts[0].probability > 0
    assert answer.probability == pytest.approx(answer.probabilities["red"])


def test_answers_are_at_most_as_long_as_allowed():
    given = outputs((-100.0, 1.0, LOW, 1.0))
    given["start"], given["end"] = given["start"].copy(), given["end"].copy()
    given["start"][0, 2] = given["end"][0, 4] = 30.0
    assert SpanDecoder().answers(given, pairs(1))[0].label == "one two six"
    assert SpanDecoder(max_answer_tokens=2).answers(given, pairs(1))[0].label in {"one", "six", "one two", "two six"}


def test_figures_by_hand():
    decoder = SpanDecoder()
    given = outputs((0.0, 0, 9, 0), (0.0, 0, 9, 0), (9.0, 0, 0, 0), (9.0, 0, 0, 0))
    truth = decoder.encode([target("two"), target("two six"), target(), target("six")])
    own, predicted = decoder.comparable(given, truth)
    assert own.tolist() == [[1, 1]] * 4
    assert predicted.tolist() == [[1, 1], [0, pytest.approx(2 / 3)], [1, 1], [0, 0]]
    assert decoder.scorers["exact_match"](own, predicted) == 0.5
    assert next(iter(decoder.scorers)) == "f1"
    assert decoder.scorers["f1"](own, own) == 1.0
    figures = decoder.measure(given, truth)
    assert figures["f1"] == pytest.approx((1 + 2 / 3 + 1 + 0) / 4)
    assert figures["exact_match"] == 0.5
    assert figures["answerable_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert figures["unanswerable_accuracy"] == 1.0
    assert figures["answers_not_in_context"] == 0


def test_an_answer_that_is_not_in_the_context_is_counted_and_scored():
    decoder = SpanDecoder()
    given, truth = outputs((0.0, 0, 9, 0)), decoder.encode([target("two!?")])
    figures = decoder.measure(given, truth)
    assert figures["answers_not_in_context"] == 1
    assert figures["exact_match"] == 1.0
    assert "unanswerable_accuracy" not in figures


def test_the_margin_is_the_one_of_the_best_f1():
    # Leads 1, 2, 3, 4: rows three and four have no answer.
    leads = np.array([3.0, 1.0, 4.0, 2.0])
    answered, unanswered = np.array([0.0, 1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0, 0.0])
    assert best_margin(leads, answered=answered, unanswered=unanswered) == 2.5
    # Always an answer where none has none; never one where none has any.
    assert best_margin(leads, answered=np.ones(4), unanswered=np.zeros(4)) is None
    assert best_margin(leads, answered=np.zeros(4), unanswered=np.ones(4)) < 1.0
    # Equal leads cannot be told apart: two rows for an answer, one against.
    tied = best_margin(np.zeros(3), answered=np.array([1.0, 0.0, 1.0]), unanswered=np.array([0.0, 1.0, 0.0]))
    assert tied > 0.0


def test_of_equal_margins_the_one_near_zero_is_taken():
    leads = np.array([-3.0, -1.0, 2.0])
    answered, unanswered = np.array([1.0, 0.5, 0.0]), np.array([0.0, 0.5, 1.0])
    assert best_margin(leads, answered=answered, unanswered=unanswered) == 0.5


def test_calibrated_probabilities_are_as_often_right():
    # Three of four equal rows are right, whatever the scores say.
    given = outputs(*[(-100.0, 0, 12, 0)] * 400)
    decoder = SpanDecoder(max_answer_tokens=1)
    truth = decoder.encode([target("two")] * 300 + [target("one")] * 100)
    tuned = decoder.calibrate(given, truth)
    assert tuned.none_margin is None
    assert decoder.certainty(given, truth)[0][0] > 0.99
    assert tuned.certainty(given, truth)[0][0] == pytest.approx(0.75, abs=0.02)
    assert tuned.measure(given, truth)["ece"] < decoder.measure(given, truth)["ece"]


def test_calibrating_tunes_the_margin():
    # "No answer" leads too late.
    given = outputs(*[(0.0, 0, 12, 0)] * 4, *[(-2.0, 0, 1, 0)] * 2)
    decoder = SpanDecoder()
    truth = decoder.encode([target("two")] * 3 + [target("one")] + [target()] * 2)
    tuned = decoder.calibrate(given, truth)
    assert -12.0 < tuned.none_margin < -3.0
    assert decoder.measure(given, truth)["unanswerable_accuracy"] == 0.0
    assert tuned.measure(given, truth)["unanswerable_accuracy"] == 1.0
    always = decoder.calibrate(outputs((9.0, 0, 0, 0)), decoder.encode([target("two")]))
    assert always.none_margin is None


def test_no_rows():
    decoder = SpanDecoder()
    given, truth = outputs(), decoder.encode([])
    assert decoder.answers(given, []) == []
    assert decoder.comparable(given, truth)[1].shape == (0, 2)
    assert decoder.measure(given, truth)["f1"] == 0.0
    assert decoder.calibrate(given, truth).temperature == 1.0


def test_a_context_without_a_token_has_no_answer():
    given = {**outputs((0.0, 0, 9, 0)), "characters": np.array([[NONE, *[OTHER] * 5]])}
    decoder = SpanDecoder(none_margin=None)
    assert decoder.answers(given, [("which?", " ")])[0].label == ""
    assert decoder.measure(given, decoder.encode([target("two")]))["exact_match"] == 0.0


@pytest.mark.parametrize("margin", [None, -1.5])
def test_the_disk_gives_back_the_same_decoder(margin):
    decoder = SpanDecoder(max_answer_tokens=12, temperature=1.3, none_margin=margin)
    value = json.loads(json.dumps(decoder.to_json()))
    assert value["kind"] == "span"
    assert SpanDecoder.from_json(value) == decoder
