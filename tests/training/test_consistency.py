"""Two passes held together."""

import numpy as np
import pytest
import torch

from tests.support.small_fits import frozen
from training.consistency import Consistency, divergence


def test_the_divergence_of_exclusive_labels_by_hand():
    """Of (3/4, 1/4) and (1/4, 3/4): each way log 3 / 2."""
    one, other = torch.tensor([[3.0, 1.0]]).log(), torch.tensor([[1.0, 3.0]]).log()
    assert divergence(one, other, exclusive=True).item() == pytest.approx(0.5 * np.log(3))


def test_the_divergence_of_single_labels_is_the_sum_of_theirs():
    one, other = torch.tensor([[np.log(3.0), 0.0]]), torch.tensor([[-np.log(3.0), 0.0]])
    assert divergence(one, other, exclusive=False).item() == pytest.approx(0.5 * np.log(3))


@pytest.mark.parametrize("exclusive", [True, False])
def test_equal_answers_are_not_apart_and_sure_ones_are_numbers(exclusive):
    sure = torch.tensor([[200.0, -200.0], [0.0, 1.0]])
    assert divergence(sure, sure, exclusive=exclusive).item() == 0.0
    assert torch.isfinite(divergence(sure, -sure, exclusive=exclusive))


def losses(fit, *, seed=5):
    torch.manual_seed(seed)
    return sum(float(part.detach()) for part in fit._losses_of(np.arange(12), np.random.default_rng(seed)))


def test_without_dropout_the_loss_is_the_plain_one(tmp_path):
    plain, held = frozen(tmp_path / "a"), frozen(tmp_path / "b", consistency=Consistency(5.0, {"label": True}))
    for fit in (plain, held):
        fit.model.eval()
    assert losses(held) == pytest.approx(losses(plain), rel=1e-6)


def test_with_dropout_answers_come_nearer_to_each_other(tmp_path):
    """After fits from the same begin, two passes with dropout differ less under the weight."""
    apart = {}
    for weight in (0.0, 10.0):
        fit = frozen(tmp_path / str(weight), consistency=Consistency(weight, {"label": True}), epochs=6)
        fit.run()
        fit.model.train()
        fit.consistency = Consistency(1.0, {"label": True})
        both = np.mean([losses(fit, seed=seed) for seed in range(20)])
        fit.consistency = Consistency(0.0, {"label": True})
        apart[weight] = both - np.mean([losses(fit, seed=seed) for seed in range(20)])
    assert 0 < apart[10.0] < 0.8 * apart[0.0]


def test_tasks_that_are_not_compared_have_their_own_loss_alone(tmp_path):
    plain, held = frozen(tmp_path / "a"), frozen(tmp_path / "b", consistency=Consistency(5.0, {}))
    for fit in (plain, held):
        fit.model.eval()
    assert losses(held) == pytest.approx(losses(plain), rel=1e-6)
