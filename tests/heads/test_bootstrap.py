"""The paired bootstrap against what can be said by hand."""

import numpy as np
import pytest

from heads.bootstrap import interval, paired_difference, paired_difference_over_seeds, resampled
from heads.metrics import accuracy

TRUTH = np.zeros(400, dtype=np.int64)


def wrong_on(rows):
    predicted = TRUTH.copy()
    predicted[list(rows)] = 1
    return predicted


def difference(predicted, against, **changed):
    return paired_difference(scorer=accuracy, truth=TRUTH, predicted=predicted, against=against, seed=7, **changed)


def test_the_same_predictions_differ_by_nothing():
    same = difference(wrong_on(range(50)), wrong_on(range(50)))
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_the_interval_is_that_of_a_normal_distribution():
    found = difference(wrong_on(range(20)), wrong_on(range(60)))
    # 40 rows of 400 differ, all in one direction: the deviation of the mean is sqrt(0.1 * 0.9 / 400).
    assert found.value == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1 - 1.96 * 0.015, abs=0.004)
    assert found.high == pytest.approx(0.1 + 1.96 * 0.015, abs=0.004)


def test_rows_that_both_get_wrong_make_nothing_wider():
    few, many = (difference(wrong_on(range(n)), wrong_on(range(n + 40))) for n in (0, 200))
    assert few.high - few.low == pytest.approx(many.high - many.low, abs=0.01)


def test_swapping_the_two_turns_the_sign():
    one, other = (
        difference(wrong_on(range(*a)), wrong_on(range(*b))) for a, b in (((0, 5), (9, 30)), ((9, 30), (0, 5)))
    )
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))


def test_more_confidence_is_a_wider_interval():
    wide, narrow = (difference(wrong_on(range(5)), wrong_on(range(30)), confidence=c) for c in (0.99, 0.8))
    assert wide.low < narrow.low < narrow.high < wide.high


def test_the_same_seed_draws_the_same_rows():
    first, again, other = (resampled(accuracy, TRUTH, [wrong_on(range(9))], resamples=20, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_interval_holds_its_share_of_the_samples():
    assert interval(np.arange(101.0), confidence=0.9) == pytest.approx((5.0, 95.0))


def test_over_seeds_a_difference_that_only_one_seed_has_is_not_clear():
    truth = np.zeros(500, dtype=np.int64)
    wrong = np.ones(500, dtype=np.int64)
    half = np.tile([0, 1], 250)
    steady = paired_difference_over_seeds(
        scorer=accuracy, truth=truth, predicted=[half, half], against=[wrong, wrong], seed=0
    )
    assert (steady.value, steady.clear) == (0.5, True)
    assert steady.low > 0.4
    lucky = paired_difference_over_seeds(
        scorer=accuracy, truth=truth, predicted=[half, wrong], against=[wrong, wrong], seed=0
    )
    assert lucky.value == 0.25
    assert lucky.low == 0.0
    assert not lucky.clear


def test_over_seeds_more_comparisons_ask_for_more():
    random = np.random.default_rng(0)
    truth = np.zeros(400, dtype=np.int64)
    plain, better = (random.permutation(np.arange(400) < wrong).astype(np.int64) for wrong in (200, 160))
    given = {"scorer": accuracy, "truth": truth, "predicted": [better], "against": [plain], "seed": 0}
    alone = paired_difference_over_seeds(**given)
    beside = paired_difference_over_seeds(**given, comparisons=1000)
    assert (alone.value, alone.low, alone.high) == (beside.value, beside.low, beside.high)
    assert (alone.clear, beside.clear) == (True, False)
