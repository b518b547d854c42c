"""A classifier that says how sure it is: from outputs to answers and figures, through JSON and back."""

import json

import numpy as np
import pytest

from heads.conformal import ConformalSets
from heads.cost_decoding import CostDecoder
from heads.decoder import rows_of
from heads.decoders import load_decoder
from heads.decoding import HELD_OUT, ClassificationDecoder
from heads.scope import FUSED, Scope

LABELS = ("a", "b", "c")
PARTS = {"conformal": ConformalSets(alpha=0.2), "scope": Scope(score="distance", share=0.1), "held_out": ("odd",)}


def toys(rows=300, *, seed=0):
    """Outputs of rows whose label mostly has the highest logit; each tenth is of a label that is held out."""
    random = np.random.default_rng(seed)
    places = random.integers(0, 3, rows)
    fused = 6 * np.eye(4)[places] + random.normal(scale=1.5, size=(rows, 4))
    fused[::10] = 9 * np.eye(4)[3] + random.normal(scale=0.5, size=(len(fused[::10]), 4))
    values = ["odd" if row % 10 == 0 else LABELS[place] for row, place in enumerate(places)]
    return {"logits": fused[:, :3] * 2, FUSED: fused}, values


def fitted(**options):
    outputs, values = toys()
    decoder = ClassificationDecoder(problem="multiclass", labels=LABELS, **{**PARTS, **options})
    held_out, held_out_values = toys(seed=5)
    return decoder.learn_scope(outputs, decoder.encode(values)).calibrate(held_out, decoder.encode(held_out_values))


def test_labels_that_are_held_out_are_neither_right_nor_wrong():
    outputs, values = toys()
    plain = ClassificationDecoder(problem="multiclass", labels=LABELS)
    decoder = ClassificationDecoder(problem="multiclass", labels=LABELS, held_out=("odd",))
    assert decoder.encode(["a", "odd", None, "other"])["labels"].tolist() == [0, HELD_OUT, -1, -1]
    known = [row for row, value in enumerate(values) if value != "odd"]
    learned, kept = rows_of(outputs, known), [values[row] for row in known]
    given = decoder.measure(outputs, decoder.encode(values))
    assert given == pytest.approx(plain.measure(learned, plain.encode(kept)))
    assert plain.measure(outputs, plain.encode(values))["accuracy"] < given["accuracy"] - 0.05
    for name, scorer in decoder.scorers.items():
        assert scorer(*decoder.comparable(outputs, decoder.encode(values))) == pytest.approx(given[name])


@pytest.mark.parametrize("calibration", ["temperature", "platt", "isotonic"])
def test_a_loaded_decoder_answers_as_the_saved_one(calibration):
    decoder = fitted(calibration=calibration)
    loaded = load_decoder(json.loads(json.dumps(decoder.to_json(), allow_nan=False)))
    assert loaded == decoder
    outputs, _ = toys(40, seed=1)
    assert loaded.answers(outputs, [None] * 40) == decoder.answers(outputs, [None] * 40)
    alone = decoder.answers(rows_of(outputs, [7]), [None])[0]
    together = decoder.answers(outputs, [None] * 40)[7]
    assert (alone.label, alone.label_set, alone.in_scope) == (together.label, together.label_set, together.in_scope)


def test_answers_say_set_and_scope():
    outputs, values = toys(200, seed=2)
    answers = fitted().answers(outputs, [None] * 200)
    strangers = [answer.in_scope for answer, value in zip(answers, values, strict=True) if value == "odd"]
    assert not any(strangers)
    known = [(answer, value) for answer, value in zip(answers, values, strict=True) if value != "odd"]
    assert np.mean([answer.in_scope for answer, _ in known]) > 0.8
    assert np.mean([value in answer.label_set for answer, value in known]) > 0.7
    for answer, _ in known:
        assert list(answer.label_set) == [label for label in answer.probabilities if label in answer.label_set]


def test_without_being_asked_nothing_is_said():
    outputs, values = toys(20)
    decoder = ClassificationDecoder(problem="multiclass", labels=LABELS)
    assert set(decoder.to_json()) == {"kind", "problem", "labels", "temperature", "threshold"}
    answer = decoder.calibrate(outputs, decoder.encode(values)).answers(outputs, [None] * 20)[0]
    assert (answer.label_set, answer.in_scope, answer.scope_score) == (None, None, None)


def test_figures_of_sets_and_scope():
    outputs, values = toys(400, seed=3)
    decoder = fitted()
    figures = decoder.measure(outputs, decoder.encode(values))
    assert figures["coverage_low"] < figures["coverage"] < figures["coverage_high"]
    assert figures["coverage"] == pytest.approx(0.8, abs=0.1)
    assert figures["unknown_auroc"] > 0.95
    assert figures["unknown_refused"] == 1.0
    assert 0.03 < figures["scope_refused"] < 0.25
    by_label = decoder.coverage_by_label(outputs, decoder.encode(values))
    assert set(by_label) == set(LABELS)
    assert all(isinstance(value, float) for value in [*figures.values(), *by_label.values()])


def test_curves_and_sets_do_not_share_their_rows():
    """Curves that have seen the rows of the thresholds find them less strange than others, and the sets too small."""
    shares = {"temperature": [], "isotonic": []}
    random = np.random.default_rng(4)
    for _ in range(60):
        logits = random.normal(size=(460, 4))
        places = (random.random((460, 1)) > (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).cumsum(1)).sum(1)
        values = [str(min(place, 3)) for place in places]
        for calibration, found in shares.items():
            decoder = ClassificationDecoder(
                problem="multiclass", labels=("0", "1", "2", "3"), calibration=calibration, conformal=ConformalSets()
            )
            truth = decoder.encode(values)
            rows, rest = slice(0, 60), slice(60, None)
            decoder = decoder.calibrate({"logits": logits[rows]}, rows_of(truth, rows))
            found.append(decoder.measure({"logits": logits[rest]}, rows_of(truth, rest))["coverage"])
    for found in shares.values():
        assert np.mean(found) > 0.9 - 3 * np.std(found) / len(found) ** 0.5


def test_one_that_knows_costs_keeps_all_of_it():
    outputs, values = toys()
    costs = tuple(tuple(float(one != other) for other in range(3)) for one in range(3))
    decoder = CostDecoder(problem="multiclass", labels=LABELS, costs=costs, calibration="platt", **PARTS)
    truth = decoder.encode(values)
    ready = decoder.learn_scope(outputs, truth).calibrate(outputs, truth)
    assert type(ready) is CostDecoder
    assert load_decoder(json.loads(json.dumps(ready.to_json()))) == ready
    assert ready.answers(outputs, [None] * 300)[1].label_set is not None
    assert {"mean_cost", "coverage", "unknown_auroc"} <= set(ready.measure(outputs, truth))


def test_several_labels_have_curves_and_sets_too():
    random = np.random.default_rng(5)
    logits = random.normal(scale=2.0, size=(400, 3))
    mask = random.random(logits.shape) < 1 / (1 + np.exp(-logits))
    values = [[LABELS[place] for place in np.flatnonzero(row)] for row in mask]
    decoder = ClassificationDecoder(
        problem="multilabel", labels=LABELS, calibration="platt", conformal=ConformalSets(per_class=True)
    )
    truth = decoder.encode(values)
    ready = decoder.calibrate({"logits": 3 * logits}, truth)
    figures = ready.measure({"logits": 3 * logits}, truth)
    assert figures["ece"] < figures["ece_uncalibrated"] / 2
    assert min(ready.coverage_by_label({"logits": 3 * logits}, truth).values()) > 0.8
