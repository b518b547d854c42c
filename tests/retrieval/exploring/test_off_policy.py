"""Judging a policy by another one's log: by hand, by enumeration, and how often the intervals hold the truth."""

import itertools

import numpy as np
import pytest

from polyloom.errors import DataError, RequestError
from retrieval.exploring import off_policy
from retrieval.exploring.intervals import MOST_TERMS, bootstrap_t
from retrieval.exploring.logged_choices import LoggedChoices
from retrieval.exploring.off_policy import doubly_robust, effective_choices, importance_sampling, self_normalised
from retrieval.exploring.reward_model import cross_fitted, ridge_fit

EYE = np.eye(2)


def log_of(chosen, propensities, rewards, *, contexts=EYE, users=None):
    chosen = np.asarray(chosen)
    return LoggedChoices(
        contexts=(contexts,) * len(chosen),
        chosen=chosen,
        propensities=np.asarray(propensities, dtype=float),
        rewards=np.asarray(rewards, dtype=float),
        users=users,
    )


def simulated(number, *, seed, users=None):
    generator = np.random.default_rng(seed)
    logging = np.array([0.8, 0.2])
    chosen = (generator.random(number) < 0.2).astype(int)
    rewards = generator.random(number) < np.array([0.3, 0.6])[chosen]
    return log_of(chosen, logging[chosen], rewards, users=users)


@pytest.fixture
def few_are_enough(monkeypatch):
    monkeypatch.setattr(off_policy, "LEAST_EFFECTIVE", 0)


def test_estimates_by_hand(few_are_enough):
    log = log_of([0, 1, 1, 0], [0.8, 0.2, 0.2, 0.8], [1, 0, 2, 3])
    policy = [np.array([0.4, 0.6])] * 4
    # Weights 0.5, 3, 3, 0.5.
    assert importance_sampling(log, policy).value == pytest.approx((0.5 + 6 + 1.5) / 4)
    assert importance_sampling(log, policy, clip=2.0).value == pytest.approx((0.5 + 4 + 1.5) / 4)
    assert self_normalised(log, policy).value == pytest.approx(8 / 7)
    predicted = [np.array([2.0, 1.0])] * 4
    # The model says 0.4 * 2 + 0.6 * 1 = 1.4; its weighted errors are -0.5, -3, 3 and 0.5.
    assert doubly_robust(log, policy, predicted=predicted).value == pytest.approx(1.4)
    predicted = [np.array([1.0, 1.0])] * 4
    assert doubly_robust(log, policy, predicted=predicted).value == pytest.approx(1 + (0 - 3 + 3 + 1) / 4)
    assert importance_sampling(log, policy).effective_choices == pytest.approx(49 / 18.5)


def test_importance_sampling_and_doubly_robust_are_unbiased_over_all_logs(few_are_enough):
    logging, judged, reward = np.array([0.7, 0.3]), np.array([0.1, 0.9]), np.array([2.0, 5.0])
    policy, predicted = [judged] * 3, [np.array([1.0, -4.0])] * 3
    plain = robust = 0.0
    for chosen in itertools.product([0, 1], repeat=3):
        places = list(chosen)
        log = log_of(places, logging[places], reward[places])
        likely = logging[places].prod()
        plain += likely * importance_sampling(log, policy).value
        robust += likely * doubly_robust(log, policy, predicted=predicted).value
    assert plain == pytest.approx(judged @ reward)
    assert robust == pytest.approx(judged @ reward)


@pytest.mark.parametrize("estimator", [importance_sampling, self_normalised, doubly_robust])
def test_intervals_hold_the_truth(estimator):
    policy = [np.array([0.1, 0.9])] * 400
    found = [estimator(simulated(400, seed=seed), policy, seed=seed) for seed in range(60)]
    assert np.mean([one.low <= 0.57 <= one.high for one in found]) >= 0.88
    assert np.mean([one.value for one in found]) == pytest.approx(0.57, abs=0.02)
    assert all(one.low < one.value < one.high for one in found)


def test_choices_of_one_user_count_as_one():
    policy = [np.array([0.5, 0.5])] * 400
    once = simulated(100, seed=1)
    places = np.repeat(np.arange(100), 4)
    repeated = log_of(once.chosen[places], once.propensities[places], once.rewards[places], users=places)
    alone = importance_sampling(once, policy[:100])
    assert importance_sampling(repeated, policy).high == pytest.approx(alone.high)
    assert importance_sampling(repeated, policy).low == pytest.approx(alone.low)
    few = simulated(400, seed=1, users=np.arange(400) % 10)
    assert "Only 10 users" in importance_sampling(few, policy).warnings[0]


def test_missing_support_is_told_or_refused():
    judged = [np.array([0.001, 0.999])] * 200
    never = log_of(np.zeros(200, dtype=int), np.full(200, 0.8), np.arange(200) % 2)
    assert "far below 1: the policy chooses what the log never could" in importance_sampling(never, judged).warnings[0]
    with pytest.raises(DataError, match=r"say as much about this policy as 0.0 of its own; at least 20"):
        importance_sampling(never, [np.array([0.0, 1.0])] * 200)
    with pytest.raises(DataError, match=r"The propensity of choice 1 is 0.0; it must be above 0"):
        log_of([0, 0], [0.5, 0.0], [1, 1])


def test_what_to_know_is_told():
    policy = [np.array([0.1, 0.9])] * 400
    log = simulated(400, seed=1)
    said = importance_sampling(log, policy, clip=2.0).warnings
    assert "of the weights were clipped to 2: the estimate is biased" in said[-1]
    few = importance_sampling(simulated(200, seed=1), policy[:200])
    assert 20 < few.effective_choices < 100
    assert "effective choices: the interval may be too narrow" in few.warnings[0]
    nothing = log_of([0, 1] * 60, [0.5] * 120, [0] * 120)
    assert "no width and says nothing" in importance_sampling(nothing, [np.array([0.5, 0.5])] * 120).warnings[0]


@pytest.mark.parametrize(
    ("policy", "settings", "said"),
    [
        ([np.array([0.5, 0.5])] * 3, {}, "for 3 choices, the log holds 4"),
        ([np.array([0.5, 0.6])] * 4, {}, "choice 0 are 2 with the sum 1.1"),
        ([np.array([1.0])] * 4, {}, "choice 0 are 1 with the sum 1; they must be 2"),
        ([np.array([0.5, 0.5])] * 4, {"clip": 0.0}, "clip is 0.0; it must be above 0"),
        ([np.array([0.5, 0.5])] * 4, {"confidence": 95.0}, "confidence is 95.0; it must lie between 0 and 1"),
    ],
)
def test_what_cannot_be_judged_is_refused(policy, settings, said):
    with pytest.raises(RequestError, match=said):
        importance_sampling(log_of([0, 1, 1, 0], [0.8, 0.2, 0.2, 0.8], [1, 0, 2, 3]), policy, **settings)


def test_logs_that_cannot_be_are_refused():
    with pytest.raises(DataError, match="one of each for every choice"):
        log_of([0, 1], [0.5], [1, 1])
    with pytest.raises(DataError, match="Choice 1 is of place 2 among 2 candidates"):
        log_of([0, 2], [0.5, 0.5], [1, 1])


def test_effective_choices_by_hand():
    assert effective_choices(np.ones(7)) == 7
    assert effective_choices(np.array([1.0, 0.0, 0.0])) == 1
    assert effective_choices(np.zeros(3)) == 0


def test_no_choice_is_predicted_by_a_model_that_knows_it():
    log = simulated(50, seed=4)
    before = cross_fitted(log, folds=5)
    changed = log.rewards.copy()
    changed[7] += 100.0
    after = cross_fitted(log_of(log.chosen, log.propensities, changed), folds=5)
    assert np.array_equal(before[7], after[7])
    assert sum(not np.allclose(one, other) for one, other in zip(before, after, strict=True)) == 40
    together = simulated(50, seed=4, users=np.arange(50) // 5)
    before = cross_fitted(together, folds=5)
    together.rewards[35] += 100.0
    assert all(
        np.array_equal(one, other) for one, other in zip(before[35:40], cross_fitted(together)[35:40], strict=True)
    )
    with pytest.raises(RequestError, match="folds is 51; it must lie between 2 and the 50 users"):
        cross_fitted(log, folds=51)


def test_the_ridge_has_a_free_intercept():
    rows = np.array([[0.0], [1.0], [2.0]])
    assert np.allclose(ridge_fit(rows, np.array([5.0, 5.0, 5.0]), ridge=1.0), [5.0, 0.0])
    # Slope sum(xy) / (sum(xx) + ridge) = 2 / 4 about the centre (1, 1).
    assert np.allclose(ridge_fit(rows, np.array([0.0, 1.0, 2.0]), ridge=2.0), [0.5, 0.5])


def test_many_terms_are_grouped_without_losing_any():
    values = np.random.default_rng(0).normal(1.0, 1.0, size=5 * MOST_TERMS + 3)
    found = bootstrap_t(values, np.ones(len(values)), confidence=0.95, seed=0)
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 / np.sqrt(len(values)), rel=0.15)
