"""Logits to calibrated probabilities and labels, without torch: the same in evaluation and in serving."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from heads.answers import Answer
from heads.calibration import fit_temperature, negative_log_likelihood
from heads.conformal import ConformalSets
from heads.decoder import Outputs, Scorer, Truth, rows_of
from heads.label_calibration import LabelCurves
from heads.metrics import accuracy, expected_calibration_error, macro_f1, micro_f1
from heads.probabilities import sigmoid, softmax
from heads.scope import Scope

Problem = Literal["binary", "multiclass", "multilabel"]
Calibration = Literal["temperature", "platt", "isotonic"]
# Numbers below -1, a label that nobody knows: another model's label, and one that this model was not to learn.
UNKNOWN, HELD_OUT = -2, -3


def over_learned(truth: np.ndarray, predicted: np.ndarray, *, scorer: Scorer) -> float:
    """A score over the rows whose label was not held out of training on purpose."""
    if truth.ndim > 1:
        return scorer(truth, predicted)
    learned = truth != HELD_OUT
    return scorer(truth[learned], predicted[learned])


SCORERS: dict[str, Scorer] = {
    name: partial(over_learned, scorer=scorer)
    for name, scorer in {"accuracy": accuracy, "macro_f1": macro_f1, "micro_f1": micro_f1}.items()
}


@dataclass(frozen=True)
class ClassificationDecoder:
    """What turns a classification head's logits [rows, labels] into answers.

    `temperature` divides the logits first; with another `calibration` the fitted `curves` stand in its place.
    Multilabel answers are the labels of at least `threshold`. `conformal` gives each answer a set of labels, `scope`
    says whether the row looks like those in training. Labels of `held_out` are not learned; their rows test the scope.
    Truth is `labels`: label numbers [rows], -1 for an unknown one, HELD_OUT for one of `held_out`, or for multilabel a
    mask [rows, labels].
    """

    kind: ClassVar[str] = "classification"
    scorers: ClassVar[Mapping[str, Scorer]] = SCORERS

    problem: Problem
    labels: tuple[str, ...]
    temperature: float = 1.0
    threshold: float = 0.5
    calibration: Calibration = "temperature"
    curves: LabelCurves | None = None
    conformal: ConformalSets | None = None
    scope: Scope | None = None
    held_out: tuple[str, ...] = ()

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """[rows, labels], in 0..1; rows add up to 1 unless multilabel."""
        if self.curves is not None:
            return self.curves.probabilities(logits, multilabel=self.problem == "multilabel")
        scaled = logits.astype(np.float64) / self.temperature
        return sigmoid(scaled) if self.problem == "multilabel" else softmax(scaled)

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Label numbers [rows], or for multilabel a mask [rows, labels]."""
        decided = probabilities >= self.threshold if self.problem == "multilabel" else probabilities.argmax(axis=1)
        return np.asarray(decided)

    def encode(self, values: Sequence[object]) -> dict[str, np.ndarray]:
        """Truth as label numbers [rows], unknown labels as -1; for multilabel a mask [rows, labels]."""
        numbers = dict.fromkeys(self.held_out, HELD_OUT) | {label: place for place, label in enumerate(self.labels)}
        if self.problem != "multilabel":
            found = [-1 if value is None else numbers.get(str(value), -1) for value in values]
            return {"labels": np.array(found, dtype=np.int64)}
        mask = np.zeros((len(values), len(self.labels)), dtype=bool)
        for row, given in enumerate(values):
            known = [numbers[str(label)] for label in listed(given) if str(label) in numbers]
            mask[row, known] = True
        return {"labels": mask}

    def learn_scope(self, outputs: Outputs, truth: Truth) -> "ClassificationDecoder":
        """With what the training rows look like, where `scope` needs to know."""
        return self if self.scope is None else replace(self, scope=self.scope.learn(outputs, truth["labels"]))

    def calibrate(self, outputs: Outputs, truth: Truth) -> "ClassificationDecoder":
        """With the calibration that is most likely on these rows, and the thresholds of sets and scope from them.

        Curves have so many numbers that they know their rows too well for sets: then every other row is for each.
        """
        labels = truth["labels"]
        halved = self.conformal is not None and self.calibration != "temperature"
        first, second = (slice(0, None, 2), slice(1, None, 2)) if halved else (slice(None), slice(None))
        found = self._calibrated(outputs["logits"][first], labels[first])
        conformal, scope = self.conformal, self.scope
        if conformal is not None:
            conformal = conformal.fit(found.probabilities(outputs["logits"][second]), labels[second])
        if scope is not None and scope.ready:
            scope = scope.fit(outputs, labels)
        return replace(found, conformal=conformal, scope=scope)

    def _calibrated(self, logits: np.ndarray, truth: np.ndarray) -> "ClassificationDecoder":
        multilabel = self.problem == "multilabel"
        if self.calibration == "temperature":
            return replace(self, temperature=fit_temperature(logits, truth, multilabel=multilabel))
        curves = LabelCurves.fit(logits, truth, method=self.calibration, multilabel=multilabel)
        return replace(self, curves=curves)

    def answers(self, outputs: Outputs, inputs: Sequence[object], *, top: int = 5) -> list[Answer]:  # noqa: ARG002
        """The best label of each row, and the `top` best with their probabilities."""
        probabilities = self.probabilities(outputs["logits"])
        answers = [self._answer(row, top) for row in probabilities]
        if self.conformal is not None and self.conformal.thresholds:
            sets = self.conformal.sets(probabilities)
            answers = [
                replace(answer, label_set=self._ordered(chosen, row))
                for answer, chosen, row in zip(answers, sets, probabilities, strict=True)
            ]
        if self.scope is not None and self.scope.ready:
            scores = self.scope.scores(outputs).tolist()
            answers = [
                replace(answer, in_scope=score <= self.scope.threshold, scope_score=score)
                for answer, score in zip(answers, scores, strict=True)
            ]
        return answers

    def _ordered(self, chosen: np.ndarray, probabilities: np.ndarray) -> tuple[str, ...]:
        """The labels of a set, the most probable first."""
        return tuple(self.labels[place] for place in np.argsort(-probabilities, kind="stable") if chosen[place])

    def comparable(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """Label numbers [rows], multilabel masks [rows, labels]."""
        return truth["labels"], self.decide(self.probabilities(outputs["logits"]))

    def translated(self, predicted: np.ndarray, *, given_by: "ClassificationDecoder") -> np.ndarray:
        """The other decoder's labels in this one's numbers; labels that are not known here are never right."""
        places = {label: number for number, label in enumerate(self.labels)}
        if self.problem != "multilabel":
            return np.asarray(np.array([places.get(label, UNKNOWN) for label in given_by.labels])[predicted])
        mask = np.zeros((len(predicted), len(self.labels)), dtype=bool)
        for number, label in enumerate(given_by.labels):
            if label in places:
                mask[:, places[label]] = predicted[:, number]
        return mask

    def measure(self, outputs: Outputs, truth: Truth) -> dict[str, float]:
        """Accuracy, F1 and likelihood, calibration error before and after, sets; of held-out labels only the scope."""
        learned, unknown = self._learned(truth), truth["labels"] == HELD_OUT
        figures = self._measure(rows_of(outputs, learned), rows_of(truth, learned))
        if self.scope is not None and self.scope.ready:
            figures |= self.scope.measure(outputs, known=truth["labels"] >= 0, unknown=unknown)
        return figures

    def _measure(self, outputs: Outputs, truth: Truth) -> dict[str, float]:
        known_truth, predicted = self.comparable(outputs, truth)
        probabilities = self.probabilities(outputs["logits"])
        figures = {name: scorer(known_truth, predicted) for name, scorer in self.scorers.items()}
        figures["ece"] = expected_calibration_error(*self.certainty(outputs, truth))
        plain = replace(self, temperature=1.0, curves=None)
        figures["ece_uncalibrated"] = expected_calibration_error(*plain.certainty(outputs, truth))
        if self.calibration == "temperature":
            figures["temperature"] = self.temperature
        multilabel = self.problem == "multilabel"
        known = np.ones(len(known_truth), bool) if multilabel else known_truth >= 0
        if known.any():
            # The logits of the calibrated probabilities, whichever way these were calibrated.
            sure = np.clip(probabilities[known], 1e-12, 1.0 - 1e-12)
            logits = np.log(sure) - np.log1p(-sure) if multilabel else np.log(sure)
            figures["nll"] = negative_log_likelihood(logits, known_truth[known], multilabel=multilabel)
        if self.conformal is not None and self.conformal.thresholds:
            figures |= self.conformal.measure(probabilities, known_truth)
        return figures

    def coverage_by_label(self, outputs: Outputs, truth: Truth) -> dict[str, float]:
        """Label -> in how many of its rows it is in the set, of labels that have rows; empty without sets."""
        if self.conformal is None or not self.conformal.thresholds:
            return {}
        found = self.conformal.coverage_by_label(self.probabilities(outputs["logits"]), truth["labels"])
        return {self.labels[label]: share for label, share in found.items()}

    def certainty(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """How sure each decision was, and whether it was right; for multilabel every label's own yes or no."""
        learned = self._learned(truth)
        probabilities = self.probabilities(outputs["logits"][learned])
        decided = self.decide(probabilities)
        right = decided == truth["labels"][learned]
        if self.problem == "multilabel":
            return np.maximum(probabilities, 1.0 - probabilities).ravel(), right.ravel()
        return np.take_along_axis(probabilities, decided[:, None], axis=1)[:, 0], right

    def _learned(self, truth: Truth) -> np.ndarray:
        """The rows but those of labels that were held out, bool [rows]."""
        labels = truth["labels"]
        return np.ones(len(labels), bool) if labels.ndim > 1 else np.asarray(labels != HELD_OUT)

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads; what is not used is left out."""
        facts = {"problem": self.problem, "labels": list(self.labels)}
        parts = {"curves": self.curves, "conformal": self.conformal, "scope": self.scope}
        used: dict[str, Any] = {name: part.to_json() for name, part in parts.items() if part is not None}
        if self.calibration != "temperature":
            used["calibration"] = self.calibration
        if self.held_out:
            used["held_out"] = list(self.held_out)
        return {"kind": self.kind, **facts, "temperature": self.temperature, "threshold": self.threshold, **used}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ClassificationDecoder":
        """Read what `to_json` gave."""
        return cls(
            problem=value["problem"],
            labels=tuple(value["labels"]),
            temperature=value["temperature"],
            threshold=value["threshold"],
            calibration=value.get("calibration", "temperature"),
            curves=LabelCurves.from_json(value["curves"]) if "curves" in value else None,
            conformal=ConformalSets.from_json(value["conformal"]) if "conformal" in value else None,
            scope=Scope.from_json(value["scope"]) if "scope" in value else None,
            held_out=tuple(value.get("held_out", ())),
        )

    def _answer(self, probabilities: np.ndarray, top: int) -> Answer:
        order = np.argsort(-probabilities, kind="stable")
        best = {self.labels[place]: float(probabilities[place]) for place in order[:top]}
        if self.problem != "multilabel":
            first = order[0]
            return Answer(label=self.labels[first], probability=float(probabilities[first]), probabilities=best)
        chosen = [place for place in order if probabilities[place] >= self.threshold]
        certain = np.where(probabilities >= self.threshold, probabilities, 1.0 - probabilities).prod()
        label = ", ".join(self.labels[place] for place in chosen)
        return Answer(label=label, probability=float(certain), probabilities=best)


def listed(value: object) -> list[str]:
    """A list-valued cell as a list; a missing one is empty."""
    return [str(part) for part in value] if isinstance(value, (list, tuple, np.ndarray)) else []
