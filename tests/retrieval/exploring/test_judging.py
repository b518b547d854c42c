"""The four policies that a log is asked about, held against what they truly bring."""

import numpy as np
import pytest

from retrieval.exploring.judging import judged, learned_best, shown_policy
from retrieval.exploring.logged_choices import LoggedChoices

TRUE = np.array([0.2, 0.7, 0.4])
LOGGING = np.array([0.5, 0.3, 0.2])


def simulated(number, *, users, seed=0):
    """Candidates in order, whose contexts are unit vectors and whose rewards have the means `TRUE`."""
    random = np.random.default_rng(seed)
    chosen = random.choice(3, size=number, p=LOGGING)
    return LoggedChoices(
        contexts=(np.eye(3),) * number,
        chosen=chosen,
        propensities=LOGGING[chosen],
        rewards=(random.random(number) < TRUE[chosen]).astype(float),
        users=random.integers(users, size=number),
    )


def test_estimates_hold_the_truth():
    found = {one.policy: one for one in judged(simulated(2_000, users=200))}
    truths = {
        "as shown": LOGGING @ TRUE,
        "recommender's best": 0.2,
        "bandit's best": 0.7,
        "uniform": TRUE.mean(),
    }
    assert list(found) == list(truths)
    for name, truth in truths.items():
        assert found[name].low <= truth <= found[name].high, name
        assert found[name].high - found[name].low < 0.12
    assert found["as shown"].effective == pytest.approx(2_000)
    assert found["as shown"].value == pytest.approx(simulated(2_000, users=200).rewards.mean())


def test_what_is_as_shown_has_the_logged_propensities():
    log = simulated(50, users=5)
    policy = shown_policy(log)
    assert log.of_chosen(policy) == pytest.approx(log.propensities)
    assert [own.sum() for own in policy] == pytest.approx([1.0] * 50)


def test_the_learned_best_does_not_know_the_users_own_rewards():
    log = LoggedChoices(
        contexts=(np.eye(2),) * 40,
        chosen=np.array([0, 1] * 20),
        propensities=np.full(40, 0.5),
        rewards=np.array([1.0, 0.0] * 10 + [0.0, 1.0] * 10),
        users=np.repeat([0, 1], 20),
    )
    # Either user's rewards say the opposite of the other's.
    assert [int(own.argmax()) for own in learned_best(log)] == [1] * 20 + [0] * 20


def test_a_small_log_tells_nothing():
    few = judged(simulated(8, users=8))
    assert [one.value for one in few] == [None] * 4
    assert {one.notes for one in few} == {("too few exposures to tell",)}
    alone = judged(simulated(200, users=1))
    assert {one.notes for one in alone} == {("too few exposures to tell: all are of one user",)}
    assert [one.low for one in alone] == [None] * 4
