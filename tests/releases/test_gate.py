"""The gate's decisions on figures that can be worked out, its honesty over many simulated trials, and its refusals."""

import functools
import time

import numpy as np
import pytest

from heads.metrics import accuracy, macro_f1, micro_f1
from polyloom.errors import RequestError
from releases.gate import judge

TRUTH = np.array(["cat", "dog"] * 100)
WRONG = np.array(["dog", "cat"] * 100)


def with_accuracy(share):
    """Predictions that are right on the first `share` of the rows."""
    right = round(share * len(TRUTH))
    return np.concatenate([TRUTH[:right], WRONG[right:]])


decide = functools.partial(judge, metric="accuracy", scorer=accuracy, truth=TRUTH, rule="not_worse", margin=0.0, seed=1)


def test_a_first_champion_needs_no_comparison():
    verdict = decide(challenger=with_accuracy(0.8), champion=None)
    assert verdict.passed
    assert verdict.challenger_value == 0.8
    assert verdict.champion_value is None
    assert verdict.difference is None
    assert verdict.rows == 200
    # Two standard errors of a share of 0.8 over 200 rows are 0.057.
    assert verdict.low == pytest.approx(0.743, abs=0.015)
    assert verdict.high == pytest.approx(0.857, abs=0.015)
    assert verdict.reason.startswith("accuracy is 0.8000 (0.7")
    assert verdict.reason.endswith(
        "on 200 rows and there is no champion: it becomes the first champion, no minimum is set."
    )


@pytest.mark.parametrize(("minimum", "passed"), [(0.79, True), (0.8, True), (0.81, False)])
def test_the_minimum_binds_a_first_champion(minimum, passed):
    verdict = decide(challenger=with_accuracy(0.8), champion=None, minimum=minimum)
    assert verdict.passed is passed
    assert (f"at least the minimum of {minimum:g}" in verdict.reason) is passed
    assert (f"below the minimum of {minimum:g}" in verdict.reason) is not passed


def test_the_minimum_binds_a_better_challenger_too():
    verdict = decide(challenger=with_accuracy(0.8), champion=with_accuracy(0.5), minimum=0.9)
    assert not verdict.passed
    assert verdict.reason.endswith("below the minimum of 0.9.")


@pytest.mark.parametrize(
    ("rule", "margin", "challenger", "champion", "passed", "why"),
    [
        ("not_worse", 0.0, 0.8, 0.8, True, "no significant difference"),
        ("not_worse", 0.0, 0.9, 0.5, True, "better"),
        ("not_worse", 0.0, 0.5, 0.9, False, "worse"),
        ("not_worse", 0.1, 0.5, 0.9, False, "worse by more than the margin of 0.1"),
        ("not_worse", 0.6, 0.5, 0.9, True, "worse, but within the margin"),
        ("better", 0.0, 0.8, 0.8, False, "no significant gain"),
        ("better", 0.0, 0.9, 0.5, True, "better"),
        ("better", 0.2, 0.9, 0.5, True, "better by more than the margin of 0.2"),
        ("better", 0.6, 0.9, 0.5, False, "no significant gain by more than the margin of 0.6"),
        ("better", 0.0, 0.5, 0.9, False, "no significant gain"),
    ],
)
def test_decisions(rule, margin, challenger, champion, passed, why):
    verdict = decide(challenger=with_accuracy(challenger), champion=with_accuracy(champion), rule=rule, margin=margin)
    assert verdict.passed is passed
    assert verdict.reason.endswith(f": {why}.")
    assert verdict.difference == pytest.approx(challenger - champion)
    assert verdict.low <= verdict.difference <= verdict.high


def test_the_reason_is_one_sentence_with_all_figures():
    verdict = decide(challenger=with_accuracy(0.9), champion=with_accuracy(0.5))
    assert verdict.reason.startswith(
        "accuracy is 0.9000 against the champion's 0.5000 on the same 200 rows, a difference of +0.4000 (+0.3"
    )
    assert verdict.reason.count("\n") == 0


def test_rows_are_resampled_in_pairs():
    # Both err on the same rows, so that the difference does not vary at all.
    verdict = decide(challenger=with_accuracy(0.7), champion=with_accuracy(0.7))
    assert (verdict.low, verdict.difference, verdict.high) == (0.0, 0.0, 0.0)


def test_a_seed_decides_everything():
    run = functools.partial(decide, challenger=with_accuracy(0.7), champion=with_accuracy(0.6))
    assert run(seed=5) == run(seed=5)
    assert len({run(seed=seed).low for seed in range(8)}) > 1


def test_names_and_numbers_are_judged_alike():
    numbers = {"cat": 0, "dog": 1}
    as_numbers = {
        name: np.array([numbers[label] for label in labels])
        for name, labels in (("truth", TRUTH), ("challenger", with_accuracy(0.7)), ("champion", with_accuracy(0.6)))
    }
    assert decide(**as_numbers) == decide(challenger=with_accuracy(0.7), champion=with_accuracy(0.6))
    objects = {name: array.astype(object) for name, array in (("truth", TRUTH), ("challenger", with_accuracy(0.7)))}
    assert decide(**objects, champion=None) == decide(challenger=with_accuracy(0.7), champion=None)


@pytest.mark.parametrize("scorer", [micro_f1, macro_f1])
def test_multilabel_masks(scorer):
    random = np.random.default_rng(2)
    truth = random.random((400, 6)) < 0.3
    champion = truth ^ (random.random(truth.shape) < 0.3)
    verdict = decide(
        metric=scorer.__name__, scorer=scorer, truth=truth, challenger=truth, champion=champion, rule="better"
    )
    assert verdict.passed
    assert verdict.challenger_value == 1.0
    assert verdict.rows == 400


def test_no_rows_never_pass():
    nothing = TRUTH[:0]
    for champion in (None, nothing):
        verdict = decide(truth=nothing, challenger=nothing, champion=champion)
        assert not verdict.passed
        assert verdict.reason == "There are no rows to score accuracy on, so nothing can be judged."
        assert (verdict.rows, verdict.challenger_value, verdict.low) == (0, None, None)


def recall_of_dogs(truth, predicted):
    dogs = truth == 1
    return float((predicted[dogs] == 1).mean()) if dogs.any() else float("nan")


def test_a_score_that_is_no_number_never_passes():
    cats = np.zeros(50, int)
    verdict = decide(metric="recall", scorer=recall_of_dogs, truth=cats, challenger=cats, champion=None)
    assert not verdict.passed
    assert verdict.reason == "recall is not a number on these 50 rows or on a resample of them; score more rows."


def test_a_resample_without_a_score_never_passes():
    one_dog = np.array([1] + [0] * 20)
    verdict = decide(metric="recall", scorer=recall_of_dogs, truth=one_dog, challenger=one_dog, champion=one_dog)
    assert not verdict.passed
    assert "on a resample of them" in verdict.reason
    assert verdict.challenger_value is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"challenger": TRUTH[:5]}, r"Predictions of shape \[5\] do not fit the truth of shape \[200\]; score both on"),
        ({"champion": TRUTH[:, None]}, r"Predictions of shape \[200, 1\] do not fit"),
        ({"challenger": np.zeros(200, int)}, r"Predictions are int64 and the truth is <U3; give both as names or both"),
        ({"rule": "best"}, r"The rule 'best' is not known; rules are not_worse and better"),
        ({"margin": -0.1}, r"The margin -0\.1 is not allowed; it is 0 or more"),
        ({"margin": float("nan")}, r"The margin nan is not allowed"),
        ({"confidence": 95}, r"The confidence 95 is not allowed; it lies between 0 and 1"),
        ({"resamples": 0}, r"0 resamples are not enough; 1000 are usual"),
    ],
)
def test_wrong_requests(change, message):
    with pytest.raises(RequestError, match=message):
        decide(**{"challenger": TRUTH, "champion": TRUTH, **change})


def simulated(random, *, rows, champion, challenger, shared):
    """Two binary models of given accuracies; on a share of the rows both succeed or fail by the same luck."""
    truth = random.integers(0, 2, rows)
    luck = random.random(rows)
    own = np.where(random.random(rows) < shared, luck, random.random(rows))
    return truth, np.where(own < challenger, truth, 1 - truth), np.where(luck < champion, truth, 1 - truth)


def share_passed(*, trials, rule, **models):
    random = np.random.default_rng(11)
    passed = 0
    for trial in range(trials):
        truth, challenger, champion = simulated(random, **models)
        passed += judge(
            metric="accuracy",
            scorer=accuracy,
            truth=truth,
            challenger=challenger,
            champion=champion,
            rule=rule,
            margin=0.0,
            seed=trial,
            resamples=250,
        ).passed
    return passed / trials


def test_without_a_real_difference_better_promotes_rarely_and_not_worse_refuses_rarely():
    same = {"rows": 400, "champion": 0.8, "challenger": 0.8, "shared": 0.7}
    assert share_passed(trials=200, rule="better", **same) <= 0.05
    assert share_passed(trials=80, rule="not_worse", **same) >= 0.95


def test_two_points_on_three_thousand_rows_are_seen():
    models = {"rows": 3000, "champion": 0.88, "challenger": 0.90, "shared": 0.9}
    assert share_passed(trials=40, rule="better", **models) >= 0.8


def test_two_points_lost_are_seen():
    models = {"rows": 3000, "champion": 0.90, "challenger": 0.88, "shared": 0.9}
    assert share_passed(trials=40, rule="not_worse", **models) <= 0.2


def test_banking77_is_judged_in_under_three_seconds():
    random = np.random.default_rng(4)
    names = np.array([f"intent {number}" for number in range(77)])
    truth = names[random.integers(0, 77, 3080)]
    outputs = [np.where(random.random(3080) < 0.92, truth, names[random.integers(0, 77, 3080)]) for _ in range(2)]
    start = time.perf_counter()
    verdict = decide(metric="macro_f1", scorer=macro_f1, truth=truth, challenger=outputs[0], champion=outputs[1])
    assert time.perf_counter() - start < 3
    assert verdict.rows == 3080
