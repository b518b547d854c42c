"""The promise about errors: exact bounds, and a simulation in which the true error rate is known."""

import json

import numpy as np
import pytest
from scipy.stats import binom

from polyloom.errors import RequestError
from retrieval.answering.selective import STARTS, Threshold, choose_threshold, least_rows, tail, upper_bound


@pytest.mark.parametrize(("wrong", "answered"), [(0, 45), (3, 60), (10, 10), (7, 400)])
def test_the_bound_is_where_the_tail_is_delta(wrong, answered):
    bound = upper_bound(wrong, answered, delta=0.1)
    assert bound == 1.0 if wrong == answered else binom.cdf(wrong, answered, bound) == pytest.approx(0.1)
    assert tail(wrong, answered, 0.05) == pytest.approx(binom.cdf(wrong, answered, 0.05))


def test_how_many_rows_it_takes():
    assert least_rows(alpha=0.05, delta=0.1) == 45
    assert 0.95**45 <= 0.1 < 0.95**44


def simulated(generator, rows):
    """Scores whose chance to be right is the score: the error rate above t is (1 - t) / 2."""
    scores = generator.random(rows)
    return scores, generator.random(rows) < scores


def test_the_promise_holds_where_the_truth_is_known():
    generator, broken, answered = np.random.default_rng(0), 0, 0
    for _ in range(200):
        found = choose_threshold(*simulated(generator, 20_000), alpha=0.05, delta=0.1)
        broken += found.value is not None and (1 - found.value) / 2 > 0.05
        answered += found.value is not None
    assert broken <= 20
    assert answered >= 100


def test_it_holds_where_error_does_not_fall_with_the_score():
    generator, broken = np.random.default_rng(1), 0
    for _ in range(200):
        scores = generator.random(1000)
        right = generator.random(1000) < np.where(scores > 0.97, 0.8, 0.96)
        found = choose_threshold(scores, right, alpha=0.05, delta=0.1)
        if found.value is not None:
            above = 1 - found.value
            bad = min(above, 0.03)
            broken += (bad * 0.2 + (above - bad) * 0.04) / above > 0.05
    assert broken <= 20


def test_all_right_answers_everything_and_all_wrong_nothing():
    scores = np.linspace(0.01, 0.99, 200)
    found = choose_threshold(scores, np.ones(200, dtype=bool), alpha=0.05, delta=0.1)
    assert (found.answered_share, found.wrong) == (1.0, 0)
    assert found.bound == pytest.approx(upper_bound(0, 200, delta=0.1 / len(STARTS)))
    assert found.answers(0.5)
    assert not found.answers(float("nan"))
    none = choose_threshold(scores, np.zeros(200, dtype=bool), alpha=0.05, delta=0.1)
    assert none.value is None
    assert not none.answers(1.0)
    assert "No threshold over 200 rows, 0 of them right" in none.reason


@pytest.mark.parametrize("rows", [0, 1, 40])
def test_too_few_rows_say_how_many_are_needed(rows):
    found = choose_threshold(np.ones(rows), np.ones(rows, dtype=bool), alpha=0.05, delta=0.1)
    assert found.value is None
    assert found.needed == least_rows(alpha=0.05, delta=0.1 / len(STARTS))
    assert f"At least {found.needed} are needed" in found.reason


def test_ties_stay_together_and_nan_is_never_answered():
    scores = np.array([0.9] * 100 + [0.3] * 100 + [np.nan] * 50)
    right = np.array([True] * 100 + [False] * 150)
    found = choose_threshold(scores, right, alpha=0.05, delta=0.1)
    assert 0.3 < found.value <= 0.9
    assert found.answered_share == 100 / 250
    assert found.wrong == 0


def test_it_goes_through_json():
    found = choose_threshold(np.ones(200), np.ones(200, dtype=bool), alpha=0.05, delta=0.1)
    assert Threshold.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": 0.0}, "alpha is 0.0; it must be above 0"),
        ({"delta": 1.0}, "delta is 1.0; it must be above 0"),
        ({"right": np.ones(2, dtype=bool)}, "do not fit; give one of each"),
        ({"grid": []}, "0 thresholds and 5 starts were given"),
    ],
)
def test_what_is_wrong_is_named(change, message):
    asked = {"scores": np.ones(3), "right": np.ones(3, dtype=bool), "alpha": 0.05, "delta": 0.1} | change
    with pytest.raises(RequestError, match=message):
        choose_threshold(**asked)
