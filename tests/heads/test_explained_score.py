import numpy as np
import pytest

from heads.decoding import ClassificationDecoder
from heads.explained_score import ExplainedScore, explained_score
from heads.number_decoding import RegressionDecoder
from heads.span_decoding import SpanDecoder
from polyloom.errors import RequestError


def sigmoid(score):
    return 1 / (1 + np.exp(-score))


def test_it_is_the_log_odds_of_the_answers_calibrated_probability():
    decoder = ClassificationDecoder(problem="multiclass", labels=("a", "b", "c"), temperature=1.7)
    outputs = {"logits": np.array([[0.2, 3.0, -1.0], [5.0, 0.0, 0.0]])}
    score = explained_score(decoder, outputs)
    assert score.label == "b"
    assert sigmoid(score.of(outputs)) == pytest.approx(decoder.probabilities(outputs["logits"])[:, 1])


def test_of_several_labels_it_is_that_of_the_likeliest():
    decoder = ClassificationDecoder(problem="multilabel", labels=("a", "b"))
    outputs = {"logits": np.array([[-2.0, -1.0]])}
    score = explained_score(decoder, outputs)
    assert (score.label, score.of(outputs).tolist()) == ("b", [-1.0])


def test_of_a_number_it_is_the_number():
    decoder = RegressionDecoder(mean=10.0, deviation=2.0)
    score = explained_score(decoder, {"values": np.array([1.5], np.float32)})
    assert (score.label, score.of({"values": np.array([1.5, 0.0])}).tolist()) == ("13", [13.0, 10.0])


def test_a_single_label_has_no_others_to_be_held_against():
    assert ExplainedScore("a", 0).of({"logits": np.array([[2.0]])}).tolist() == [2.0]


def test_other_kinds_are_refused():
    decoder = SpanDecoder(max_answer_tokens=5)
    with pytest.raises(RequestError, match="kind 'span' is not explained; classification and regression are"):
        explained_score(decoder, {"start": np.zeros((1, 3))})
