"""Curves that are known beforehand are found again, and no answer is ever certain or undecided."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from heads.label_calibration import LabelCurves, isotonic_curve, log_odds, platt_curve
from heads.metrics import expected_calibration_error
from heads.probabilities import sigmoid, softmax
from tests.heads.test_calibration import honest

METHODS = ["platt", "isotonic"]


def error(probabilities, truth):
    return expected_calibration_error(probabilities.max(axis=1), probabilities.argmax(axis=1) == truth)


def test_log_odds_by_hand():
    np.testing.assert_allclose(log_odds(np.log([[1.0, 2.0, 5.0]]), multilabel=False), np.log([[1 / 7, 1 / 3, 5 / 3]]))
    np.testing.assert_allclose(log_odds(np.array([[3.0, -1.0]]), multilabel=True), [[3.0, -1.0]])


def test_a_known_sigmoid_is_recovered():
    random = np.random.default_rng(0)
    odds = random.normal(scale=3.0, size=20000)
    mask = random.random(20000) < sigmoid(0.5 * odds - 1.0)
    ((slope,), (offset,)) = platt_curve(odds, mask)
    assert (slope, offset) == pytest.approx((0.5, -1.0), abs=0.05)


def test_rows_that_are_all_told_apart_do_not_make_the_sigmoid_a_cliff():
    ((slope,), (offset,)) = platt_curve(np.array([-1.0, -1.0, 1.0, 1.0]), np.array([False, False, True, True]))
    # Platt's targets for two and two rows are 1/4 and 3/4.
    np.testing.assert_allclose(sigmoid(slope * np.array([-1.0, 1.0]) + offset), [0.25, 0.75], atol=1e-3)


def test_steps_by_hand():
    # The second and the third row are the wrong way round and are pooled; the last two stand at one place.
    odds, mask = np.array([0.0, 1.0, 2.0, 3.0, 3.0]), np.array([False, True, False, True, True])
    assert isotonic_curve(odds, mask) == ((0.0, 1.0, 2.0, 3.0), (0.0, 0.5, 0.5, 1.0))


@pytest.mark.parametrize("method", METHODS)
def test_overconfident_logits_become_honest(method):
    logits, truth = honest(8000)
    curves = LabelCurves.fit(3 * logits[:4000], truth[:4000], method=method, multilabel=False)
    assert error(softmax(3 * logits[4000:]), truth[4000:]) > 0.1
    assert error(curves.probabilities(3 * logits[4000:], multilabel=False), truth[4000:]) < 0.03


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_offset_of_one_label_is_mended_where_a_temperature_cannot(method):
    random = np.random.default_rng(1)
    logits = random.normal(scale=2.0, size=(6000, 2))
    truth = random.random(logits.shape) < sigmoid(logits)
    off = logits + np.array([0.0, 2.0])
    found = LabelCurves.fit(off, truth, method=method, multilabel=True).probabilities(off, multilabel=True)
    assert np.abs(found.mean(axis=0) - truth.mean(axis=0)).max() < 0.01


@pytest.mark.parametrize("method", METHODS)
def test_labels_without_rows_and_rows_without_labels_are_left_as_they_are(method):
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]])
    none = LabelCurves.fit(logits, np.array([-1, -1]), method=method, multilabel=False)
    np.testing.assert_allclose(none.probabilities(logits, multilabel=False), softmax(logits))
    some = LabelCurves.fit(logits, np.array([0, -1]), method=method, multilabel=False)
    assert some.curves == (((), ()),) * 3
    assert none.probabilities(logits[:0], multilabel=False).shape == (0, 3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("multilabel", [False, True])
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_any_rows_give_probabilities_that_json_gives_back(method, multilabel, data):
    rows = data.draw(st.integers(0, 12))
    logits = data.draw(arrays(np.float32, (rows, 3), elements=st.floats(-30, 30, width=32)))
    shape, elements = ((rows, 3), st.booleans()) if multilabel else ((rows,), st.integers(-1, 2))
    truth = data.draw(arrays(bool if multilabel else np.int64, shape, elements=elements))
    curves = LabelCurves.fit(logits, truth, method=method, multilabel=multilabel)
    assert LabelCurves.from_json(json.loads(json.dumps(curves.to_json()))) == curves
    found = curves.probabilities(logits, multilabel=multilabel)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1 + 1e-12)).all()
    if not multilabel:
        np.testing.assert_allclose(found.sum(axis=1), 1.0)
    for row in range(rows):
        np.testing.assert_allclose(curves.probabilities(logits[row : row + 1], multilabel=multilabel)[0], found[row])


def test_steps_keep_the_order_of_labels_that_stand_on_one():
    logits = np.array([[3.0, 2.0], [2.0, 3.0], [3.1, 2.0], [1.0, 3.0]])
    curves = LabelCurves.fit(logits, np.array([0, 1, 0, 1]), method="isotonic", multilabel=False)
    flat = curves.probabilities(np.array([[2.2, 2.0], [2.0, 2.2]]), multilabel=False)
    assert flat.argmax(axis=1).tolist() == [0, 1]
