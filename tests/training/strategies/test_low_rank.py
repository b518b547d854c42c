"""LoRA and IA3: which layers they change, and what folds into them."""

import pytest
import torch

from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.text import build_text_encoder
from polyloom.errors import RequestError
from tests.support.tiny_models import write_bert
from training.strategies.low_rank import attach_ia3, attach_lora, fold

QUERY = "backbone.encoder.layer.0.attention.self.query"


@pytest.fixture
def bert(tmp_path):
    return build_text_encoder(model="tiny", weights=str(write_bert(tmp_path)), pooling="mean")


def picture(name):
    torch.manual_seed(0)
    return build_picture_encoder(model=name, weights="scratch")


def changed_layers(tuning):
    return {name.rpartition(".lora_")[0] or name.rpartition(".ia3_")[0] for name in tuning.rates} | {
        name.rpartition(".ia3_")[0] for name in tuning.rates if ".ia3_" in name
    }


def lora(encoder, **changed):
    return attach_lora(encoder, **{"rank": 2, "alpha": 6.0, "dropout": 0.0, **changed})


def test_lora_folds_to_the_weight_and_alpha_by_rank_times_its_product(bert):
    lora(bert)
    layer = bert.get_submodule(QUERY)
    torch.nn.init.normal_(layer.lora_B["default"].weight)
    product = layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    expected = layer.base_layer.weight + 6.0 / 2 * product
    fold(bert)
    torch.testing.assert_close(bert.get_submodule(QUERY).weight, expected)


def test_lora_reaches_every_linear_layer_but_the_poolers(bert):
    expected = {
        f"backbone.encoder.layer.{number}.{name}"
        for number in range(2)
        for name in (
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
            "intermediate.dense",
            "output.dense",
        )
    }
    assert changed_layers(lora(bert)) == expected


def test_targets_narrow_it_down(bert):
    tuning = lora(bert, targets=("query", "attention.output.dense"))
    assert {name.split("layer.")[1][2:] for name in changed_layers(tuning)} == {
        "attention.self.query",
        "attention.output.dense",
    }


def test_a_target_that_fits_nothing_is_refused(bert):
    with pytest.raises(RequestError, match="no layer's name ends in 'q_proj'; they end in dense, key, query, value"):
        lora(bert, targets=("q_proj",))


def test_lora_leaves_grouped_convolutions_alone():
    encoder = picture("mobilenetv2_100")
    changed = changed_layers(lora(encoder))
    assert changed
    assert not any("conv_dw" in name for name in changed)


def test_ia3_scales_keys_values_and_hidden_units(bert):
    changed = {name.split("layer.0.")[1] for name in changed_layers(attach_ia3(bert)) if "layer.0." in name}
    assert changed == {"attention.self.key", "attention.self.value", "output.dense"}
    assert bert.get_submodule("backbone.encoder.layer.0.output.dense").is_feedforward
    assert not bert.get_submodule("backbone.encoder.layer.0.attention.self.key").is_feedforward


def test_ia3_folds_to_scaled_rows_and_for_hidden_units_to_scaled_columns(bert):
    attach_ia3(bert)
    key, out = (bert.get_submodule(f"backbone.encoder.layer.0.{n}") for n in ("attention.self.key", "output.dense"))
    for layer in (key, out):
        torch.nn.init.uniform_(layer.ia3_l["default"], 0.5, 2.0)
    rows, columns = key.ia3_l["default"].reshape(-1, 1), out.ia3_l["default"].reshape(1, -1)
    expected = (key.base_layer.weight * rows, key.base_layer.bias * rows[:, 0], out.base_layer.weight * columns)
    fold(bert)
    key, out = (bert.get_submodule(f"backbone.encoder.layer.0.{n}") for n in ("attention.self.key", "output.dense"))
    for found, wanted in zip((key.weight, key.bias, out.weight), expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_ia3_scales_the_channels_of_convolutions():
    encoder = picture("test_resnet")
    convolutions = {name for name, module in encoder.named_modules() if isinstance(module, torch.nn.Conv2d)}
    assert changed_layers(attach_ia3(encoder)) == convolutions


def test_an_encoder_without_such_layers_is_refused():
    with pytest.raises(RequestError, match="LayerNorm has no layer that this strategy could change"):
        lora(torch.nn.LayerNorm(3))


def test_folding_a_plain_encoder_does_nothing(bert):
    before = {name: tensor.clone() for name, tensor in bert.state_dict().items()}
    fold(bert)
    assert all(torch.equal(tensor, before[name]) for name, tensor in bert.state_dict().items())
