"""Bandits: what they say of their choices is how they choose, and they learn."""

import numpy as np
import pytest

from polyloom.errors import IntegrityError, RequestError
from retrieval.exploring.bandit import Bandit, rule_of
from retrieval.exploring.linear_payoff import LinearPayoff
from retrieval.exploring.rules import RULES, EpsilonGreedy, Softmax, Thompson, UpperBound

CONTEXTS = np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.6], [0.0, 0.0]])


def taught(rule, seed=0):
    bandit = Bandit(LinearPayoff(2), rule, seed=seed)
    for _ in range(3):
        bandit.update(np.array([1.0, 0.0]), 0.5)
        bandit.update(np.array([0.0, 1.0]), 0.4)
    return bandit


@pytest.mark.parametrize("name", RULES)
def test_propensities_are_positive_and_sum_to_one(name):
    bandit = taught(rule_of(name))
    for number in (1, 2, 4):
        probabilities = bandit.probabilities(CONTEXTS[:number])
        assert probabilities.min() > 0
        assert probabilities.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("name", RULES)
def test_propensities_are_how_often_each_is_chosen(name):
    bandit = taught(rule_of(name, explore=0.2))
    choices = [bandit.choose(CONTEXTS) for _ in range(8_000)]
    counted = np.bincount([one.place for one in choices], minlength=4) / len(choices)
    stated = np.mean([bandit.probabilities(CONTEXTS) for _ in range(400)], axis=0)
    assert np.allclose(counted, stated, atol=0.02)
    # The inverse of what is logged counts each candidate once a choice, which is what judging by a log rests on.
    for place in range(4):
        inverse = [(one.place == place) / one.propensity for one in choices]
        assert np.mean(inverse) == pytest.approx(1.0, abs=5 * np.std(inverse) / np.sqrt(len(choices)))


def test_rules_by_hand():
    payoff = taught(EpsilonGreedy()).payoff
    assert np.allclose(payoff.means(CONTEXTS), [0.375, 0.3, 0.405, 0.0])
    assert np.allclose(taught(EpsilonGreedy(explore=0.4)).probabilities(CONTEXTS), [0.1, 0.1, 0.7, 0.1])
    # Means of 0.375 and 0.405, deviations of 0.5 and 0.424: the bonus turns the order.
    assert np.allclose(taught(UpperBound(width=1.0, explore=0.4)).probabilities(CONTEXTS), [0.7, 0.1, 0.1, 0.1])
    weights = np.exp(np.array([0.375, 0.3, 0.405, 0.0]) / 0.5)
    softmax = taught(Softmax(temperature=0.5, explore=0.2)).probabilities(CONTEXTS)
    assert np.allclose(softmax, 0.8 * weights / weights.sum() + 0.05)
    even = Bandit(LinearPayoff(2), EpsilonGreedy(explore=0.2), seed=0)
    assert np.allclose(even.probabilities(CONTEXTS), 0.25)


def test_thompson_prefers_as_the_normal_distribution_says():
    bandit = taught(Thompson(scale=0.3, draws=200_000, explore=1e-9))
    # Independent scores of mean 0.375 and 0.3 and deviation 0.15: the first is higher with Phi(0.075 / 0.2121).
    assert bandit.probabilities(CONTEXTS[:2])[0] == pytest.approx(0.6382, abs=0.006)


@pytest.mark.parametrize("name", RULES)
def test_bandits_find_the_better_candidate(name):
    bandit = Bandit(LinearPayoff(2), rule_of(name), seed=1)
    chance = np.random.default_rng(2)
    places = []
    for _ in range(400):
        choice = bandit.choose(np.eye(2))
        places.append(choice.place)
        bandit.update(np.eye(2)[choice.place], float(chance.random() < (0.8, 0.2)[choice.place]))
    assert np.mean(places[200:]) < 0.15


def test_a_slate_explores_one_place_and_orders_the_others():
    bandit = taught(EpsilonGreedy(explore=0.8))
    seen = set()
    for _ in range(200):
        first = bandit.slate(CONTEXTS, 3)
        rest = [place for place in (2, 0, 1, 3) if place != first.places[0]]
        assert first.places == (first.places[0], *rest[:2])
        assert first.candidates == (2, 0, 1, 3)
        assert first.propensity == pytest.approx(0.4 if first.places[0] == 2 else 0.2)
        later = bandit.slate(CONTEXTS, 9, explored=1)
        assert later.places[0] == 2
        assert later.candidates == (0, 1, 3)
        assert sorted(later.places) == [0, 1, 2, 3]
        assert later.propensity == pytest.approx(0.2 + 0.8 / 3 if later.places[1] == 0 else 0.8 / 3)
        seen.add(later.places[1])
    assert seen == {0, 1, 3}
    with pytest.raises(RequestError, match="explored is 3 of 3 places"):
        bandit.slate(CONTEXTS, 3, explored=3)


@pytest.mark.parametrize("name", RULES)
def test_a_saved_bandit_goes_on_exactly(tmp_path, name):
    bandit = taught(rule_of(name, explore=0.3))
    bandit.save(tmp_path / "bandit.safetensors")
    again = Bandit.load(tmp_path / "bandit.safetensors")
    assert (again.name, again.version, again.rule) == (name, "6", bandit.rule)
    for _ in range(20):
        choice = bandit.choose(CONTEXTS)
        assert again.choose(CONTEXTS) == choice
        bandit.update(CONTEXTS[choice.place], 1.0)
        again.update(CONTEXTS[choice.place], 1.0)
    assert np.array_equal(again.payoff.covariance, bandit.payoff.covariance)


def test_a_broken_file_is_refused(tmp_path):
    path = tmp_path / "bandit.safetensors"
    taught(Thompson()).save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(IntegrityError, match="is not a whole file of a bandit"):
        Bandit.load(path)
    with pytest.raises(IntegrityError, match="is not a whole file of a bandit"):
        Bandit.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("tompson", {}, "'tompson' is not a rule. Did you mean 'thompson'"),
        ("thompson", {"explore": 0.0}, "explore is 0.0; it must be above 0"),
        ("thompson", {"scale": 0.0}, "The scale is 0.0"),
        ("thompson", {"draws": 0}, "The number of draws is 0"),
        ("upper_bound", {"width": -1.0}, "The width is -1.0"),
        ("softmax", {"temperature": 0.0}, "The temperature is 0.0"),
    ],
)
def test_rules_that_there_are_not_are_refused(name, settings, said):
    with pytest.raises(RequestError, match=said):
        rule_of(name, **settings)
