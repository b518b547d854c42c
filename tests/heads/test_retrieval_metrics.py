"""Ranks, recall and nDCG against cases worked out by hand, and against naive loops."""

import math

import numpy as np
import pytest

from heads.retrieval_metrics import (
    best_ranks,
    first_k,
    hit_rate,
    mean_reciprocal_rank,
    median_rank,
    ndcg_at_k,
    recall_at_k,
)

# Orders: 2 0 1 3 / 3 2 1 0 / all alike.
SCORES = np.array([[0.5, 0.2, 0.9, 0.1], [0.1, 0.2, 0.3, 0.4], [0.7, 0.7, 0.7, 0.7]])
RELEVANT = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0]], dtype=bool)


def test_the_rank_of_the_best_relevant_item():
    assert best_ranks(SCORES, RELEVANT).tolist() == [2, 4, 4]


def test_a_model_that_scores_all_alike_finds_nothing():
    ranks = best_ranks(np.zeros((5, 10)), np.eye(5, 10, dtype=bool))
    assert ranks.tolist() == [10] * 5
    assert hit_rate(ranks, k=9) == 0.0


def test_a_query_without_an_answer_does_not_count():
    ranks = best_ranks(SCORES, RELEVANT & np.array([[True], [False], [True]]))
    assert ranks.tolist() == [2, 0, 4]
    assert (hit_rate(ranks, k=2), median_rank(ranks), mean_reciprocal_rank(ranks)) == (0.5, 3.0, 0.375)


def test_without_any_answer_there_is_no_figure_to_be_proud_of():
    ranks = np.zeros(3, dtype=np.int64)
    assert (hit_rate(ranks, k=1), median_rank(ranks), mean_reciprocal_rank(ranks)) == (0.0, math.inf, 0.0)


def test_excluded_items_stand_in_nobodys_way_and_are_never_found():
    excluded = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
    assert best_ranks(SCORES, RELEVANT, excluded=excluded).tolist() == [1, 0, 4]
    recall = recall_at_k(SCORES, RELEVANT, k=4, excluded=excluded)
    assert recall[[0, 2]].tolist() == [1.0, 1.0]
    assert math.isnan(recall[1])
    assert math.isnan(ndcg_at_k(SCORES, RELEVANT, k=4, excluded=excluded)[1])


def test_recall_counts_each_relevant_item():
    assert recall_at_k(SCORES, RELEVANT, k=2).tolist() == [0.5, 0.0, 0.0]
    assert recall_at_k(SCORES, RELEVANT, k=3).tolist() == [1.0, 0.0, 1.0]


def test_ndcg_by_hand():
    # First query: relevant at places 2 and 3 of the order; best would be places 1 and 2.
    expected = (1 / math.log2(3) + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert ndcg_at_k(SCORES, RELEVANT, k=3)[0] == pytest.approx(expected)
    assert ndcg_at_k(SCORES, RELEVANT, k=3)[1] == 0.0
    assert ndcg_at_k(SCORES, RELEVANT, k=10)[1] == pytest.approx(1 / math.log2(5))


def test_ndcg_with_graded_gains_is_one_only_for_the_best_order():
    gains = np.array([[3.0, 1.0, 2.0, 0.0]])
    assert ndcg_at_k(gains, gains, k=3)[0] == pytest.approx(1.0)
    assert ndcg_at_k(-gains, gains, k=4)[0] < 0.8


def test_a_query_with_nothing_relevant_is_nan():
    assert np.isnan(recall_at_k(SCORES[:1], np.zeros((1, 4), bool), k=2)).all()
    assert np.isnan(ndcg_at_k(SCORES[:1], np.zeros((1, 4), bool), k=2)).all()


def test_ties_go_to_the_lower_number():
    assert first_k(SCORES, k=2).tolist() == [[2, 0], [3, 2], [0, 1]]


def test_against_naive_loops():
    random = np.random.default_rng(3)
    scores, relevant = random.normal(size=(20, 30)), random.random((20, 30)) < 0.2
    ranks, recall, gain = (
        best_ranks(scores, relevant),
        recall_at_k(scores, relevant, k=5),
        ndcg_at_k(scores, relevant, k=5),
    )
    for query in range(20):
        order = sorted(range(30), key=lambda item: -scores[query, item])
        places = [place for place, item in enumerate(order, start=1) if relevant[query, item]]
        assert ranks[query] == places[0]
        assert recall[query] == pytest.approx(sum(place <= 5 for place in places) / len(places))
        best = sum(1 / math.log2(place + 1) for place in range(1, min(5, len(places)) + 1))
        assert gain[query] == pytest.approx(sum(1 / math.log2(place + 1) for place in places if place <= 5) / best)
