"""Figures of both directions by hand, calibration that keeps its promise, and answers about single rows."""

import json

import numpy as np
import pytest

from heads.alignment_decoding import SCORERS, AlignmentDecoder, numbered

DECODER = AlignmentDecoder(sides=("text", "image"))
# Two pictures; the first has two captions. Caption 0 finds its picture, caption 1 the wrong one, caption 2 its own.
OUTPUTS = {
    "first": np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]]),
    "second": np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]),
}
TRUTH = DECODER.encode([("a", "p"), ("b", "p"), ("c", "q")])


def test_values_are_numbered_as_they_come_and_missing_ones_below_zero():
    assert {name: array.tolist() for name, array in TRUTH.items()} == {"first": [0, 1, 2], "second": [0, 0, 1]}
    assert DECODER.encode([("a", None), None, (None, "p")]) == {
        "first": pytest.approx([0, -1, -1]),
        "second": pytest.approx([-1, -1, 0]),
    }
    assert numbered([]).shape == (0,)


def test_ranks_are_among_distinct_values():
    wanted, ranks = DECODER.comparable(OUTPUTS, TRUTH)
    # Captions ask two pictures; pictures ask three captions and are content with any of their own.
    assert ranks.tolist() == [[1, 1], [2, 1], [1, 1]]
    assert wanted.tolist() == [[1, 1], [1, 1], [1, 1]]


def test_figures_by_hand():
    figures = DECODER.measure(OUTPUTS, TRUTH)
    assert figures["text_to_image_recall_at_1"] == pytest.approx(2 / 3)
    assert figures["image_to_text_recall_at_1"] == 1.0
    assert figures["recall_at_1"] == pytest.approx((2 / 3 + 1) / 2)
    assert (figures["text_to_image_median_rank"], figures["image_to_text_median_rank"]) == (1.0, 1.0)
    assert (figures["text_to_image_queries"], figures["image_to_text_queries"]) == (3.0, 2.0)
    assert figures["mean_reciprocal_rank"] == pytest.approx((2.5 / 3 + 1) / 2)


def test_scorers_take_any_rows_as_often_as_one_likes():
    wanted, ranks = DECODER.comparable(OUTPUTS, TRUTH)
    drawn = np.array([1, 1, 1])
    assert SCORERS["recall_at_1"](wanted[drawn], ranks[drawn]) == 0.5
    assert SCORERS["recall_at_5"](wanted, wanted) == 1.0


def test_vectors_that_are_all_alike_find_nothing():
    rows = 40
    same = {"first": np.ones((rows, 3)), "second": np.ones((rows, 3))}
    truth = DECODER.encode([(f"t{row}", f"p{row}") for row in range(rows)])
    assert DECODER.measure(same, truth)["recall_at_10"] == 0.0


def test_rows_that_miss_a_side_neither_ask_nor_stand_in_the_way():
    outputs = {name: np.concatenate([side, side[:1]]) for name, side in OUTPUTS.items()}
    truth = DECODER.encode([("a", "p"), ("b", "p"), ("c", "q"), ("d", None)])
    assert DECODER.comparable(outputs, truth)[1].tolist() == [[1, 1], [2, 1], [1, 1], [0, 0]]


def test_more_queries_than_one_block_take_the_same_ranks():
    random = np.random.default_rng(0)
    rows = 1100
    outputs = {side: random.normal(size=(rows, 4)) for side in ("first", "second")}
    truth = {side: np.arange(rows) for side in ("first", "second")}
    ranks = DECODER.comparable(outputs, truth)[1]
    scores = outputs["first"] @ outputs["second"].T
    assert (ranks[:, 0] == (scores >= np.diag(scores)[:, None]).sum(axis=1)).all()
    assert (ranks[:, 1] == (scores >= np.diag(scores)[None, :]).sum(axis=0)).all()


def pairs(rows, *, noise, seed):
    random = np.random.default_rng(seed)
    first = random.normal(size=(rows, 16))
    second = first + random.normal(scale=noise, size=(rows, 16))
    return {
        name: side / np.linalg.norm(side, axis=1, keepdims=True)
        for name, side in (("first", first), ("second", second))
    }


def test_calibrated_probabilities_are_shares():
    truth = {"first": np.arange(600), "second": np.arange(600)}
    fitted = DECODER.calibrate(pairs(600, noise=3.0, seed=0), truth)
    fresh = pairs(600, noise=3.0, seed=1)
    strangers = {"first": fresh["first"], "second": np.roll(fresh["second"], 1, axis=0)}
    true, false = (
        np.array([answer.probabilities["belongs"] for answer in fitted.answers(given, [None] * 600)])
        for given in (fresh, strangers)
    )
    said = np.concatenate([true, false])
    for low, high in ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)):
        inside = (said >= low) & (said < high)
        assert np.mean(np.arange(1200)[inside] < 600) == pytest.approx(said[inside].mean(), abs=0.08)


def test_too_few_rows_leave_the_curve_as_it_was():
    assert (
        DECODER.calibrate({name: side[:1] for name, side in OUTPUTS.items()}, {n: t[:1] for n, t in TRUTH.items()})
        == DECODER
    )


def test_rows_that_all_belong_together_leave_the_curve_as_it_was():
    truth = DECODER.encode([("a", "p"), ("b", "p"), ("c", "p")])
    assert DECODER.calibrate(OUTPUTS, truth) == DECODER


def test_an_answer_says_whether_the_two_belong_together():
    near, far = DECODER.answers({"first": np.eye(2), "second": np.array([[1.0, 0.0], [1.0, 0.0]])}, [None, None])
    assert (near.label, near.value) == ("belongs", 1.0)
    assert near.probability == near.probabilities["belongs"] > 0.99
    assert far.value == 0.0
    assert sum(far.probabilities.values()) == pytest.approx(1.0)


def test_it_goes_through_json():
    fitted = DECODER.calibrate(pairs(50, noise=1.0, seed=0), {"first": np.arange(50), "second": np.arange(50)})
    assert AlignmentDecoder.from_json(json.loads(json.dumps(fitted.to_json()))) == fitted


def test_without_a_row_there_is_no_figure_to_be_proud_of():
    figures = DECODER.measure({"first": np.zeros((0, 2)), "second": np.zeros((0, 2))}, DECODER.encode([]))
    assert figures["recall_at_1"] == 0.0
