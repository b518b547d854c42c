from itertools import pairwise

import pytest
import torch
from torch import nn

from modalities.encoders.picture import build_picture_encoder
from modalities.encoders.text import build_text_encoder
from polyloom.errors import RequestError
from tests.support.strategy_fits import strategy_fit
from tests.support.tiny_models import write_bert
from training.pruning import MagnitudePruning, StructuredPruning, least, zero_share
from training.units import slim, take_shapes, units_of

IDS = torch.tensor([[2, 5, 7, 3], [2, 8, 3, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_bert(tmp_path_factory.mktemp("bert"), hidden=32, layers=3)


@pytest.fixture
def encoder(folder):
    return build_text_encoder(model="tiny", weights=str(folder), pooling="mean").eval()


def losses(encoder):
    yield encoder(IDS, MASK).pooled.pow(2).sum()


def test_the_share_grows_fast_at_first_and_is_whole_before_the_last_epochs(encoder) -> None:
    pruning = MagnitudePruning(encoder, share=0.8, epochs=10, settled_share=0.5)
    shares = [pruning.share_at(epoch) for epoch in range(10)]
    assert shares[0] == 0.0
    assert shares[5:] == [0.8] * 5
    steps = [after - before for before, after in pairwise(shares[:6])]
    assert steps == sorted(steps, reverse=True)
    assert [pruning.settled(epoch) for epoch in range(10)] == [False] * 5 + [True] * 5


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_short_fit_ends_at_the_whole_share(encoder, epochs: int) -> None:
    pruning = MagnitudePruning(encoder, share=0.5, epochs=epochs)
    assert pruning.share_at(epochs - 1) == 0.5
    assert pruning.settled(epochs - 1)


def test_the_smallest_weights_go_wherever_they_are(encoder) -> None:
    pruning = MagnitudePruning(encoder, share=0.3, epochs=1)
    before = torch.cat([weight.detach().abs().flatten() for weight in pruning.pruned().values()])
    pruning.prune(0, losses=lambda: losses(encoder))
    after = torch.cat([weight.detach().flatten() for weight in pruning.pruned().values()])
    assert zero_share(encoder) == pytest.approx(0.3, abs=1e-3)
    assert before[after == 0].max() <= before[after != 0].min()


def test_what_has_gone_stays_away_whatever_a_step_does(encoder) -> None:
    pruning = MagnitudePruning(encoder, share=0.3, epochs=1)
    pruning.prune(0, losses=lambda: losses(encoder))
    with torch.no_grad():
        for weight in pruning.pruned().values():
            weight.add_(0.1)
    pruning.hold()
    assert zero_share(encoder) == pytest.approx(0.3, abs=1e-3)


def test_a_fit_that_goes_on_knows_what_had_gone(encoder) -> None:
    MagnitudePruning(encoder, share=0.3, epochs=1).prune(0, losses=lambda: losses(encoder))
    again = MagnitudePruning(encoder, share=0.3, epochs=1)
    again.take_up()
    with torch.no_grad():
        for weight in again.pruned().values():
            weight.add_(0.1)
    again.hold()
    assert zero_share(encoder) == pytest.approx(0.3, abs=1e-3)


def test_units_go_by_what_the_loss_would_lose() -> None:
    first, second = torch.tensor([0.9, 0.1, 0.5]), torch.tensor([0.2, 0.3, 0.8])
    chosen = least([first, second], share=0.5)
    assert [one.tolist() for one in chosen] == [[False, True, False], [True, True, False]]
    assert [one.tolist() for one in least([first, second], share=0.99)] == [[False, True, True], [True, True, False]]


def test_importance_is_the_first_order_change_of_the_loss(encoder) -> None:
    """A unit's figure is |d loss / d gate|, for a gate of 1 on what the unit writes: tried by moving that gate."""
    encoder.double()
    units = next(one for one in units_of(encoder) if one.kind == "heads")
    weight = encoder.get_submodule(units.writes).weight
    for loss in losses(encoder):
        loss.backward()
    found = units.contribution(encoder)
    step = 1e-3
    for unit in range(units.count(encoder)):
        moved = []
        for sign in (1, -1):
            kept = weight.detach().clone()
            with torch.no_grad():
                weight[:, unit * units.width : (unit + 1) * units.width] *= 1 + sign * step
                moved.append(float(next(losses(encoder))))
                weight.copy_(kept)
        assert float(found[unit]) == pytest.approx(abs(moved[0] - moved[1]) / (2 * step), rel=1e-3, abs=1e-9)


def test_structured_pruning_makes_matrices_smaller_and_answers_no_other(encoder, folder) -> None:
    pruning = StructuredPruning(encoder, share=0.5, epochs=1)
    pruning.prune(0, losses=lambda: losses(encoder))
    expected = encoder(IDS, MASK).pooled
    gone = slim(encoder)
    assert gone == {"heads": 3, "neurons": 96}
    assert torch.allclose(encoder(IDS, MASK).pooled, expected, atol=1e-5)
    assert sum(one.count(encoder) for one in units_of(encoder)) == 3 + 96
    assert all(one.count(encoder) >= 1 for one in units_of(encoder))
    again = build_text_encoder(model="tiny", weights=str(folder), pooling="mean").eval()
    take_shapes(again, encoder.state_dict())
    again.load_state_dict(encoder.state_dict())
    assert torch.allclose(again(IDS, MASK).pooled, expected, atol=1e-5)


def test_a_later_epoch_takes_more_of_what_is_left(encoder) -> None:
    pruning = StructuredPruning(encoder, share=0.5, epochs=4, settled_share=0.5)
    counts = []
    for epoch in range(4):
        pruning.prune(epoch, losses=lambda: losses(encoder))
        counts.append(sum(int(units.gone(encoder).sum()) for units in pruning.units if units.kind == "neurons"))
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[2] == counts[3] == 96


def test_neurons_of_a_picture_transformer_go_too() -> None:
    encoder = build_picture_encoder(model="test_vit", weights="scratch").eval()
    pixels = torch.randn(2, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    pruning = StructuredPruning(encoder, share=0.25, epochs=1)
    pruning.prune(0, losses=lambda: iter([encoder(pixels).pooled.pow(2).sum()]))
    expected = encoder(pixels).pooled
    before = sum(parameter.numel() for parameter in encoder.parameters())
    assert set(slim(encoder)) == {"neurons"}
    assert torch.allclose(encoder(pixels).pooled, expected, atol=1e-5)
    assert sum(parameter.numel() for parameter in encoder.parameters()) < before


def test_filters_of_a_convolutional_net_go_by_size_alone() -> None:
    encoder = build_picture_encoder(model="test_resnet", weights="scratch")
    MagnitudePruning(encoder, share=0.5, epochs=1).prune(0, losses=lambda: iter(()))
    assert zero_share(encoder) == pytest.approx(0.5, abs=1e-3)
    with pytest.raises(RequestError, match="this encoder is neither"):
        StructuredPruning(encoder, share=0.5, epochs=1)


def test_the_embeddings_are_not_pruned(encoder) -> None:
    assert not [name for name in MagnitudePruning(encoder, share=0.5, epochs=1).pruned() if "embeddings" in name]
    assert isinstance(encoder.embedding_layer(), nn.Embedding)


KINDS = {"magnitude": MagnitudePruning, "structured": StructuredPruning}


def pruned_fit(folder, place, kind, **changed):
    fit = strategy_fit("bert", folder, "full", place, epochs=5, **changed)
    fit.pruning = KINDS[kind](fit.model.encoders["one"], share=0.5, epochs=5)
    return fit


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_best_epoch_is_one_in_which_all_has_gone(folder, tmp_path, kind) -> None:
    fit = pruned_fit(folder, tmp_path, kind)
    result = fit.run()
    assert result.best_epoch >= fit.pruning.last == 3
    if kind == "magnitude":
        assert zero_share(fit.model.encoders["one"]) == pytest.approx(0.5, abs=1e-3)
    else:
        assert slim(fit.model.encoders["one"]) == {"heads": 3, "neurons": 96}


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_fit_that_stopped_in_the_middle_ends_the_same(folder, tmp_path, kind) -> None:
    calm = pruned_fit(folder, tmp_path / "calm", kind)
    expected = calm.run()

    class StoppedError(Exception):
        pass

    def interrupt(epoch) -> None:
        if epoch.epoch == 3:
            raise StoppedError

    broken = pruned_fit(folder, tmp_path / "broken", kind, checkpoint_seconds=0, on_epoch=interrupt)
    with pytest.raises(StoppedError):
        broken.run()
    again = pruned_fit(folder, tmp_path / "broken", kind)
    result = again.run()
    assert result.resumed_at_step > 0
    assert [one.train_loss for one in result.history] == [one.train_loss for one in expected.history]
    for name, tensor in calm.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor), name
