"""Strangers: scores by hand, the threshold's promise, and what a distance learns."""

import json
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.metrics import auroc, share_interval
from heads.scope import FUSED, SCORES, Scope, auroc_interval, centres_of


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
    assert Scope(score="max_logit", share=0.25).fit(outputs, np.full(40, -1)).threshold == inf


def test_a_distance_is_that_to_the_nearest_centre():
    fused = np.array([[2.0, 0.1], [2.0, -0.1], [0.0, 2.0], [0.1, 2.1], [-3.0, -3.0]])
    truth = np.array([0, 0, 2, 2, -3])
    empty = Scope(score="distance")
    assert not empty.ready
    learned = empty.learn({FUSED: fused}, truth)
    assert learned.ready
    assert len(learned.centres) == 2
    scores = learned.scores({FUSED: fused})
    assert scores[:4].max() < 0.05
    assert scores[4] > 0.9
    assert Scope.from_json(json.loads(json.dumps(learned.to_json(), allow_nan=False))) == learned


def test_a_label_that_is_said_in_two_ways_has_a_centre_for_each():
    angles = np.concatenate([np.linspace(0.0, 0.1, 8), np.linspace(2.0, 2.1, 8), np.linspace(4.0, 4.1, 16)])
    fused = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    learned = Scope(score="distance").learn({FUSED: fused}, np.repeat([0, 1], 16))
    assert len(learned.centres) == 8
    assert learned.scores({FUSED: fused}).max() < 0.01
    between = np.array([[np.cos(1.05), np.sin(1.05)]])
    assert learned.scores({FUSED: between})[0] > 0.3
    assert learned == Scope(score="distance").learn({FUSED: fused}, np.repeat([0, 1], 16))


def test_rows_that_are_alike_have_no_more_centres_than_there_are_different_ones():
    assert centres_of(np.ones((40, 3))).tolist() == [[1.0, 1.0, 1.0]]
    assert sorted(centres_of(np.repeat(np.eye(2), 20, axis=0)).tolist()) == [[0.0, 1.0], [1.0, 0.0]]


def test_combined_sees_the_doubtful_and_the_far():
    random = np.random.default_rng(0)
    angles = np.concatenate([random.normal(0.0, 0.05, 50), random.normal(2.0, 0.05, 50)])
    fused = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    truth = np.repeat([0, 1], 50)
    logits = np.where(truth[:, None] == [0, 1], 4.0, 0.0) + random.normal(0, 0.3, (100, 2))
    scope = Scope().learn({FUSED: fused}, truth).fit({"logits": logits, FUSED: fused}, truth)
    assert scope.scores({"logits": logits, FUSED: fused}).mean() == pytest.approx(0.0, abs=1e-3)
    far, doubtful = fused[:1] * -1.0, np.array([[2.0, 2.0]])
    strange = {"logits": np.concatenate([logits[:1], doubtful, logits[:1]]), FUSED: np.concatenate([far, fused[:2]])}
    assert scope.inside(strange).tolist() == [False, False, True]
    assert Scope.from_json(json.loads(json.dumps(scope.to_json(), allow_nan=False))) == scope


def test_combined_without_held_out_rows_refuses_nothing():
    fused = np.array([[1.0, 0.0], [0.0, 1.0]])
    scope = Scope().learn({FUSED: fused}, np.array([0, 1]))
    assert scope.fit({"logits": np.eye(2), FUSED: fused}, np.array([-1, -1])).threshold == inf


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
