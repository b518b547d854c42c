"""Relations: labels and their directions in figures, translation and truth."""

import numpy as np
import pytest

from heads.decoding import ClassificationDecoder
from heads.relation_decoding import RelationDecoder

LABELS = ("A(e1,e2)", "A(e2,e1)", "Other")


def decoder(labels=LABELS):
    return RelationDecoder(ClassificationDecoder(problem="multiclass", labels=labels))


def outputs(*numbers):
    return {"logits": np.eye(3)[list(numbers)] * 9}


def test_directions_are_told_apart_and_other_is_none():
    given = decoder()
    truth = given.encode(["A(e1,e2)", "A(e1,e2)", "Other"])
    figures = given.measure(outputs(0, 1, 2), truth)
    # One hit of two true and two found; three labels, of which one is right, one half, one never.
    assert figures["directed_macro_f1"] == pytest.approx(0.5)
    assert figures["accuracy"] == pytest.approx(2 / 3)
    assert figures["macro_f1"] == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert "temperature" in figures


def test_a_label_that_was_never_trained_counts_as_missed_of_its_relation():
    given = decoder(("A(e1,e2)", "B(e1,e2)", "Other"))
    truth = given.encode(["A(e1,e2)", "A(e2,e1)"])
    assert truth["labels"].tolist() == [0, -1]
    scored = given.comparable(outputs(0, 0), truth)
    # One hit of two true and two found.
    assert given.scorers["directed_macro_f1"](*scored) == pytest.approx(0.5)


def test_another_releases_labels_are_translated():
    given, other = decoder(), decoder(("Other", "A(e2,e1)", "B(e1,e2)"))
    _, predicted = other.comparable(outputs(0, 1, 2), other.encode(["Other"] * 3))
    assert given.translated(predicted, given_by=other).tolist() == [[2, -1], [1, 0], [-2, -1]]


def test_labels_without_a_direction_have_no_directed_figure():
    given = decoder(("cause", "effect", "none"))
    assert not given.directed
    assert "directed_macro_f1" not in given.measure(outputs(0), given.encode(["cause"]))
