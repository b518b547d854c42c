"""The payoff model against ridge regression in closed form."""

import numpy as np
import pytest

from polyloom.errors import RequestError
from retrieval.exploring import linear_payoff
from retrieval.exploring.linear_payoff import LinearPayoff


def rows(number=60, dim=4, seed=3):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(number, dim)), generator.normal(size=number)


def test_the_posterior_is_ridge_regression(monkeypatch):
    monkeypatch.setattr(linear_payoff, "REFRESHED_EVERY", 25)
    contexts, rewards = rows()
    payoff = LinearPayoff(4, ridge=2.0)
    for context, reward in zip(contexts, rewards, strict=True):
        payoff.update(context, reward)
    precision = contexts.T @ contexts + 2.0 * np.eye(4)
    assert np.allclose(payoff.covariance, np.linalg.inv(precision))
    assert np.allclose(payoff.weights, np.linalg.solve(precision, contexts.T @ rewards))
    assert np.allclose(payoff.means(contexts), contexts @ payoff.weights)
    assert np.allclose(payoff.spreads(contexts) ** 2, np.diag(contexts @ np.linalg.inv(precision) @ contexts.T))


def test_forgetting_is_ridge_regression_with_fading_weights():
    contexts, rewards = rows()
    payoff = LinearPayoff(4, ridge=2.0, forgetting=0.9)
    for context, reward in zip(contexts, rewards, strict=True):
        payoff.update(context, reward)
    fading = 0.9 ** np.arange(len(rewards))[::-1]
    precision = (contexts.T * fading) @ contexts + 2.0 * np.eye(4)
    assert np.allclose(payoff.precision, precision)
    assert np.allclose(payoff.weights, np.linalg.solve(precision, (contexts.T * fading) @ rewards))


def test_draws_have_the_posteriors_mean_and_spread():
    contexts, rewards = rows()
    payoff = LinearPayoff(4)
    for context, reward in zip(contexts[:10], rewards, strict=False):
        payoff.update(context, reward)
    drawn = payoff.draws(contexts[:5], number=40_000, scale=2.0, generator=np.random.default_rng(0))
    assert np.allclose(drawn.mean(axis=0), payoff.means(contexts[:5]), atol=0.03)
    assert np.allclose(drawn.std(axis=0), 2 * payoff.spreads(contexts[:5]), rtol=0.03)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dim": 0}, "dim is 0; a context needs"),
        ({"dim": 2, "ridge": 0.0}, "ridge is 0.0; it must be above 0"),
        ({"dim": 2, "forgetting": 1.5}, "forgetting factor is 1.5; it must be above 0 and at most 1"),
    ],
)
def test_settings_that_there_are_not_are_refused(settings, said):
    with pytest.raises(RequestError, match=said):
        LinearPayoff(**settings)


def test_contexts_that_do_not_fit_are_refused():
    payoff = LinearPayoff(2)
    with pytest.raises(RequestError, match=r"shape \[3, 4\]; they must be \[candidates, 2\]"):
        payoff.checked(np.zeros((3, 4)))
    with pytest.raises(RequestError, match="at least one candidate"):
        payoff.checked(np.zeros((0, 2)))
    with pytest.raises(RequestError, match="NaN or infinity"):
        payoff.update(np.array([np.nan, 0.0]), 1.0)
    with pytest.raises(RequestError, match="reward is nan"):
        payoff.update(np.zeros(2), float("nan"))


def test_a_corrected_reward_is_as_if_it_had_come_first():
    contexts, rewards = rows(number=10)
    right, corrected = LinearPayoff(4), LinearPayoff(4)
    for context, reward in zip(contexts, rewards, strict=True):
        right.update(context, reward)
        corrected.update(context, 0.0)
    for context, reward in zip(contexts, rewards, strict=True):
        corrected.correct(context, reward)
    assert np.allclose(right.weights, corrected.weights)
    assert corrected.updates == 10
    with pytest.raises(RequestError, match=r"cannot be corrected by 1\.0 with a forgetting factor of 0\.9"):
        LinearPayoff(4, forgetting=0.9).correct(contexts[0], 1.0)


def test_a_restored_model_goes_on():
    contexts, rewards = rows(number=12)
    whole, first, second = LinearPayoff(4), LinearPayoff(4), LinearPayoff(4)
    for number, (context, reward) in enumerate(zip(contexts, rewards, strict=True)):
        whole.update(context, reward)
        (first if number < 6 else second).update(context, reward)
        if number == 5:
            second.restore(first.precision, first.moment, updates=first.updates)
    assert np.allclose(whole.weights, second.weights)
    assert np.allclose(whole.covariance, second.covariance)
    assert second.updates == 12
    with pytest.raises(ValueError, match=r"shapes \(3, 3\) and \(4,\)"):
        second.restore(np.eye(3), np.zeros(4), updates=1)
