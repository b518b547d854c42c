"""Maximal marginal relevance: by hand, and beside the formula written out for each pair."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polyloom.errors import RequestError
from retrieval.diversity import maximal_marginal_relevance

# Two wordings of one thing, something else, and something between.
RANKING = [("loan", 0.9), ("loan again", 0.8), ("鞋子", 0.5), ("half", 0.4)]
VECTORS = {
    "loan": np.array([1.0, 0.0]),
    "loan again": np.array([2.0, 0.0]),
    "鞋子": np.array([0.0, 3.0]),
    "half": np.array([1.0, 1.0]),
}


def names(ranking):
    return [id_ for id_, _ in ranking]


def test_a_repetition_comes_last_by_hand():
    # Relevance 1, 0.8, 0.2, 0. Beside "loan": 0.8 - 1, 0.2 - 0, 0 - 0.707, each halved. Then: -0.1, and -0.354.
    found = maximal_marginal_relevance(RANKING, vectors=VECTORS, diversity=0.5, k=4)
    assert found == [("loan", 0.9), ("鞋子", 0.5), ("loan again", 0.8), ("half", 0.4)]


def test_no_diversity_leaves_the_order_and_all_of_it_looks_at_differences_alone():
    assert maximal_marginal_relevance(RANKING, vectors=VECTORS, diversity=0, k=3) == RANKING[:3]
    assert names(maximal_marginal_relevance(RANKING, vectors=VECTORS, diversity=1, k=4)) == [
        "loan", "鞋子", "half", "loan again"
    ]  # fmt: skip


def test_without_a_vector_nothing_is_similar():
    assert maximal_marginal_relevance(RANKING, vectors={}, diversity=0.9, k=9) == RANKING
    some = {"loan": VECTORS["loan"], "loan again": VECTORS["loan again"]}
    assert names(maximal_marginal_relevance(RANKING, vectors=some, diversity=0.5, k=4)) == [
        "loan", "鞋子", "half", "loan again"
    ]  # fmt: skip


def test_equal_hits_keep_their_order():
    same = [("b", 0.1), ("a", 0.1), ("c", 0.1)]
    vectors = dict.fromkeys("abc", np.array([0.1, 0.7, 0.3]))
    assert maximal_marginal_relevance(same, vectors=vectors, diversity=0.4, k=3) == same
    assert maximal_marginal_relevance([], vectors=vectors, diversity=0.4, k=3) == []


def written_out(ranking, vectors, diversity, k):
    """The formula, for each pair of items."""
    scores = [score for _, score in ranking]
    span = max(scores) - min(scores)
    chosen, left = [], list(ranking)
    while left and len(chosen) < k:

        def worth(hit):
            similar = [cosine(vectors.get(hit[0]), vectors.get(other)) for other, _ in chosen]
            relevance = (hit[1] - min(scores)) / span if span else 1.0
            return round((1 - diversity) * relevance - diversity * max(similar, default=0.0), 6)

        best = max(left, key=worth)
        left.remove(best)
        chosen.append(best)
    return chosen


def cosine(left, right):
    if left is None or right is None or not left.any() or not right.any():
        return 0.0
    return float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))


NUMBERS = st.integers(-3, 3)


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=8),
    st.dictionaries(st.integers(0, 8).map(str), st.lists(NUMBERS, min_size=3, max_size=3).map(np.array)),
    st.sampled_from([0.0, 0.25, 0.5, 0.7, 1.0]),
    st.integers(1, 9),
)
@example([3, 3, 3], {}, 0.5, 2)
def test_any_ranking_is_that_of_the_formula(scores, vectors, diversity, k):
    ranking = [(str(place), score / 9) for place, score in enumerate(sorted(scores, reverse=True))]
    found = maximal_marginal_relevance(ranking, vectors=vectors, diversity=diversity, k=k)
    assert found == written_out(ranking, vectors, diversity, k)
    if diversity == 0:
        assert found == ranking[:k]


@pytest.mark.parametrize(
    ("diversity", "k", "message"),
    [
        (-0.1, 3, "diversity is -0.1; it must lie between 0, which leaves the order, and 1"),
        (1.5, 3, "diversity is 1.5"),
        (float("nan"), 3, "diversity is nan"),
        (0.5, 0, "k is 0; ask for at least 1 hit"),
    ],
)
def test_wrong_requests(diversity, k, message):
    with pytest.raises(RequestError, match=message):
        maximal_marginal_relevance(RANKING, vectors=VECTORS, diversity=diversity, k=k)
