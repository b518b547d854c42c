import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyloom.errors import RequestError
from retrieval.joining import LEAST_QUERIES, USUAL_SHARE, WORDS_ALONE, Judged, join, learn_share

# Words know the answer, cosines put two others before it; and one that both know.
WORDY = Judged(cosines={"a": 0.9, "b": 0.8, "c": 0.1}, keyword={"c": 7.0, "b": 1.0}, relevant={"c"})
EASY = Judged(cosines={"a": 0.9, "b": 0.1}, keyword={"a": 7.0}, relevant={"a"})


def test_scores_by_hand():
    cosines, keyword = {"a": 0.5, "b": 0.25}, {"b": 2.0, "c": 4.0}
    # a 0.5, b 0.25 + 0.25, c 0.5: equal scores stand by id.
    assert join(cosines, keyword, share=0.5) == ["a", "b", "c"]
    assert join(cosines, keyword, share=0.75) == ["c", "b", "a"]
    assert join(cosines, keyword, share=0.0) == ["a", "b", "c"]


def test_a_query_that_is_hardly_read_goes_by_its_words():
    assert join({"a": 0.9}, {"b": 1.0}, share=0.5) == ["a", "b"]
    assert join({"a": 0.9}, {"b": 1.0}, share=0.5, readable=0.2) == ["b", "a"]


def test_words_alone_leave_cosines_to_order_what_is_equal():
    assert join({"a": 0.1, "b": 0.9, "c": 1.0}, {"a": 3.0, "b": 3.0}, share=WORDS_ALONE) == ["b", "a", "c"]


def test_one_side_or_none():
    assert join({"a": 0.1, "b": 0.2}, {}, share=1.0) == ["b", "a"]
    assert join({}, {"a": 0.1, "b": 0.2}, share=1.0) == ["b", "a"]
    assert join({}, {}, share=1.0) == []


def test_a_clear_gain_changes_the_share():
    learned = learn_share([WORDY] * 40)
    assert (learned.share, learned.queries, learned.at_best) == (1.0, 40, 1.0)
    assert learned.at_usual == pytest.approx(1 / 3)
    assert (learned.low, learned.high) == pytest.approx((2 / 3, 2 / 3))
    assert learned.why == (
        "The share 1 has a mean reciprocal rank of 1.000 on 40 judged queries, the usual share 0.333: better "
        "(+0.667 to +0.667)."
    )


def test_a_gain_by_luck_does_not():
    learned = learn_share([WORDY] * 2 + [EASY] * 38, usual=0.25, shares=[0.25, 1.0])
    assert (learned.share, learned.at_usual, learned.at_best) == (0.25, pytest.approx(1 - 2 / 60), 1.0)
    assert learned.low < 0 < learned.high
    assert "not significantly better, so the usual one stays (-0." in learned.why
    assert learn_share([WORDY] * 10 + [EASY] * 30, usual=0.25, shares=[0.25, 1.0]).share == 1.0


def test_the_luckiest_of_many_shares_is_not_taken():
    """Each share alone has an interval that lies above 0 once in forty times where there is nothing to gain."""
    random = np.random.default_rng(3)
    taken = 0
    for seed in range(40):
        judged = [noise(random) for _ in range(60)]
        taken += learn_share(judged, resamples=400, seed=seed).share != USUAL_SHARE
    assert taken <= 4


def noise(random: np.random.Generator) -> Judged:
    """A query whose answer stands anywhere by either side."""
    cosines, keyword = random.random((2, 12)).tolist()
    ids = "abcdefghijkl"
    return Judged(
        cosines=dict(zip(ids, cosines, strict=True)),
        keyword=dict(zip(ids, keyword, strict=True)),
        relevant={ids[random.integers(12)]},
    )


def test_too_few_queries_teach_nothing():
    learned = learn_share([WORDY] * (LEAST_QUERIES - 1))
    assert (learned.share, learned.low, learned.high, learned.queries) == (USUAL_SHARE, 0.0, 0.0, LEAST_QUERIES - 1)
    assert learned.why == "29 judged queries are too few to learn from, 30 are needed: the usual share."
    assert learn_share([]).share == USUAL_SHARE


def test_what_is_among_no_candidates_is_never_found():
    lost = Judged(cosines={"a": 0.9}, keyword={}, relevant={"z"})
    empty = Judged(cosines={}, keyword={}, relevant={"z"})
    learned = learn_share([lost, empty] * 20)
    assert (learned.share, learned.at_usual, learned.at_best) == (USUAL_SHARE, 0.0, 0.0)


def test_the_same_seed_learns_the_same():
    random = np.random.default_rng(0)
    judged = [noise(random) for _ in range(50)]
    assert learn_share(judged, seed=5) == learn_share(judged, seed=5)


SCORES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0, 3.0]))


@given(cosines=SCORES, keyword=SCORES, share=st.sampled_from([0.0, 0.25, 1 / 3, 2.0, WORDS_ALONE]))
def test_what_is_learned_by_is_what_is_joined(cosines, keyword, share):
    keyword = {id_: score for id_, score in keyword.items() if score > 0}
    ranking = join(cosines, keyword, share=share)
    for id_ in ranking:
        learned = learn_share([Judged(cosines, keyword, {id_})] * LEAST_QUERIES, usual=share, shares=[share, 9.0])
        assert learned.at_usual == pytest.approx(1 / (ranking.index(id_) + 1))


@pytest.mark.parametrize("share", [-0.1, float("inf"), float("nan")])
def test_wrong_shares(share):
    with pytest.raises(RequestError, match=r"is not allowed; what the best keyword score counts is 0 or more"):
        join({"a": 1.0}, {}, share=share)
    with pytest.raises(RequestError, match=f"The share {share} is not allowed"):
        learn_share([], shares=[0.5, share])
