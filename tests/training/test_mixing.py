"""Rows mixed with others: inputs and losses by the same share."""

import numpy as np
import pytest
import torch

from tests.support.small_fits import frozen, full
from training.mixing import Mixing
from training.mixture import Mixture, mixed_pictures, partners, rectangle


def test_partners_have_the_same_modalities():
    present = np.random.default_rng(0).random((40, 2)) < 0.6
    partner = partners(present, random=np.random.default_rng(1))
    assert sorted(partner) == list(range(40))
    assert (present[partner] == present).all()
    assert (partner != np.arange(40)).any()


def test_mixup_of_two_pictures_by_hand():
    pixels = torch.stack([torch.zeros(3, 2, 2), torch.ones(3, 2, 2)])
    mixed, share = mixed_pictures(
        pixels, torch.tensor([1, 0]), kind="mixup", share=0.7, random=np.random.default_rng(0)
    )
    assert share == 0.7
    torch.testing.assert_close(mixed[:, 0, 0, 0], torch.tensor([0.3, 0.7]))


@pytest.mark.parametrize("seed", range(5))
def test_the_share_after_cutmix_is_that_of_the_pixels(seed):
    pixels = torch.stack([torch.zeros(3, 9, 12), torch.ones(3, 9, 12)])
    mixed, share = mixed_pictures(
        pixels, torch.tensor([1, 0]), kind="cutmix", share=0.6, random=np.random.default_rng(seed)
    )
    assert mixed[0].mean().item() == pytest.approx(1 - share, abs=1e-6)
    assert mixed[1].mean().item() == pytest.approx(share, abs=1e-6)
    assert (pixels[0] == 0).all()


def test_a_rectangle_lies_inside_and_covers_nothing_or_all():
    random = np.random.default_rng(0)
    for area in (0.0, 0.3, 1.0):
        top, bottom, left, right = rectangle(8, 10, area=area, random=random)
        assert 0 <= top <= bottom <= 8
        assert 0 <= left <= right <= 10
        assert area > 0 or (bottom - top) * (right - left) == 0


def test_embeddings_are_mixed_with_their_partners():
    mixture = Mixture(0.25, np.array([1, 0, 2]), pooled=True)
    given = torch.tensor([[4.0], [8.0], [5.0]])
    torch.testing.assert_close(mixture.of(given), torch.tensor([[7.0], [5.0], [5.0]]))


@pytest.mark.parametrize(
    ("build", "mixing"),
    [
        (frozen, Mixing("mixup", 0.4, None)),
        (full, Mixing("mixup", 0.4, None)),
        (full, Mixing("mixup", 0.4, "image")),
        (full, Mixing("cutmix", 1.0, "image")),
    ],
)
def test_mixed_rows_are_learned_from_and_the_same_seed_gives_the_same(build, mixing, tmp_path):
    fits = [build(tmp_path / str(number), mixing=mixing, epochs=6) for number in range(2)]
    results = []
    for fit in fits:
        torch.manual_seed(1)
        results.append(fit.run())
    assert results[0].history[-1].train_loss < results[0].history[0].train_loss
    assert results[0].best_metric > 0.6
    for name, tensor in fits[0].model.state_dict().items():
        assert torch.equal(fits[1].model.state_dict()[name], tensor), name


def test_a_batch_mixed_with_itself_alone_is_plain(tmp_path):
    """A share of 1, which a tiny alpha gives, leaves rows as they are."""
    fit = frozen(tmp_path)
    fit.model.eval()
    rows = np.arange(8)
    plain = loss(fit, rows, seed=0)
    fit.mixing = Mixing("mixup", 1e-9, None)
    assert min(abs(loss(fit, rows, seed=seed) - plain) for seed in range(8)) < 1e-5


def loss(fit, rows, *, seed):
    """The loss of some rows."""
    return sum(float(part.detach()) for part in fit._losses_of(rows, np.random.default_rng(seed)))
