"""The gate's slices: harm to some rows is seen, luck among many slices is not called harm."""

import numpy as np
import pytest

from heads.metrics import accuracy
from releases.gate_limits import limits
from releases.gate_slices import MISSING, judge_slices

TRUTH = np.zeros(400, dtype=int)
LANGUAGES = ["en", "zh"] * 200


def answers(**shares):
    """Predictions of which this share is right in each language."""
    found = np.ones(400, dtype=int)
    for language, share in shares.items():
        rows = np.flatnonzero([one == language for one in LANGUAGES])
        found[rows[: round(share * len(rows))]] = 0
    return found


def judged(challenger, champion, **changes):
    settings = {"scorer": accuracy, "truth": TRUTH, "margin": 0.0, "seed": 3, **changes}
    return judge_slices({"language": LANGUAGES}, challenger=challenger, champion=champion, **settings)


def test_a_model_that_is_better_in_all_may_be_refused_for_some():
    first, second = judged(answers(en=0.95, zh=0.5), answers(en=0.6, zh=0.7))
    assert (first.column, first.value, first.rows, first.passed) == ("language", "zh", 200, False)
    assert first.difference == pytest.approx(-0.2)
    assert first.high < 0
    assert first.reason == "worse"
    assert (second.value, second.passed, second.reason) == ("en", True, "no significant harm")


def test_a_margin_allows_harm_and_a_minimum_binds_without_a_champion():
    assert all(one.passed for one in judged(answers(en=0.9, zh=0.6), answers(en=0.9, zh=0.7), margin=0.2))
    first, second = judged(answers(en=0.9, zh=0.5), None, minimum=0.6)
    assert (first.value, first.passed, first.difference) == ("zh", False, None)
    assert first.reason == "0.5000 is below the minimum of 0.6"
    assert second.reason == "nothing to compare with"


def test_few_rows_tell_nothing_and_rows_without_a_value_are_a_slice():
    columns = {"language": ["en"] * 380 + [None] * 20}
    found = judge_slices(
        columns, scorer=accuracy, truth=TRUTH, challenger=answers(), champion=answers(en=1, zh=1), margin=0.0, seed=1
    )
    assert [(one.value, one.rows, one.passed) for one in found] == [("en", 380, False), (MISSING, 20, True)]
    assert found[1].reason == "20 rows are too few to tell; 30 are needed"


def test_of_many_slices_hardly_one_is_refused_by_luck():
    random = np.random.default_rng(5)
    refused = 0
    for trial in range(100):
        columns = {"city": random.integers(0, 20, 2000).astype(str).tolist()}
        truth = np.zeros(2000, dtype=int)
        own, other = (random.random((2, 2000)) < 0.1).astype(int)
        found = judge_slices(
            columns, scorer=accuracy, truth=truth, challenger=own, champion=other, margin=0.0, seed=trial, resamples=100
        )
        refused += not all(one.passed for one in found)
    assert refused <= 8


def test_a_limit_names_what_was_found_and_what_cannot_be_measured_does_not_pass():
    first, second, third = limits(
        {"size": 5.0, "p95 latency": 20.0, "calibration error": 0.1},
        {"size": 4.2, "p95 latency": None, "calibration error": 0.2},
        units={"size": " MB", "p95 latency": " ms"},
        champion={"size": 3.0},
    )
    assert first.passed
    assert first.reason == "size of 4.2 MB is within the limit of 5 MB"
    assert first.champion == 3.0
    assert not second.passed
    assert second.reason == "p95 latency could not be measured, and at most 20 ms is allowed"
    assert not third.passed
    assert third.reason == "calibration error of 0.2 exceeds the limit of 0.1"
