"""From logits to answers."""

import json

import numpy as np
import pytest

from heads.decoding import ClassificationDecoder
from heads.probabilities import sigmoid, softmax

LABELS = ("a", "b", "退款")


def decoder(problem="multiclass", **options):
    return ClassificationDecoder(problem=problem, labels=LABELS, **options)


def test_softmax_and_sigmoid_by_hand():
    np.testing.assert_allclose(softmax(np.log([[1.0, 2.0, 5.0]])), [[0.125, 0.25, 0.625]])
    np.testing.assert_allclose(sigmoid(np.log([1.0, 3.0])), [0.5, 0.75])


def test_large_logits_do_not_overflow():
    np.testing.assert_allclose(softmax(np.array([[1e4, 0.0, -1e4]])), [[1, 0, 0]])
    np.testing.assert_allclose(sigmoid(np.array([1e4, -1e4])), [1, 0])


def test_temperature_divides_the_logits():
    logits = np.log([[1.0, 4.0, 16.0]]).astype(np.float32)
    np.testing.assert_allclose(decoder(temperature=2.0).probabilities(logits), [[1 / 7, 2 / 7, 4 / 7]], rtol=1e-6)
    logits = np.log([[1.0, 9.0, 81.0]]).astype(np.float32)
    found = decoder("multilabel", temperature=2.0).probabilities(logits)
    np.testing.assert_allclose(found, [[0.5, 0.75, 0.9]], rtol=1e-6)


def test_one_label_or_those_above_the_threshold():
    probabilities = np.array([[0.2, 0.5, 0.3], [0.6, 0.9, 0.1]])
    assert decoder().decide(probabilities).tolist() == [1, 1]
    assert decoder("multilabel").decide(probabilities).tolist() == [[False, True, False], [True, True, False]]
    high = decoder("multilabel", threshold=0.7)
    assert high.decide(probabilities).tolist() == [[False, False, False], [False, True, False]]


def test_truth_as_numbers_or_masks():
    assert decoder().encode(["b", "退款", "other", None])["labels"].tolist() == [1, 2, -1, -1]
    found = decoder("multilabel").encode([["b", "a"], [], None, ["other", "退款"], np.array(["a"])])["labels"]
    assert found.astype(int).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("problem", ["multiclass", "multilabel"])
def test_no_rows(problem):
    found = decoder(problem).probabilities(np.zeros((0, 3), np.float32))
    assert found.shape == (0, 3)
    assert len(decoder(problem).decide(found)) == 0
    assert len(decoder(problem).encode([])["labels"]) == 0


def test_the_disk_gives_back_the_same_decoder():
    given = decoder("multilabel", temperature=1.7, threshold=0.3)
    assert ClassificationDecoder.from_json(json.loads(json.dumps(given.to_json()))) == given
