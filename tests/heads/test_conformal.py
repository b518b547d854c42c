"""Sets of labels: by hand, and that they hold what they promise."""

import json
from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.conformal import ConformalSets, least_rows, quantile
from heads.probabilities import sigmoid, softmax


def drawn(random, rows, *, labels=5, weights=None):
    """Probabilities that are wrong in a way, and labels that follow other ones."""
    logits = random.normal(scale=1.5, size=(rows, labels)) + (0.0 if weights is None else np.log(weights))
    truth = (random.random((rows, 1)) > softmax(logits).cumsum(axis=1)).sum(axis=1).clip(max=labels - 1)
    return softmax(2.5 * logits), truth


def test_the_threshold_is_the_score_of_the_promised_rank():
    scores = np.arange(1.0, 20.0)
    # ceil(20 * 0.9) is the 18th of 19; of nine scores it is the ninth, and eight are too few.
    assert quantile(scores, alpha=0.1) == 18.0
    assert quantile(scores[:9], alpha=0.1) == 9.0
    assert quantile(scores[:8], alpha=0.1) == inf
    assert [least_rows(alpha) for alpha in (0.5, 0.2, 0.1, 0.05, 0.01)] == [1, 4, 9, 19, 99]


@settings(deadline=None, max_examples=50)
@given(st.floats(0.001, 0.999))
def test_the_least_rows_are_the_least(alpha):
    least = least_rows(alpha)
    assert quantile(np.zeros(least), alpha=alpha) == 0.0
    assert quantile(np.zeros(least - 1), alpha=alpha) == inf


def test_scores_by_hand():
    probabilities = np.array([[0.2, 0.5, 0.3]])
    np.testing.assert_allclose(ConformalSets(score="lac").scores(probabilities), [[0.8, 0.5, 0.7]])
    np.testing.assert_allclose(ConformalSets(score="aps").scores(probabilities), [[0.8, 0.0, 0.5]])
    raps = ConformalSets(score="raps", penalty=0.1, free_labels=1)
    np.testing.assert_allclose(raps.scores(probabilities), [[1.0, 0.0, 0.6]])


@pytest.mark.parametrize("score", ["lac", "aps", "raps"])
@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_coverage_is_as_promised_over_many_draws(score, alpha):
    random = np.random.default_rng(0)
    shares = []
    for _ in range(200):
        probabilities, truth = drawn(random, 400)
        sets = ConformalSets(alpha=alpha, score=score).fit(probabilities[:100], truth[:100])
        shares.append(sets.measure(probabilities[100:], truth[100:])["coverage"])
    mean, error = np.mean(shares), np.std(shares) / len(shares) ** 0.5
    assert mean > 1 - alpha - 3 * error
    # Not more than the promise either, but for the one row in n + 1 (and for aps, whose sets are never empty).
    assert score != "lac" or mean < 1 - alpha + 1 / 101 + 3 * error


def test_coverage_of_each_label_is_as_promised_where_it_is_asked_for():
    random = np.random.default_rng(1)
    weights = np.array([1.0, 1.0, 0.3, 0.1])
    kinds = {False: ConformalSets(), True: ConformalSets(per_class=True)}
    shares = {kind: [] for kind in kinds}
    for _ in range(100):
        probabilities, truth = drawn(random, 2000, labels=4, weights=weights)
        for kind, sets in kinds.items():
            fitted = sets.fit(probabilities[:800], truth[:800])
            shares[kind].append(list(fitted.coverage_by_label(probabilities[800:], truth[800:]).values()))
    assert np.mean(shares[False], axis=0).min() < 0.85
    np.testing.assert_allclose(np.mean(shares[True], axis=0), 0.9, atol=0.02)


def test_rare_labels_share_a_threshold_and_too_few_rows_exclude_nothing():
    probabilities = np.full((29, 4), 0.25)
    truth = np.array([0] * 19 + [1] * 5 + [2] * 4 + [-1])
    probabilities[:19, 0], probabilities[19:, 1:3] = 0.6, 0.4
    found = ConformalSets(per_class=True).fit(probabilities, truth).thresholds
    assert found == pytest.approx((0.4, 0.6, 0.6, 0.6))
    few = ConformalSets(per_class=True).fit(probabilities[:22], truth[:22])
    assert few.thresholds == pytest.approx((0.4, inf, inf, inf))
    assert few.sets(np.array([[0.1, 0.0, 0.0, 0.9]])).tolist() == [[False, True, True, True]]
    assert ConformalSets().fit(probabilities[:0], truth[:0]).sets(probabilities).all()


def test_a_set_of_several_labels_holds_all_of_a_rows():
    random = np.random.default_rng(2)
    shares = []
    for _ in range(100):
        logits = random.normal(scale=2.0, size=(600, 3))
        truth = random.random(logits.shape) < sigmoid(logits)
        probabilities = sigmoid(2 * logits)
        sets = ConformalSets(alpha=0.2).fit(probabilities[:150], truth[:150])
        shares.append(sets.measure(probabilities[150:], truth[150:])["coverage"])
    assert np.mean(shares) == pytest.approx(0.8, abs=0.015)


def test_figures_by_hand():
    sets = ConformalSets(thresholds=(0.5, 0.5))
    probabilities = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [0.7, 0.3]])
    truth = np.array([0, 1, 0, -1])
    figures = sets.measure(probabilities, truth)
    assert figures["coverage"] == pytest.approx(2 / 3)
    assert 0.2 < figures["coverage_low"] < 2 / 3 < figures["coverage_high"] < 0.95
    assert figures["set_size"] == pytest.approx(4 / 3)
    assert figures["single_sets"] == pytest.approx(2 / 3)
    assert sets.coverage_by_label(probabilities, truth) == {0: 0.5, 1: 1.0}
    assert sets.measure(probabilities[3:], truth[3:]) == {}


def test_json_gives_back_the_same_sets_with_infinite_thresholds():
    given = ConformalSets(alpha=0.2, per_class=True, score="raps", thresholds=(0.25, inf))
    told = json.dumps(given.to_json(), allow_nan=False)
    assert ConformalSets.from_json(json.loads(told)) == given
