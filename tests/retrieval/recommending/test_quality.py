"""Measures by hand, and beside loops."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from retrieval.recommending.quality import (
    average_precision,
    coverage,
    exposure_gini,
    list_diversity,
    ndcg,
    novelty,
    paired_interval,
    popularity_percentile,
    precision,
    recall,
    summary,
    top_lists,
)

LISTS = np.array([[0, 1, 2], [3, 0, -1], [1, 2, 3]])
RELEVANT = np.array([[1, 0, 1, 0, 1], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)


def test_hits_by_hand():
    second = 1 / math.log2(3)
    ideal = 1 + second + 0.5
    assert ndcg(LISTS, RELEVANT)[:2] == pytest.approx([(1 + 0.5) / ideal, second])
    assert precision(LISTS, RELEVANT)[:2] == pytest.approx([2 / 3, 1 / 3])
    assert recall(LISTS, RELEVANT)[:2] == pytest.approx([2 / 3, 1])
    assert average_precision(LISTS, RELEVANT)[:2] == pytest.approx([(1 + 2 / 3) / 3, 1 / 2])
    for measure in (ndcg, precision, recall, average_precision):
        assert np.isnan(measure(LISTS, RELEVANT)[2])
        assert np.array_equal(measure(LISTS, sp.csr_matrix(RELEVANT)), measure(LISTS, RELEVANT), equal_nan=True)


def test_lists_are_sorted_scores_with_equal_ones_by_number():
    scores = np.random.default_rng(1).integers(0, 4, (40, 12)).astype(np.float32)
    left_out = np.random.default_rng(2).random((40, 12)) < 0.7
    for user, own in enumerate(top_lists(scores, k=5, left_out=left_out)):
        expected = sorted((-scores[user, item], item) for item in range(12) if not left_out[user, item])[:5]
        assert own[own >= 0].tolist() == [item for _, item in expected]
        assert (own[len(expected) :] == -1).all()
    assert top_lists(scores[:, :0], k=5).shape == (40, 0)


def test_what_hits_do_not_show_by_hand():
    takers = np.array([8, 4, 2, 1, 0])
    assert coverage(LISTS, count=5) == 0.8
    assert novelty(np.array([[0, 1], [4, -1]]), takers=takers, users=8) == pytest.approx((0 + 1 + 3) / 3)
    assert popularity_percentile(np.array([[0]]), takers=takers) == pytest.approx(0.9)
    assert popularity_percentile(np.arange(5)[None], takers=takers) == pytest.approx(0.5)
    assert exposure_gini(np.arange(5)[None], count=5) == 0
    assert exposure_gini(np.zeros((4, 1), int), count=5) == pytest.approx(0.8)
    vectors = np.array([[1.0, 0], [0, 2.0], [3.0, 0]])
    assert list_diversity(np.array([[0, 1], [0, 2]]), vectors) == pytest.approx(0.5)
    assert list_diversity(np.array([[0, 1, 2]]), vectors) == pytest.approx(1 - 1 / 3)


def test_empty_lists_measure_nothing():
    none = np.full((2, 3), -1)
    assert coverage(none, count=5) == novelty(none, takers=np.ones(5), users=2) == 0
    assert popularity_percentile(none, takers=np.ones(5)) == exposure_gini(none, count=5) == 0
    assert list_diversity(none, np.ones((5, 2))) == 0


def test_a_paired_interval_sees_a_gain_and_none():
    random = np.random.default_rng(4)
    theirs = random.random(400)
    gain = paired_interval(theirs + 0.02 + 0.01 * random.normal(size=400), theirs)
    assert gain.low > 0.018
    assert gain.high < 0.022
    none = paired_interval(theirs + 0.1 * random.normal(size=400), theirs)
    assert none.low < 0 < none.high
    assert paired_interval(np.array([np.nan]), np.array([1.0])) == (0, 0, 0)


def test_a_summary_holds_all_measures():
    found = summary(LISTS, RELEVANT, takers=np.ones(5), users=3, vectors=np.eye(5))
    assert found["recall"] == pytest.approx((2 / 3 + 1) / 2)
    assert set(found) == {
        "ndcg",
        "precision",
        "recall",
        "average_precision",
        "coverage",
        "novelty_bits",
        "popularity_percentile",
        "exposure_gini",
        "list_diversity",
    }
