"""What every fine-tuning strategy must keep, on a text model and on picture models."""

import random

import pytest
import torch
from safetensors.torch import load_file, save_file

from polyloom.errors import RequestError
from tests.support.forked_calls import killed
from tests.support.strategy_fits import (
    MODELS,
    SETTINGS,
    announced,
    build,
    preparation,
    strategy_fit,
    values,
    write_model,
)
from training.checkpoint import contiguous
from training.export import export_encoder
from training.strategies.attach import attach
from training.strategies.modes import set_mode
from training.strategies.settings import MERGEABLE, STRATEGIES
from training.strategies.weights import fitted_weights, load_added, merge

TRAINED = [name for name in STRATEGIES if name != "frozen"]
TOKENS = {"prefix", "prompt"}


class Model:
    """A tiny model: how to build it anew with the same weights, and arrays for it."""

    def __init__(self, folder, name):
        self.name = name
        self.weights = write_model(folder, name)
        self.arrays = preparation(name, self.weights)(values(name)[:6])

    def build(self):
        return build(self.name, self.weights)

    def pooled(self, encoder, *, training=False):
        set_mode(encoder, training=training)
        return encoder(**{name: torch.from_numpy(self.arrays[name]) for name in encoder.reads}).pooled

    def served(self, encoder):
        with torch.inference_mode():
            return self.pooled(encoder).clone()


@pytest.fixture(scope="module", params=MODELS)
def model(request, tmp_path_factory):
    return Model(tmp_path_factory.mktemp("models"), request.param)


@pytest.fixture(params=TRAINED)
def strategy(request, model):
    if request.param in TOKENS and model.name == "test_resnet":
        pytest.skip("defined for transformers")
    return request.param


@pytest.fixture
def tuning(strategy, model):
    return attach(model.build(), strategy=strategy, settings=SETTINGS, seed=3)


@pytest.fixture
def one_thread():
    """The child's number of threads: sums in another order are other sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(tuning, model, *, steps=4):
    """A few steps towards other embeddings, all layers thawed; gives the losses."""
    torch.manual_seed(1)
    goal = torch.randn(6, tuning.encoder.dim)
    optimizer = torch.optim.AdamW(tuning.parameter_groups(learning_rate=0.01, weight_decay=0.01))
    tuning.begin_epoch(SETTINGS.unfreeze_epochs)
    losses = []
    for _ in range(steps):
        loss = (model.pooled(tuning.encoder, training=True) - goal).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses


def test_at_first_nothing_has_changed(model, tuning):
    if tuning.strategy in TOKENS:
        pytest.skip("learned tokens are there from the start")
    torch.testing.assert_close(model.served(tuning.encoder), model.served(model.build()), rtol=0, atol=1e-5)


def test_it_learns_and_leaves_the_rest_alone(model, tuning):
    names = set(tuning.rates)
    before = {name: tensor.clone() for name, tensor in tuning.encoder.state_dict().items()}
    losses = trained(tuning, model)
    assert losses[-1] < losses[0]
    changed = {name for name, tensor in tuning.encoder.state_dict().items() if not torch.equal(tensor, before[name])}
    weights = {name for name, _ in tuning.encoder.named_parameters()}
    assert names <= weights
    assert changed & weights <= names
    # Biases of keys cannot matter to softmax; all else that is trained moves.
    assert len(changed & names) >= len(names) * 0.75
    if tuning.strategy not in {"full", "last_blocks"}:
        assert changed <= names, "a statistic moved under frozen weights"


def test_after_the_fit_the_saved_weights_give_the_same_outputs(model, tuning, tmp_path):
    trained(tuning, model)
    expected = model.served(tuning.encoder)
    weights = fitted_weights(merge(tuning.encoder))
    torch.testing.assert_close(model.served(tuning.encoder), expected, rtol=0, atol=1e-5)
    assert bool(weights.added) == (tuning.strategy not in MERGEABLE)
    for part in ("plain", "added"):
        save_file(contiguous(getattr(weights, part)), tmp_path / f"{part}.safetensors")
    again = model.build()
    again.load_state_dict(load_file(tmp_path / "plain.safetensors"))
    if weights.added:
        attach(again, strategy=tuning.strategy, settings=SETTINGS, seed=99)
        load_added(again, load_file(tmp_path / "added.safetensors"))
    assert torch.equal(model.served(again), model.served(tuning.encoder))


def test_what_is_merged_is_a_plain_encoder(model, tuning):
    if tuning.strategy not in MERGEABLE:
        pytest.skip("stays beside the encoder")
    trained(tuning, model, steps=2)
    merged, plain = merge(tuning.encoder), model.build()
    assert list(merged.state_dict()) == list(plain.state_dict())
    assert [type(module) for module in merged.modules()] == [type(module) for module in plain.modules()]


def test_what_is_not_merged_leaves_the_encoder_as_it_was(model, tuning):
    if tuning.strategy in MERGEABLE:
        pytest.skip("changes the encoder's own weights")
    trained(tuning, model, steps=2)
    for name, tensor in model.build().state_dict().items():
        assert torch.equal(fitted_weights(tuning.encoder).plain[name], tensor), name


def test_its_graph_is_equal(model, tuning, tmp_path):
    trained(tuning, model, steps=2)
    encoder = merge(tuning.encoder)
    assert export_encoder(encoder, example=model.arrays, folder=tmp_path, dim=encoder.dim) <= 1e-4


def test_the_same_seed_gives_the_same_start(model, tuning):
    again = attach(model.build(), strategy=tuning.strategy, settings=SETTINGS, seed=3)
    for name, tensor in tuning.encoder.state_dict().items():
        assert torch.equal(again.encoder.state_dict()[name], tensor), name


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_a_killed_fit_ends_like_an_undisturbed_one(model, strategy, tmp_path):
    calm = strategy_fit(model.name, model.weights, strategy, tmp_path / "calm")
    expected = calm.run()
    step = random.SystemRandom().randrange(2, 8)
    # The first step that is told of is the start itself.
    killed(announced, model.name, model.weights, strategy, tmp_path / "killed", after=step + 1)
    again = strategy_fit(model.name, model.weights, strategy, tmp_path / "killed")
    result = again.run()
    assert result.resumed_at_step > 0, step
    assert [(e.train_loss, e.validation_loss, e.metric) for e in result.history] == [
        (e.train_loss, e.validation_loss, e.metric) for e in expected.history
    ], step
    for name, tensor in calm.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor), (name, step)


@pytest.mark.parametrize("kind", sorted(TOKENS))
def test_learned_tokens_are_refused_where_there_are_none(kind, tmp_path):
    encoder = build("test_resnet", write_model(tmp_path, "test_resnet"))
    with pytest.raises(RequestError, match=f"strategy {kind}: PictureEncoder over ResNet takes no further tokens"):
        attach(encoder, strategy=kind, settings=SETTINGS, seed=3)
