"""Prototypes: where they begin, and that the nearest one wins."""

import math

import numpy as np
import pytest
import torch

from heads.classification import ClassificationHead
from heads.label_vectors import directions, label_means, mixed
from heads.label_words import label_words
from heads.prototypes import Prototypes

VECTORS = np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 2.0], [5.0, 5.0]], dtype=np.float32)


def test_means_by_hand():
    means = label_means(VECTORS, np.array([0, 0, 2, -1]), count=3)
    np.testing.assert_array_equal(means, [[2.0, 0.0], [0.0, 0.0], [0.0, 2.0]])
    assert means.dtype == np.float32


def test_logits_are_scaled_cosines():
    head = Prototypes(dim=2, labels=2, scale=10.0)
    head.begin_at(np.array([[4.0, 0.0], [1.0, 1.0]], dtype=np.float32))
    logits = head(torch.tensor([[0.5, 0.0], [0.0, 7.0], [0.0, 0.0]]))
    expected = [[10.0, 10.0 / math.sqrt(2)], [0.0, 10.0 / math.sqrt(2)], [0.0, 0.0]]
    torch.testing.assert_close(logits, torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_what_is_not_learned_stays():
    learned, still = (Prototypes(dim=2, labels=2, learned=one) for one in (True, False))
    assert len([one for one in learned.parameters() if one.requires_grad]) == 2
    assert not any(one.requires_grad for one in still.parameters())


def test_a_head_answers_by_them():
    prototypes = Prototypes(dim=2, labels=2)
    prototypes.begin_at(np.eye(2, dtype=np.float32))
    head = ClassificationHead(dim=2, labels=2, problem="binary", prototypes=prototypes)
    assert head(torch.tensor([[0.1, 0.9], [2.0, 1.0]]))["logits"].argmax(dim=1).tolist() == [1, 0]


@pytest.mark.parametrize(("share", "expected"), [(0.0, [1.0, 0.0]), (1.0, [0.0, 1.0]), (0.5, [0.5, 0.5])])
def test_directions_are_mixed(share, expected):
    found = mixed(np.array([[9.0, 0.0]]), np.array([[0.0, 4.0]]), share=share)
    np.testing.assert_allclose(found, [expected])


def test_a_label_without_rows_is_where_its_texts_are():
    found = mixed(np.zeros((1, 2)), np.array([[0.0, 4.0]]), share=0.5)
    np.testing.assert_allclose(directions(found), [[0.0, 1.0]])


def test_names_of_labels_in_words():
    assert label_words("card_not_working") == "card not working"
    assert label_words("退款_申请") == "退款 申请"
    assert label_words("Refund_not_showing_up") == "Refund not showing up"
