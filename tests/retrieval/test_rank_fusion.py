import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyloom.errors import RequestError
from retrieval.rank_fusion import reciprocal_rank_fusion


def test_sum_by_hand():
    fused = reciprocal_rank_fusion([["a", "b"], ["b", "c"]], weights=[1.0, 2.0], constant=1)
    assert fused == [("b", 1 / 3 + 2 / 2), ("c", 2 / 3), ("a", 1 / 2)]


def test_equal_scores_stand_by_id():
    assert [id_ for id_, _ in reciprocal_rank_fusion([["b", "a"], ["a", "b"]], weights=[1, 1])] == ["a", "b"]


def test_one_ranking_keeps_its_order():
    assert [id_ for id_, _ in reciprocal_rank_fusion([["z", "m", "a"]], weights=[0.3])] == ["z", "m", "a"]


def test_nothing_gives_nothing():
    assert reciprocal_rank_fusion([], weights=[]) == []
    assert reciprocal_rank_fusion([[], []], weights=[1, 1]) == []


@given(st.lists(st.lists(st.sampled_from("abcdef"), unique=True), max_size=4))
def test_the_order_of_the_rankings_does_not_matter(rankings):
    weights = [0.1 * number for number in range(1, len(rankings) + 1)]
    assert reciprocal_rank_fusion(rankings, weights=weights) == reciprocal_rank_fusion(
        rankings[::-1], weights=weights[::-1]
    )


@pytest.mark.parametrize(
    ("rankings", "weights", "constant", "message"),
    [
        ([["a"]], [1, 1], 60, "2 weights for 1 rankings"),
        ([["a"]], [0], 60, "weight 0 is not allowed; weights are finite and above 0"),
        ([["a"]], [float("nan")], 60, "weight nan is not allowed"),
        ([["a"]], [1], -1, "constant is -1; it must be 0 or more"),
        ([["b", "a", "a"]], [1], 60, "'a' stands more than once in one ranking"),
    ],
)
def test_wrong_requests(rankings, weights, constant, message):
    with pytest.raises(RequestError, match=message):
        reciprocal_rank_fusion(rankings, weights=weights, constant=constant)
