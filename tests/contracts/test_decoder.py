"""What every decoder must keep, whatever its kind of task."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from heads.alignment_decoding import AlignmentDecoder
from heads.box_decoding import DetectionDecoder
from heads.boxes import AnchorLevel
from heads.conformal import ConformalSets
from heads.decoder import Decoder, rows_of
from heads.decoders import KINDS, load_decoder, metrics_of
from heads.decoding import ClassificationDecoder
from heads.number_decoding import RegressionDecoder
from heads.relation_decoding import RelationDecoder
from heads.scope import Scope
from heads.span_decoding import SpanDecoder
from heads.span_target import SpanTarget
from heads.token_decoding import TokenClassificationDecoder
from tests.support.tiny_models import noise, png


@dataclass(frozen=True)
class Case:
    """A decoder, target values, outputs that are right for each of them, and the inputs that these came from."""

    decoder: Decoder
    values: list
    outputs: dict[str, np.ndarray]
    inputs: list
    unknown: object = None


def one_label():
    given = ClassificationDecoder(problem="multiclass", labels=("a", "b", "退款"))
    values = ["b", "退款", "a", "b"]
    return Case(given, values, {"logits": np.eye(3)[[1, 2, 0, 1]] * 9}, ["text"] * 4)


def many_labels():
    given = ClassificationDecoder(problem="multilabel", labels=("a", "b"))
    values = [["a"], ["a", "b"], [], ["b"]]
    logits = np.array([[9, -9], [9, 9], [-9, -9], [-9, 9]], float)
    return Case(given, values, {"logits": logits}, ["text"] * 4, unknown=[])


def assured():
    given = ClassificationDecoder(
        problem="multiclass",
        labels=("a", "b", "退款"),
        calibration="isotonic",
        conformal=ConformalSets(alpha=0.4),
        scope=Scope(),
        held_out=("c",),
    )
    return Case(given, ["b", "退款", "a", "b"], {"logits": np.eye(3)[[1, 2, 0, 1]] * 9}, ["text"] * 4, unknown="c")


def number():
    values = [1.0, 2.0, 4.0, 5.0]
    given = RegressionDecoder.fit(values)
    return Case(given, values, {"values": given.encode(values)["values"]}, ["text"] * 4)


def entities():
    given = TokenClassificationDecoder(types=("LOC", "PER"), scheme="BIOES")
    values = [["S-PER", "O", "B-LOC", "E-LOC"], ["O"], ["B-PER", "E-PER"], ["S-LOC", "S-LOC"]]
    tags = given.encode(values)["tags"]
    outputs = {"logits": np.eye(len(given.tags))[tags.clip(min=0)] * 9, "labelled": (tags >= 0).astype(np.float32)}
    return Case(given, values, outputs, [["Ada", "in", "New", "York"], "nobody", "Ada Byron", ["Rome", "Oslo"]])


def pair():
    # One picture with fifteen captions, then thirty pictures with one each: turned round, the first finds none.
    numbers = np.concatenate([np.zeros(15, int), np.arange(1, 31)])
    values = [(f"caption {row}", f"picture {number}") for row, number in enumerate(numbers)]
    vectors = np.eye(31)[numbers]
    given = AlignmentDecoder(sides=("text", "image"))
    return Case(given, values, {"first": vectors, "second": vectors}, ["text"] * len(values))


def relation():
    labels = ("Cause(e1,e2)", "Cause(e2,e1)", "Other", "退款(e1,e2)")
    given = RelationDecoder(ClassificationDecoder(problem="multiclass", labels=labels))
    values = [labels[1], labels[3], labels[0], labels[2]]
    return Case(given, values, {"logits": np.eye(4)[[1, 3, 0, 2]] * 9}, ["text"] * 4)


def span():
    context = "one two 退款"
    values = [SpanTarget(context, answers) for answers in (["two"], [], ["退款", "six"], ["one"])]
    # The tokens: "no answer", the question's, three words.
    logits = np.eye(5)[[3, 0, 4, 2]] * 9.0
    characters = np.array([[(-1, -1), (0, 0), (0, 3), (4, 7), (8, 10)]] * 4)
    outputs = {"start": logits, "end": logits, "characters": characters}
    return Case(SpanDecoder(), values, outputs, [("which?", context)] * 4)


def boxes():
    # The anchors are the quarters of the picture; each row shows other ones.
    given = DetectionDecoder(labels=("bus", "car"), levels=(AnchorLevel(2, 2, ((0.5, 0.5),)),))
    shown = [[("car", 0)], [("bus", 1), ("car", 2)], [], [("bus", 3)]]
    values = [
        [{"label": label, "x": 0.5 * (at % 2), "y": 0.5 * (at // 2), "width": 0.5, "height": 0.5} for label, at in row]
        for row in shown
    ]
    scores = np.full((4, 4, 2), -9.0)
    for number, row in enumerate(shown):
        for label, at in row:
            scores[number, at, given.labels.index(label)] = 9.0
    return Case(given, values, {"scores": scores, "boxes": np.zeros((4, 4, 4))}, [png(noise(seed=0))] * 4)


CASES: dict[str, Callable[[], Case]] = {
    "one label": one_label,
    "many labels": many_labels,
    "assured": assured,
    "number": number,
    "entities": entities,
    "pair": pair,
    "relation": relation,
    "span": span,
    "boxes": boxes,
}


@pytest.fixture(params=list(CASES))
def case(request):
    return CASES[request.param]()


def scores(case, outputs, values):
    scored = case.decoder.comparable(outputs, case.decoder.encode(values))
    return {name: scorer(*scored) for name, scorer in case.decoder.scorers.items()}


def test_json_gives_back_the_same_decoder(case):
    assert load_decoder(json.loads(json.dumps(case.decoder.to_json()))) == case.decoder
    assert KINDS[case.decoder.kind] is type(case.decoder)
    assert metrics_of(case.decoder.kind) == tuple(case.decoder.scorers)


def test_right_outputs_score_best(case):
    right = scores(case, case.outputs, case.values)
    wrong = scores(case, {name: array[::-1] for name, array in case.outputs.items()}, case.values)
    for name, value in right.items():
        assert value == pytest.approx(1.0 if not name.startswith("negative") else 0.0)
        assert value > wrong[name]


def test_truth_and_prediction_have_one_shape_and_any_rows_can_be_scored(case):
    truth, predicted = case.decoder.comparable(case.outputs, case.decoder.encode(case.values))
    assert truth.shape == predicted.shape
    assert len(truth) == len(case.values)
    drawn = np.array([0, 0, 1, 3])
    for scorer in case.decoder.scorers.values():
        assert np.isfinite(scorer(truth[drawn], predicted[drawn]))


def test_each_row_is_scored_by_itself(case):
    truth, predicted = case.decoder.comparable(case.outputs, case.decoder.encode(case.values))
    for row in range(len(case.values)):
        one = case.decoder.comparable(rows_of(case.outputs, [row]), case.decoder.encode(case.values[row : row + 1]))
        width = min(one[0].shape[1], truth.shape[1]) if truth.ndim > 1 else None
        for alone, together in zip(one, (truth, predicted), strict=True):
            np.testing.assert_allclose(
                np.asarray(alone[0], float).reshape(-1)[:width], np.asarray(together[row], float).reshape(-1)[:width]
            )


def test_every_row_is_answered(case):
    answers = case.decoder.answers(case.outputs, case.inputs)
    assert len(answers) == len(case.values)
    for answer in answers:
        assert 0.0 <= answer.probability <= 1.0
        assert all(0.0 <= value <= 1.0 for value in answer.probabilities.values())
    assert case.decoder.answers(rows_of(case.outputs, slice(0, 0)), []) == []


def test_a_calibrated_decoder_is_one_of_the_same_kind(case):
    truth = case.decoder.encode(case.values)
    calibrated = case.decoder.calibrate(case.outputs, truth)
    assert type(calibrated) is type(case.decoder)
    assert load_decoder(json.loads(json.dumps(calibrated.to_json()))) == calibrated
    none = case.decoder.calibrate(rows_of(case.outputs, slice(0, 0)), rows_of(truth, slice(0, 0)))
    assert type(none) is type(case.decoder)


def test_figures_are_numbers_and_hold_every_score_of_the_same_name(case):
    figures = case.decoder.measure(case.outputs, case.decoder.encode(case.values))
    assert all(isinstance(value, float) for value in figures.values())
    for name, value in scores(case, case.outputs, case.values).items():
        assert figures.get(name, value) == pytest.approx(value)


def test_unknown_values_are_truth_that_nobody_knows(case):
    truth = case.decoder.encode([case.unknown] * 3)
    assert all(len(array) == 3 for array in truth.values())


def test_its_own_predictions_need_no_translation(case):
    _, predicted = case.decoder.comparable(case.outputs, case.decoder.encode(case.values))
    np.testing.assert_array_equal(case.decoder.translated(predicted, given_by=case.decoder), predicted)
