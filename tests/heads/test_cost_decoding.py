"""A classifier that knows costs: what it answers, what it measures, and that JSON and champions keep it."""

import json

import numpy as np
import pytest

from heads.cost_decoding import CostDecoder
from heads.decoders import load_decoder
from heads.decoding import ClassificationDecoder
from tests.heads.test_costs import LABELS, TREE

COSTS = ((0.0, 1.0), (10.0, 0.0))
DECODER = CostDecoder(problem="binary", labels=("fine", "fraud"), costs=COSTS)
OUTPUTS = {"logits": np.log([[0.95, 0.05], [0.8, 0.2], [0.1, 0.9]])}
TRUTH = DECODER.encode(["fine", "fine", "fraud"])


def test_the_cheapest_answer_is_given_with_its_own_probability():
    first, second, third = DECODER.answers(OUTPUTS, [None] * 3)
    assert (first.label, second.label, third.label) == ("fine", "fraud", "fraud")
    assert second.probability == pytest.approx(0.2)
    assert second.probabilities == pytest.approx({"fine": 0.8, "fraud": 0.2})


def test_a_cheap_answer_beyond_the_top_is_still_shown():
    (answer,) = DECODER.answers({"logits": OUTPUTS["logits"][1:2]}, [None], top=1)
    assert answer.probabilities == pytest.approx({"fine": 0.8, "fraud": 0.2})


def test_costs_are_measured_beside_those_of_the_most_probable_labels():
    figures = DECODER.measure(OUTPUTS, TRUTH)
    assert figures["mean_cost"] == pytest.approx(1 / 3)
    assert figures["mean_cost_of_probable"] == 0.0
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert "negative_mean_cost" not in figures
    assert DECODER.scorers["negative_mean_cost"](*DECODER.comparable(OUTPUTS, TRUTH)) == pytest.approx(-1 / 3)


def test_probable_answers_are_those_of_a_plain_classifier():
    plain = ClassificationDecoder(problem="binary", labels=("fine", "fraud"))
    probable = CostDecoder(problem="binary", labels=("fine", "fraud"), costs=COSTS, answering="probable")
    assert [answer.label for answer in probable.answers(OUTPUTS, [None] * 3)] == [
        answer.label for answer in plain.answers(OUTPUTS, [None] * 3)
    ]


def test_with_a_tree_alone_the_nearest_answer_is_the_cheapest():
    distances = tuple(map(tuple, TREE.distances().tolist()))
    decoder = CostDecoder(problem="multiclass", labels=LABELS, distances=distances)
    # The oak is most probable, but cat and dog are near each other and together more probable.
    probabilities = np.array([[0.3, 0.28, 0.42, 0.0]])
    assert LABELS[decoder.decide(probabilities)[0]] == "cat"
    figures = decoder.measure({"logits": np.log(probabilities + 1e-9)}, decoder.encode(["dog"]))
    assert figures["mean_distance"] == pytest.approx(1 / 3)
    assert figures["mean_distance_of_probable"] == 1.0
    assert set(decoder.scorers) == {"accuracy", "macro_f1", "micro_f1", "negative_mean_distance"}


def test_it_goes_through_json_and_a_plain_one_stays_plain():
    assert load_decoder(json.loads(json.dumps(DECODER.to_json()))) == DECODER
    plain = ClassificationDecoder(problem="binary", labels=("fine", "fraud"))
    assert load_decoder(plain.to_json()) == plain


def test_a_calibrated_one_still_knows_its_costs():
    assert DECODER.calibrate(OUTPUTS, TRUTH).costs == COSTS


def test_another_champions_labels_that_are_unknown_here_cost_most():
    other = ClassificationDecoder(problem="binary", labels=("fine", "theft"))
    predicted = DECODER.translated(np.array([0, 1, 1]), given_by=other)
    # Unknown answers to a fine row cost 1, to a fraud row 10.
    assert DECODER.scorers["negative_mean_cost"](TRUTH["labels"], predicted) == pytest.approx(-(0 + 1 + 10) / 3)
