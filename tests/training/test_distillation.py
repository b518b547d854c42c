import numpy as np
import pytest
import torch
from torch.nn import functional

from training.distillation import Distillation, Taught, hint_map, soft_loss

LOGITS = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 0.0]])
SAID = torch.tensor([[1.0, 1.0, -2.0], [3.0, 0.0, 0.0]])


def naive(logits: torch.Tensor, said: torch.Tensor, temperature: float) -> float:
    """The mean over rows of sum p log(p / q), spelled out."""
    total = 0.0
    for row, other in zip(logits, said, strict=True):
        q, p = torch.softmax(row / temperature, 0), torch.softmax(other / temperature, 0)
        total += float((p * (p / q).log()).sum())
    return total / len(logits)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 5.0])
def test_the_soft_loss_is_the_divergence_from_the_teacher(temperature: float) -> None:
    found = soft_loss(LOGITS, SAID, temperature=temperature, multilabel=False)
    assert float(found) == pytest.approx(naive(LOGITS, SAID, temperature), abs=1e-6)
    assert float(soft_loss(SAID, SAID + 4.0, temperature=temperature, multilabel=False)) == pytest.approx(0, abs=1e-6)


def test_with_several_labels_a_row_each_is_a_question_of_its_own() -> None:
    found = soft_loss(LOGITS, SAID, temperature=2.0, multilabel=True)
    p, q = torch.sigmoid(SAID / 2), torch.sigmoid(LOGITS / 2)
    assert float(found) == pytest.approx(float(-(p * q.log() + (1 - p) * (1 - q).log()).mean()), abs=1e-6)
    moved = SAID.clone().requires_grad_()
    soft_loss(moved, SAID, temperature=2.0, multilabel=True).backward()
    assert torch.allclose(moved.grad, torch.zeros_like(SAID), atol=1e-7)


def teacher(*, known: list[bool], **settings: float) -> Distillation:
    taught = Taught(SAID.numpy(), np.array(known))
    return Distillation(logits={"kind": taught}, embeddings={"text": taught}, **settings)


def test_the_teachers_share_is_of_the_rows_that_it_knows() -> None:
    own, rows = torch.tensor(3.0), np.array([0, 1])
    both = teacher(known=[True, True], temperature=2.0, weight=0.25)
    expected = 0.75 * 3.0 + 0.25 * 4.0 * naive(LOGITS, SAID, 2.0)
    assert float(both.blended("kind", own, {"logits": LOGITS}, rows)) == pytest.approx(expected, abs=1e-6)
    one = teacher(known=[False, True], temperature=2.0, weight=0.25)
    expected = 0.75 * 3.0 + 0.25 * 4.0 * naive(LOGITS[1:], SAID[1:], 2.0)
    assert float(one.blended("kind", own, {"logits": LOGITS}, rows)) == pytest.approx(expected, abs=1e-6)


def test_where_the_teacher_says_nothing_the_loss_is_the_truths() -> None:
    own, rows = torch.tensor(3.0), np.array([1])
    silent = teacher(known=[True, False], weight=1.0)
    assert float(silent.blended("kind", own, {"logits": LOGITS[1:]}, rows)) == 3.0
    assert float(silent.blended("other", own, {"logits": LOGITS}, np.array([0, 1]))) == 3.0


def test_rows_are_found_whatever_their_order() -> None:
    mixed = teacher(known=[True, True], weight=1.0, temperature=1.0)
    swapped = mixed.blended("kind", torch.tensor(0.0), {"logits": SAID[[1, 0]]}, np.array([1, 0]))
    assert float(swapped) == pytest.approx(0.0, abs=1e-6)


def test_a_hint_is_met_where_embeddings_point_the_same_way() -> None:
    hinted = teacher(known=[True, True], features=2.0)
    assert float(hinted.hint({"kind": {"hint_text": SAID * 7}}, np.array([0, 1]))) == pytest.approx(0.0, abs=1e-6)
    apart = hinted.hint({"kind": {"hint_text": LOGITS}}, np.array([0, 1]))
    assert float(apart) == pytest.approx(2 * float((1 - functional.cosine_similarity(LOGITS, SAID)).mean()), abs=1e-6)
    assert hinted.hint({"kind": {"logits": LOGITS}}, np.array([0, 1])) == 0.0


def test_a_map_between_equal_lengths_begins_by_changing_nothing() -> None:
    assert torch.equal(hint_map(3, 3)(LOGITS), LOGITS)
    assert hint_map(3, 5)(LOGITS).shape == (2, 5)
