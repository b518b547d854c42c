"""Weights of a fitted encoder, put back where they belong or refused."""

import pytest
import torch

from modalities.encoders.text import build_text_encoder
from polyloom.errors import IntegrityError
from tests.support.tiny_models import write_bert
from training.strategies.attach import attach
from training.strategies.settings import StrategySettings
from training.strategies.weights import fitted_weights, load_added


def adapted(folder, **settings):
    encoder = build_text_encoder(model="tiny", weights=str(write_bert(folder)), pooling="mean")
    return attach(encoder, strategy="adapter", settings=StrategySettings(**settings), seed=1).encoder


def test_added_weights_of_other_settings_are_refused(tmp_path):
    wide = fitted_weights(adapted(tmp_path, bottleneck=8)).added
    with pytest.raises(IntegrityError, match=r"6 of the strategy's weights are missing, unknown or of another shape"):
        load_added(adapted(tmp_path, bottleneck=4), wide)


def test_added_weights_that_are_missing_are_refused(tmp_path):
    encoder = adapted(tmp_path)
    some = dict(list(fitted_weights(encoder).added.items())[:-1])
    with pytest.raises(IntegrityError, match="1 of the strategy's weights are missing"):
        load_added(encoder, some)


def test_they_are_put_in_place(tmp_path):
    encoder = adapted(tmp_path)
    added = {name: torch.full_like(tensor, 0.5) for name, tensor in fitted_weights(encoder).added.items()}
    load_added(encoder, added)
    assert all(bool((tensor == 0.5).all()) for tensor in fitted_weights(encoder).added.values())
