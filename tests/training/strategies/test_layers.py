"""Which layers are trained, how fast and from when: all by hand on a BERT of two blocks."""

import pytest

from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.text import build_text_encoder
from polyloom.errors import RequestError
from tests.support.tiny_models import write_bert
from training.strategies.bitfit import attach_bitfit
from training.strategies.layers import attach_frozen, attach_full, attach_last_blocks

WORDS = "backbone.embeddings.word_embeddings.weight"
FIRST = "backbone.encoder.layer.0.attention.self.query.weight"
SECOND = "backbone.encoder.layer.1.attention.self.query.weight"


@pytest.fixture
def bert(tmp_path):
    return build_text_encoder(model="tiny", weights=str(write_bert(tmp_path)), pooling="mean")


def wanting(encoder):
    return {name for name, parameter in encoder.named_parameters() if parameter.requires_grad}


def test_frozen_trains_nothing(bert):
    tuning = attach_frozen(bert)
    assert wanting(bert) == set()
    assert (tuning.trained_parameters(), tuning.parameter_groups(learning_rate=1.0, weight_decay=0.1)) == (0, [])


def test_the_last_block_alone(bert):
    tuning = attach_last_blocks(bert, blocks=1, layer_decay=0.5)
    assert wanting(bert) == {
        name for name, _ in bert.named_parameters() if name.startswith("backbone.encoder.layer.1.")
    }
    assert set(tuning.rates.values()) == {1.0}


def test_two_blocks_at_falling_rates(bert):
    tuning = attach_last_blocks(bert, blocks=2, layer_decay=0.5)
    assert (tuning.rates[SECOND], tuning.rates[FIRST], WORDS in tuning.rates) == (1.0, 0.5, False)


@pytest.mark.parametrize("blocks", [0, 3])
def test_so_many_blocks_are_not_there(bert, blocks):
    with pytest.raises(RequestError, match=rf"recipe.blocks: {blocks} of an encoder with 3 layers .* takes 1 to 2"):
        attach_last_blocks(bert, blocks=blocks, layer_decay=1.0)


def test_rates_fall_with_depth(bert):
    tuning = attach_full(bert, layer_decay=0.8, unfreeze_epochs=0)
    assert [tuning.rates[name] for name in (SECOND, FIRST, WORDS)] == pytest.approx([1.0, 0.8, 0.64])
    groups = tuning.parameter_groups(learning_rate=0.1, weight_decay=0.01)
    rates = {(round(group["lr"], 6), group["weight_decay"]) for group in groups}
    assert rates == {(0.1, 0.01), (0.1, 0.0), (0.08, 0.01), (0.08, 0.0), (0.064, 0.01), (0.064, 0.0)}
    assert all(group["initial_lr"] == group["lr"] for group in groups)
    assert sum(parameter.numel() for group in groups for parameter in group["params"]) == tuning.trained_parameters()


def test_the_pooler_is_not_trained(bert):
    attach_full(bert, layer_decay=1.0, unfreeze_epochs=0)
    assert not any("pooler" in name for name in wanting(bert))


@pytest.mark.parametrize("decay", [0.0, -0.5, 1.5])
def test_a_decay_out_of_range_is_refused(bert, decay):
    with pytest.raises(RequestError, match=r"recipe.layer_decay: .* is not allowed; it is above 0 and at most 1"):
        attach_full(bert, layer_decay=decay, unfreeze_epochs=0)


def test_layers_thaw_from_the_top_downward(bert):
    tuning = attach_full(bert, layer_decay=1.0, unfreeze_epochs=4)
    thawed = []
    for epoch in range(6):
        tuning.begin_epoch(epoch)
        thawed.append([name in wanting(bert) for name in (SECOND, FIRST, WORDS)])
    top, two, everything = [True, False, False], [True, True, False], [True, True, True]
    assert thawed == [top, top, two, two, everything, everything]


def test_what_is_thawed_depends_on_the_epoch_alone(bert):
    tuning = attach_full(bert, layer_decay=1.0, unfreeze_epochs=4)
    tuning.begin_epoch(5)
    tuning.begin_epoch(1)
    assert [name in wanting(bert) for name in (SECOND, FIRST, WORDS)] == [True, False, False]


def test_bitfit_trains_all_biases_and_only_these(bert):
    attach_bitfit(bert)
    biases = {name for name, _ in bert.named_parameters() if name.endswith(".bias") and "pooler" not in name}
    assert wanting(bert) == biases


def test_bitfit_needs_biases():
    encoder = build_picture_encoder(model="test_vit", weights="scratch")
    for module in encoder.modules():
        if getattr(module, "bias", None) is not None:
            module.bias = None
    with pytest.raises(RequestError, match=r"strategy bitfit: this encoder has no biases. Use last_blocks, lora"):
        attach_bitfit(encoder)
