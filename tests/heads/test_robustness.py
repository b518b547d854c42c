"""What a modality is worth, on tasks whose answer depends on known modalities."""

import numpy as np
import pytest

from heads.metrics import accuracy
from heads.robustness import harmed_inputs, modality_worth

ROWS = 60


def table(*, alone=0):
    """`sign` tells the label (first dimension above 0), `noise` nothing; the first `alone` rows have no `noise`."""
    random = np.random.default_rng(0)
    truth = np.arange(ROWS) % 2
    embeddings = {
        "sign": np.stack([truth * 2.0 - 1.0, np.zeros(ROWS)], axis=1).astype(np.float32),
        "noise": random.normal(size=(ROWS, 3)).astype(np.float32),
    }
    present = {"sign": np.ones(ROWS, bool), "noise": np.arange(ROWS) >= alone}
    return truth, embeddings, present


def by_sign(embeddings, present):
    """The right label where the sign is there, else 0."""
    return np.where(present["sign"], embeddings["sign"][:, 0] > 0, 0).astype(int)


def worth(truth, embeddings, present, answer=by_sign):
    return modality_worth(answer, truth=truth, embeddings=embeddings, present=present, scorer=accuracy, seed=7)


def test_a_modality_that_tells_all_is_worth_all():
    found = worth(*table())
    assert found["sign"].rows == ROWS
    assert found["sign"].intact == 1.0
    assert found["sign"].removed.value == 0.5
    assert found["sign"].removed.change_low < -0.5 < found["sign"].removed.change_high < -0.3
    # Another row's sign is right for 29 of the 59 others on average.
    assert found["sign"].shuffled.value == pytest.approx(0.5, abs=0.2)
    assert 0.7 < found["sign"].noised.value < 0.95, "noise of one deviation turns 16% of the signs"


def test_a_modality_that_tells_nothing_is_worth_nothing():
    found = worth(*table())["noise"]
    for harmed in (found.removed, found.shuffled, found.noised):
        assert (harmed.value, harmed.change_low, harmed.change_high) == (1.0, 0.0, 0.0)


def test_rows_that_have_nothing_else_do_not_count():
    """20 rows have the sign alone; without it serving would refuse them, so they are no rows of its figures."""
    found = worth(*table(alone=20))
    assert (found["sign"].rows, found["noise"].rows) == (40, 40)


def test_a_task_that_reads_one_modality_cannot_do_without_it():
    truth, embeddings, present = table()
    one = worth(truth, {"sign": embeddings["sign"]}, {"sign": present["sign"]})
    assert one["sign"].removed is None
    assert one["sign"].rows == ROWS
    assert one["sign"].shuffled.value < 0.8


def test_a_modality_that_no_row_can_do_without_is_left_out():
    assert worth(*table(alone=ROWS)) == {}


def test_what_is_harmed_is_the_one_modality_and_nothing_is_changed_in_place():
    _, embeddings, present = table(alone=20)
    before = {name: vectors.copy() for name, vectors in embeddings.items()}
    for harm in ("removed", "shuffled", "noised"):
        given, here = harmed_inputs(
            harm, "noise", embeddings=embeddings, present=present, random=np.random.default_rng(1)
        )
        assert given["sign"] is embeddings["sign"]
        assert here["sign"] is present["sign"]
        assert given["noise"].dtype == np.float32
        assert (given["noise"][20:] != embeddings["noise"][20:]).any(axis=1).all(), "every row that has it"
        if harm != "removed":
            assert np.array_equal(given["noise"][:20], embeddings["noise"][:20]), "no row that has it not"
    assert all(np.array_equal(embeddings[name], vectors) for name, vectors in before.items())


def test_shuffling_keeps_the_vectors_and_noise_doubles_their_variance():
    truth = np.arange(4000) % 2
    vectors = np.random.default_rng(0).normal(size=(4000, 2)).astype(np.float32) * np.float32([1.0, 5.0])
    given = {"one": vectors}, {"one": np.ones(len(truth), bool)}
    parts = dict(zip(("embeddings", "present"), given, strict=True))
    shuffled, _ = harmed_inputs("shuffled", "one", **parts, random=np.random.default_rng(1))
    assert np.array_equal(np.sort(shuffled["one"], axis=0), np.sort(vectors, axis=0))
    noised, _ = harmed_inputs("noised", "one", **parts, random=np.random.default_rng(1))
    np.testing.assert_allclose(noised["one"].var(axis=0) / vectors.var(axis=0), 2.0, rtol=0.1)


def test_the_same_seed_gives_the_same_figures():
    given = table()
    assert worth(*given) == worth(*given)


def test_the_figures_are_json():
    found = worth(*table())["sign"].to_json()
    assert found["rows"] == ROWS
    assert found["removed"]["value"] == 0.5
