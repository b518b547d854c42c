"""What is reported of calibration, sets and strangers, from outputs that are made up."""

import numpy as np
import pytest

from benchmarks.confidence import Asked, calibration_figures, coverages, left_out, stranger_figures, strangers
from heads.conformal import ConformalSets
from heads.decoding import HELD_OUT, ClassificationDecoder
from heads.scope import FUSED, Scope

LABELS = tuple(f"intent {number}" for number in range(12))


def made_up(rows, *, seed, unknown=0):
    """Overconfident logits; the last `unknown` rows are of no label."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 12, rows)
    logits, fused = (random.normal(size=(rows, 12)) + away * np.eye(12)[truth] for away in (2.5, 5.0))
    for array in (logits, fused):
        array[rows - unknown :] = 0.3 * random.normal(size=(unknown, 12))
    truth[rows - unknown :] = HELD_OUT
    return {"logits": 6 * logits, FUSED: fused}, {"labels": truth}


@pytest.fixture(scope="module")
def asked():
    outputs, truth = {}, {}
    outputs["validation"], truth["validation"] = made_up(400, seed=0)
    outputs["test"], truth["test"] = made_up(1500, seed=1, unknown=200)
    scope = Scope(score="distance").learn(outputs["validation"], truth["validation"]["labels"])
    return Asked(ClassificationDecoder(problem="multiclass", labels=LABELS, scope=scope), outputs, truth)


def test_the_calibration_is_chosen_by_validation_rows_and_judged_on_test_rows(asked):
    before, *each, chosen = calibration_figures(asked)
    assert before.value > 0.08 > max(one.value for one in each)
    assert chosen.value in {one.value for one in each}
    assert chosen.met == (chosen.value <= 0.02)


def test_coverage_is_judged_by_its_distance_from_the_promise(asked):
    decoder = ClassificationDecoder(problem="multiclass", labels=LABELS, conformal=ConformalSets(alpha=0.1))
    found = coverages(decoder, asked.outputs["test"], asked.truth["test"], rows=400, splits=10)
    assert np.mean([one["coverage"] for one in found]) == pytest.approx(0.9, abs=0.02)


def test_strangers_are_told_by_every_score_and_the_usual_one_has_the_goal(asked):
    figures = stranger_figures([strangers(asked)] * 2)
    assert [one.goal for one in figures].count("at least 0.9") == 1
    assert all(one.value > 0.8 for one in figures)


def test_as_many_intents_are_left_out_as_said_and_others_in_another_draw():
    first, second = (left_out(LABELS, seed=seed) for seed in (0, 1))
    assert (len(first), len(second)) == (8, 8)
    assert first != second
