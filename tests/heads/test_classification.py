"""The classification head's loss against naive loops, its weights and labels by hand."""

import math

import numpy as np
import pytest
import torch

from heads.classification import ClassificationHead, balanced_weights, effective_weights, problem_of

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 3.0], [-2.0, 1.0, 1.0], [0.3, 0.2, 0.1]])
WEIGHTS = np.array([0.5, 2.0, 1.5])


def head(problem, **options):
    return ClassificationHead(dim=4, labels=3, problem=problem, **options)


def naive_cross_entropy(logits, truth, *, weights=(1, 1, 1), smoothing=0.0):
    """Szegedy et al. (2016): the target is `1 - s` for the true label plus `s / labels` for every one."""
    total = share = 0.0
    for row, label in zip(logits.tolist(), truth, strict=True):
        if label < 0:
            continue
        norm = math.log(sum(math.exp(value) for value in row))
        costs = [weight * (norm - value) for weight, value in zip(weights, row, strict=True)]
        total += (1 - smoothing) * costs[label] + smoothing / len(row) * sum(costs)
        share += weights[label]
    return total / share


def naive_binary_cross_entropy(logits, truth, *, weights=(1, 1, 1)):
    costs = []
    for row, mask in zip(logits.tolist(), truth, strict=True):
        for value, positive, weight in zip(row, mask, weights, strict=True):
            share = 1 / (1 + math.exp(-value))
            costs.append(-weight * math.log(share) if positive else -math.log(1 - share))
    return sum(costs) / len(costs)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("truth", [[0, 2, 1, 1], [0, -1, 1, -1]], ids=["all known", "some unknown"])
def test_loss_of_one_label(weights, smoothing, truth):
    model = head("multiclass", class_weights=weights, label_smoothing=smoothing)
    found = model.loss({"logits": LOGITS}, {"labels": torch.tensor(truth)})
    expected = naive_cross_entropy(
        LOGITS, truth, weights=(1, 1, 1) if weights is None else weights, smoothing=smoothing
    )
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_loss_of_many_labels(weights):
    truth = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], dtype=bool)
    found = head("multilabel", class_weights=weights).loss({"logits": LOGITS}, {"labels": torch.from_numpy(truth)})
    expected = naive_binary_cross_entropy(LOGITS, truth, weights=(1, 1, 1) if weights is None else weights)
    assert float(found) == pytest.approx(expected, rel=1e-6)


def test_rows_of_unknown_labels_alone_cost_nothing_and_can_be_learned_from():
    logits = LOGITS.clone().requires_grad_()
    loss = head("multiclass").loss({"logits": logits}, {"labels": torch.full((4,), -1)})
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert not logits.grad.any()


def test_a_batch_equals_its_rows_one_by_one():
    torch.manual_seed(0)
    model, fused = head("multiclass").eval(), torch.randn(5, 4)
    together = model(fused)["logits"]
    assert together.shape == (5, 3)
    for row in range(5):
        torch.testing.assert_close(model(fused[row : row + 1])["logits"], together[row : row + 1], rtol=0, atol=1e-6)


def test_class_weights_are_no_weights_to_keep():
    assert set(head("multiclass", class_weights=WEIGHTS).state_dict()) == {"linear.weight", "linear.bias"}


def test_balanced_weights_give_each_label_the_same_say():
    truth = np.array([0, 0, 0, 1, 2, 2, -1])
    weights = balanced_weights(truth, labels=3, problem="multiclass")
    np.testing.assert_allclose(weights, [6 / 9, 6 / 3, 6 / 6])
    np.testing.assert_allclose([weights[0] * 3, weights[1] * 1, weights[2] * 2], 2.0)


def test_a_label_without_rows_has_a_finite_weight():
    np.testing.assert_allclose(balanced_weights(np.array([0, 0]), labels=2, problem="binary"), [0.5, 1.0])


def test_effective_weights_by_hand():
    """One row is worth 1, two 1.5 at a beta of a half: weights 1 and 2/3, of which the mean is made 1."""
    np.testing.assert_allclose(effective_weights(np.array([0, 1, 1, -1]), labels=2, beta=0.5), [1.2, 0.8])


def test_effective_weights_lie_between_alike_and_balanced():
    truth = np.repeat([0, 1, 2], [1, 10, 100])
    np.testing.assert_allclose(effective_weights(truth, labels=3, beta=0.0), 1.0)
    balanced = balanced_weights(truth, labels=3, problem="multiclass")
    nearly = effective_weights(truth, labels=3, beta=1 - 1e-9)
    np.testing.assert_allclose(nearly / nearly.sum(), balanced / balanced.sum(), rtol=1e-4)


def test_a_label_without_a_row_weighs_as_one_with_a_single_row():
    found = effective_weights(np.array([0, 1, 1]), labels=3, beta=0.9)
    assert found[2] == found[0]


def test_balanced_weights_of_many_labels_are_negatives_to_positives_within_limits():
    truth = np.zeros((100, 4), dtype=bool)
    truth[:25, 0] = truth[:1, 1] = truth[:, 2] = True
    np.testing.assert_allclose(balanced_weights(truth, labels=4, problem="multilabel"), [3.0, 20.0, 0.05, 20.0])


@pytest.mark.parametrize(
    ("values", "multilabel", "expected"),
    [
        (["b", "a", None, "b"], False, ("binary", ("a", "b"))),
        (["退款", "a", 3], False, ("multiclass", ("3", "a", "退款"))),
        (["a"], False, ("multiclass", ("a",))),
        ([["b", "a"], [], None, ["a"]], True, ("multilabel", ("a", "b"))),
        ([], True, ("multilabel", ())),
    ],
)
def test_kind_and_labels_come_from_the_values(values, multilabel, expected):
    assert problem_of(values, multilabel=multilabel) == expected


def naive_focal(logits, truth, *, gamma, weights):
    """Lin et al. (2017), a label at a time."""
    total = share = 0.0
    for row, label in zip(logits.tolist(), truth, strict=True):
        probability = math.exp(row[label]) / sum(math.exp(value) for value in row)
        total += weights[label] * -((1 - probability) ** gamma) * math.log(probability)
        share += weights[label]
    return total / share


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_focal_loss_of_one_label(weights, gamma):
    model = head("multiclass", class_weights=weights, focal_gamma=gamma)
    found = model.loss({"logits": LOGITS}, {"labels": torch.tensor([0, 2, 1, 1])})
    expected = naive_focal(LOGITS, [0, 2, 1, 1], gamma=gamma, weights=(1, 1, 1) if weights is None else weights)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_focal_loss_of_many_labels_is_torchvisions():
    from torchvision.ops import sigmoid_focal_loss

    truth = torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]], dtype=torch.bool)
    found = head("multilabel", focal_gamma=2.0).loss({"logits": LOGITS}, {"labels": truth})
    expected = sigmoid_focal_loss(LOGITS, truth.float(), alpha=-1, gamma=2.0, reduction="mean")
    torch.testing.assert_close(found, expected)


def test_focal_loss_counts_a_sure_answer_less():
    sure, unsure = torch.tensor([[4.0, 0.0, 0.0]]), torch.tensor([[0.1, 0.0, 0.0]])
    ratios = []
    for gamma in (0.0, 2.0):
        model = head("multiclass", focal_gamma=gamma)
        truth = {"labels": torch.tensor([0])}
        ratios.append(float(model.loss({"logits": sure}, truth) / model.loss({"logits": unsure}, truth)))
    assert ratios[1] < ratios[0] / 50
