"""Strangers: scores by hand, the threshold's promise, and what a distance learns."""

import json
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.metrics import auroc, share_interval
from heads.scope import FUSED, SCORES, Scope, auroc_interval


def test_scores_by_hand():
    logits = np.log([[1.0, 3.0], [4.0, 4.0]])
    np.testing.assert_allclose(SCORES["probability"](logits), [0.25, 0.5])
    np.testing.assert_allclose(SCORES["energy"](logits), -np.log([4, 8]))
    np.testing.assert_allclose(SCORES["max_logit"](logits), -np.log([3, 4]))
    np.testing.assert_allclose(SCORES["entropy"](logits), [0.562335, 0.693147], rtol=1e-5)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60), st.floats(0, 0.99))
def test_at_most_the_share_of_held_out_rows_is_refused(values, share):
    outputs = {"logits": np.array([[value, 0.0] for value in values])}
    fitted = Scope(score="energy", share=share).fit(outputs, np.zeros(len(values), int))
    assert (~fitted.inside(outputs)).sum() <= share * len(values) + 1e-6


def test_as_many_are_refused_as_may_be_and_unknown_rows_do_not_count():
    outputs = {"logits": np.arange(40.0)[:, None]}
    truth = np.where(np.arange(40) < 20, -1, 0)
    fitted = Scope(score="max_logit", share=0.25).fit(outputs, truth)
    assert (~fitted.inside({"logits": outputs["logits"][20:]})).sum() == 5
    assert Scope(share=0.25).fit(outputs, np.full(40, -1)).threshold == inf


def test_a_distance_is_that_to_the_nearest_label():
    fused = np.array([[2.0, 0.1], [2.0, -0.1], [0.0, 2.0], [0.1, 2.1], [-3.0, -3.0]])
    truth = np.array([0, 0, 2, 2, -3])
    empty = Scope(score="distance")
    assert not empty.ready
    learned = empty.learn({FUSED: fused}, truth)
    assert learned.ready
    assert len(learned.means) == 2
    scores = learned.scores({FUSED: fused})
    assert scores[:4].max() < 0.05
    assert scores[4] > 0.9
    assert Scope.from_json(json.loads(json.dumps(learned.to_json(), allow_nan=False))) == learned


def test_figures_of_known_and_unknown_rows():
    outputs = {"logits": np.array([[9.0], [8.0], [7.0], [1.0], [2.0]])}
    scope = Scope(score="max_logit", threshold=-7.5)
    figures = scope.measure(outputs, known=np.arange(5) < 3, unknown=np.arange(5) >= 3)
    assert figures["scope_refused"] == pytest.approx(1 / 3)
    assert (figures["unknown_refused"], figures["unknown_auroc"], figures["unknown_auroc_low"]) == (1.0, 1.0, 1.0)
    none = scope.measure(outputs, known=np.arange(5) < 3, unknown=np.zeros(5, bool))
    assert set(none) == {"scope_refused"}


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_the_auroc_is_that_of_all_pairs(inside, outside):
    pairs = [(other > one) + 0.5 * (other == one) for one in inside for other in outside]
    assert auroc(np.array(inside), np.array(outside)) == pytest.approx(np.mean(pairs))


def test_intervals_hold_their_figure():
    random = np.random.default_rng(0)
    inside, outside = random.normal(size=300), random.normal(1.5, size=60)
    low, high = auroc_interval(inside, outside, resamples=200)
    assert low < auroc(inside, outside) < high < low + 0.15
    assert share_interval(0, 10) == (0.0, pytest.approx(0.2775, abs=1e-3))
    assert share_interval(90, 100) == pytest.approx((0.8256, 0.9448), abs=1e-3)
