"""Rows scored in parts: in the rows' order, in smaller batches when memory runs out."""

import numpy as np
import pytest

from training.scoring import Scored, packed, score_in_parts, unpacked
from training.team import ALONE


def scores(limit=99, sizes=None):
    def score(places):
        if len(places) > limit:
            raise RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes.")
        if sizes is not None:
            sizes.append(len(places))
        words = np.ones((len(places), int(places.max()) + 1), np.float32) * places[:, None]
        return Scored(places, {"kind": {"logits": words}, "price": {"value": places * 10}}, float(len(places)) / 2)

    return score


PARTS = [np.array([5, 1, 0, 2]), np.array([3, 4])]


def test_outputs_stand_in_the_order_of_the_rows_and_losses_are_averaged():
    outputs, loss = score_in_parts(PARTS, scores(), rows=6, team=ALONE)
    assert outputs["price"]["value"].tolist() == [0, 10, 20, 30, 40, 50]
    assert outputs["kind"]["logits"].shape == (6, 6)
    assert outputs["kind"]["logits"][:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert loss == 0.5


def test_memory_that_runs_out_makes_parts_smaller_for_good():
    sizes = []
    outputs, loss = score_in_parts([np.arange(8), np.arange(8, 16)], scores(2, sizes), rows=16, team=ALONE)
    assert sizes == [2] * 8
    assert outputs["price"]["value"].tolist() == list(range(0, 160, 10))
    assert loss == 0.5


def test_a_row_that_does_not_fit_alone_is_an_error():
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator"):
        score_in_parts(PARTS, scores(0), rows=6, team=ALONE)


def test_nothing_to_score():
    assert score_in_parts([], scores(), rows=0, team=ALONE) == ({}, 0.0)


def test_packed_scores_are_the_same_again():
    given = [scores()(part) for part in PARTS]
    for one, again in zip(given, unpacked(packed(given)), strict=True):
        assert again.places.tolist() == one.places.tolist()
        assert again.loss_sum == one.loss_sum
        assert {
            task: {name: array.tolist() for name, array in named.items()} for task, named in again.outputs.items()
        } == {task: {name: array.tolist() for name, array in named.items()} for task, named in one.outputs.items()}
