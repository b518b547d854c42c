"""The Fisher information against its formula, the penalty by hand, and that it holds weights."""

import numpy as np
import pytest
import torch

from tests.support.small_fits import frozen
from training.elastic_weights import ElasticWeights, importance_of

BIAS = "tasks.of_label.head.linear.bias"


def test_the_information_of_a_softmax_is_that_of_the_formula(tmp_path):
    """Of a bias it is the mean over rows of p (1 - p)."""
    fitting = frozen(tmp_path)
    fitting.model.eval()
    rows = np.repeat(np.arange(36), 20)
    found = importance_of(fitting, task="label", rows=rows, seed=0)
    outputs, _ = fitting.score(np.arange(36))
    shares = torch.from_numpy(outputs["label"]["logits"]).softmax(dim=1)
    assert found[BIAS].numpy() == pytest.approx((shares * (1 - shares)).mean(dim=0).numpy(), abs=0.03)
    assert set(found) == {name for name, _ in fitting.model.named_parameters()}


def test_the_penalty_by_hand(tmp_path):
    model = frozen(tmp_path).model
    penalty = ElasticWeights(model, {BIAS: torch.tensor([1.0, 2.0, 0.0])}, weight=3.0)
    assert float(penalty({}, np.arange(2)).detach()) == 0.0
    with torch.no_grad():
        dict(model.named_parameters())[BIAS].add_(torch.tensor([0.5, 1.0, 9.0]))
    assert float(penalty({}, np.arange(2)).detach()) == pytest.approx(3 / 2 * (0.25 + 2.0))


@pytest.mark.parametrize("weight", [1e-6, 1e6])
def test_weights_that_matter_stay_and_others_go(tmp_path, weight):
    fitting = frozen(tmp_path)
    before = dict(fitting.model.named_parameters())[BIAS].detach().clone()
    fitting.further_loss = ElasticWeights(fitting.model, {BIAS: torch.tensor([0.0, 1.0, 1.0])}, weight=weight)
    fitting.run()
    moved = (dict(fitting.model.named_parameters())[BIAS].detach() - before).abs()
    assert moved[0] > 0.02
    assert (moved[1:].max() < 0.02) == (weight > 1)
