"""A frozen text encoder runs once over each row, whatever the number of epochs."""

import numpy as np
import pytest
import torch

from modalities.encoders.embeddings import Embeddings
from tests.support.strategy_fits import ROWS, strategy_fit, write_model
from training import remembering
from training.model import make_batch

TRAIN, VALIDATION = 24, ROWS - 24


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model"), "bert")


def fit(weights, folder, strategy="frozen", **changed):
    return strategy_fit("bert", weights, strategy, folder, **changed)


def rows_encoded(fitting):
    """Counts the rows that pass through the fit's encoder from now on."""
    counted = []
    encoder = fitting.model.encoders["one"]
    encoder.register_forward_hook(lambda _, __, given: counted.append(len(given.pooled)))
    return counted


def test_every_row_is_encoded_once(weights, tmp_path):
    fitting = fit(weights, tmp_path, epochs=5)
    counted = rows_encoded(fitting)
    fitting.run()
    assert sum(counted) == TRAIN + VALIDATION


def test_an_encoder_that_learns_runs_in_every_epoch(weights, tmp_path):
    fitting = fit(weights, tmp_path, "full", epochs=3)
    counted = rows_encoded(fitting)
    fitting.run()
    assert sum(counted) == 3 * (TRAIN + VALIDATION)


def test_what_is_remembered_is_what_the_encoder_gives(weights, tmp_path):
    fitting = fit(weights, tmp_path, epochs=1)
    rows = np.array([30, 2, 17, 5, 8])
    plain = make_batch(fitting.inputs, rows, device=torch.device("cpu"), tasks=("label",))
    fitting.run()
    batch = make_batch(fitting.inputs, rows, device=torch.device("cpu"), tasks=("label",))
    found = batch.remembered["one"]
    with torch.no_grad():
        expected: Embeddings = fitting.model.encoders["one"](*plain.arrays["one"].values())
    real = plain.arrays["one"]["attention_mask"].bool()
    torch.testing.assert_close(found.pooled, expected.pooled)
    torch.testing.assert_close(found.tokens[real], expected.tokens[real])
    assert not found.tokens[~real].any()
    assert len(set(real.sum(1).tolist())) > 1, "rows of one length show nothing about padding"


def test_the_fit_is_the_one_without_memory(weights, tmp_path, monkeypatch):
    remembered = fit(weights, tmp_path / "with").run()
    monkeypatch.setattr(remembering, "TOKENS_IN_MEMORY_BYTES", 0)
    fitting = fit(weights, tmp_path / "without")
    counted = rows_encoded(fitting)
    plain = fitting.run()
    assert sum(counted) == 3 * (TRAIN + VALIDATION)
    for one, other in zip(remembered.history, plain.history, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=1e-4)
        assert one.metric == other.metric


def test_rows_without_a_text_are_left_out(weights, tmp_path):
    fitting = fit(weights, tmp_path, epochs=1)
    fitting.inputs["one"].present[[1, 25]] = False
    counted = rows_encoded(fitting)
    fitting.run()
    assert sum(counted) == TRAIN + VALIDATION - 2
    batch = make_batch(fitting.inputs, np.array([0, 1, 25]), device=torch.device("cpu"), tasks=("label",))
    assert len(batch.remembered["one"].pooled) == 1
    with torch.no_grad():
        fitting.model(batch)
