"""Batch norms that take their statistics anew."""

import pytest
import torch
from torch import nn

from training.norm_statistics import renew_statistics

ROWS = torch.tensor([[0.0], [2.0], [4.0], [10.0]])
BATCHES = [torch.tensor([0, 1]), torch.tensor([2, 3])]


class Normed(nn.Module):
    """A batch norm that is trained, one that is kept in evaluation mode as a frozen encoder's are, and dropout."""

    def __init__(self):
        super().__init__()
        self.trained, self.frozen, self.dropout = nn.BatchNorm1d(1), nn.BatchNorm1d(1), nn.Dropout(0.9)

    def train(self, mode=True):
        super().train(mode)
        self.frozen.eval()
        return self

    def forward(self, rows):
        return self.trained(self.frozen(self.dropout(rows)))


def test_statistics_are_the_plain_mean_over_the_batches():
    """Batches of 0, 2 and 4, 10: means 1 and 7, variances 2 and 18, halved by nothing of before."""
    model = Normed()
    model.trained.running_mean.fill_(50.0)
    # A frozen norm of mean 0 and variance 1 leaves the rows as they are, but for its epsilon.
    model.frozen.eps = 0.0
    renew_statistics(model, BATCHES, lambda rows: model(ROWS[rows]))
    assert model.trained.running_mean.item() == pytest.approx(4.0)
    assert model.trained.running_var.item() == pytest.approx(10.0)
    assert (model.frozen.running_mean.item(), int(model.frozen.num_batches_tracked)) == (0.0, 0)
    assert (model.trained.momentum, model.training, model.trained.training) == (0.1, False, False)


def test_without_batches_statistics_stay():
    model = Normed()
    model.trained.running_mean.fill_(50.0)
    renew_statistics(model, [], lambda rows: model(ROWS[rows]))
    assert model.trained.running_mean.item() == 50.0
