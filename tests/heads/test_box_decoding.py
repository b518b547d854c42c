"""A detector's decoder: truth, answers in pixels, figures, and another release's labels."""

import numpy as np
import pytest

from heads.box_decoding import DetectionDecoder
from heads.boxes import AnchorLevel
from heads.detection_metrics import LABEL, NOTHING, UNKNOWN
from heads.probabilities import sigmoid
from tests.support.tiny_models import noise, png

# One anchor, the left upper quarter, and one, the whole picture.
LEVELS = (AnchorLevel(1, 1, ((1.0, 1.0),)), AnchorLevel(2, 2, ((0.5, 0.5),)))
DECODER = DetectionDecoder(labels=("bus", "car"), levels=LEVELS, threshold=0.5)
WHOLE, UPPER_LEFT, LOWER_RIGHT = 0, 1, 4


def outputs(*rows):
    """Each row a list of (anchor, label number, logit)."""
    scores = np.full((len(rows), 5, 2), -12.0)
    for row, given in enumerate(rows):
        for anchor, label, logit in given:
            scores[row, anchor, label] = logit
    return {"scores": scores, "boxes": np.zeros((len(rows), 5, 4))}


def box(label, x, y, width, height):
    return {"label": label, "x": x, "y": y, "width": width, "height": height}


QUARTER = box("car", 0.0, 0.0, 0.5, 0.5)


def test_truth_is_padded_and_tells_empty_from_unknown():
    truth = DECODER.encode([[QUARTER, box("bus", 0.5, 0.25, 0.25, 0.5)], [], None])
    assert truth["labels"].tolist() == [[1, 0], [-1, -1], [-1, -1]]
    assert truth["boxes"][0].tolist() == [[0.0, 0.0, 0.5, 0.5], [0.5, 0.25, 0.75, 0.75]]
    assert np.isnan(truth["boxes"][1:]).all()
    assert truth["known"].tolist() == [True, True, False]


def test_a_label_that_training_never_saw_is_left_out():
    assert DECODER.encode([[box("tram", 0, 0, 1, 1), QUARTER]])["labels"].tolist() == [[1]]


def test_answers_are_in_pixels_of_the_given_picture():
    picture = png(noise(seed=0, height=100, width=200))
    found = outputs([(UPPER_LEFT, 1, 2.0), (LOWER_RIGHT, 0, 1.0), (WHOLE, 0, -1.0)])
    (answer,) = DECODER.answers(found, [picture])
    assert answer.label == "car, bus"
    assert [(part.label, part.box) for part in answer.parts] == [("car", (0, 0, 100, 50)), ("bus", (100, 50, 200, 100))]
    car, bus = sigmoid(np.array([2.0, 1.0])).tolist()
    assert answer.probability == answer.parts[0].probability == pytest.approx(car)
    assert answer.probabilities == pytest.approx({"car": car, "bus": bus})


def test_the_probabilities_are_the_best_labels():
    (answer,) = DECODER.answers(outputs([(UPPER_LEFT, 1, 2.0), (LOWER_RIGHT, 0, 1.0)]), [png(noise(seed=0))], top=1)
    assert list(answer.probabilities) == ["car"]
    assert len(answer.parts) == 2


def test_an_empty_picture_is_answered_with_no_box():
    (answer,) = DECODER.answers(outputs([(UPPER_LEFT, 1, -2.0)]), [png(noise(seed=0))])
    assert (answer.label, answer.parts) == ("", ())
    assert answer.probability == pytest.approx(1.0 - float(sigmoid(np.array(-2.0))))


def test_figures_by_hand():
    values = [[QUARTER], [box("bus", 0.5, 0.5, 0.5, 0.5)], None]
    found = outputs(
        [(UPPER_LEFT, 1, 3.0), (LOWER_RIGHT, 1, 2.0)], [(LOWER_RIGHT, 0, -2.0)], [(WHOLE, 0, 9.0), (WHOLE, 1, 9.0)]
    )
    figures = DECODER.measure(found, DECODER.encode(values))
    assert figures["map_50"] == figures["ap_50_car"] == figures["ap_50_bus"] == pytest.approx(1.0)
    # Two boxes are shown, one of them is right; two are true.
    assert (figures["precision"], figures["recall"], figures["f1"]) == (0.5, 0.5, 0.5)


def test_rows_of_unknown_truth_do_not_count():
    values, found = [[QUARTER], None], outputs([(UPPER_LEFT, 1, 3.0)], [(WHOLE, 1, 9.0)])
    truth = DECODER.encode(values)
    for scorer in DECODER.scorers.values():
        assert scorer(*DECODER.comparable(found, truth)) == pytest.approx(1.0)
    _, predicted = DECODER.comparable(found, truth)
    assert (predicted[1, :, LABEL] == NOTHING).all()
    alone = DECODER.calibrate({name: array[:1] for name, array in found.items()}, DECODER.encode(values[:1]))
    assert DECODER.calibrate(found, truth) == alone


def test_the_threshold_keeps_what_is_right():
    # Of a hundred pictures each shows a car at logit 0; beside it stands a wrong one at logit -2.
    found = outputs(*[[(UPPER_LEFT, 1, 0.0), (LOWER_RIGHT, 1, -2.0)]] * 100)
    calibrated = DECODER.calibrate(found, DECODER.encode([[QUARTER]] * 100))
    (answer, *_) = calibrated.answers(found, [png(noise(seed=0))] * 100)
    assert [part.box[0] for part in answer.parts] == [0.0]
    assert answer.parts[0].probability > 0.95
    assert calibrated.measure(found, calibrated.encode([[QUARTER]] * 100))["f1"] == 1.0


def test_another_release_s_labels_are_translated():
    other = DetectionDecoder(labels=("car", "tram", "bus"), levels=LEVELS)
    found = {"scores": np.full((1, 5, 3), -12.0), "boxes": np.zeros((1, 5, 4))}
    found["scores"][0, UPPER_LEFT, 0], found["scores"][0, LOWER_RIGHT, 1] = 3.0, 2.0
    _, predicted = other.comparable(found, other.encode([[QUARTER]]))
    translated = DECODER.translated(predicted, given_by=other)
    assert translated[0, :3, LABEL].tolist() == [1, UNKNOWN, NOTHING]
    truth, _ = DECODER.comparable(outputs([]), DECODER.encode([[QUARTER]]))
    assert DECODER.scorers["map_50"](truth, translated) == pytest.approx(1.0)
