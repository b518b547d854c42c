"""Logits to calibrated probabilities and labels, without torch: the same in evaluation and in serving."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from heads.answers import Answer
from heads.calibration import fit_temperature, negative_log_likelihood
from heads.decoder import Outputs, Scorer, Truth
from heads.metrics import accuracy, expected_calibration_error, macro_f1, micro_f1
from heads.probabilities import sigmoid, softmax

Problem = Literal["binary", "multiclass", "multilabel"]
SCORERS: dict[str, Scorer] = {"accuracy": accuracy, "macro_f1": macro_f1, "micro_f1": micro_f1}
UNKNOWN = -2


@dataclass(frozen=True)
class ClassificationDecoder:
    """What turns a classification head's logits [rows, labels] into answers.

    `temperature` divides the logits first. Multilabel answers are the labels of at least `threshold`.
    Truth is `labels`: label numbers [rows], -1 for an unknown one, or for multilabel a mask [rows, labels].
    """

    kind: ClassVar[str] = "classification"
    scorers: ClassVar[Mapping[str, Scorer]] = SCORERS

    problem: Problem
    labels: tuple[str, ...]
    temperature: float = 1.0
    threshold: float = 0.5

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """[rows, labels], in 0..1; rows add up to 1 unless multilabel."""
        scaled = logits.astype(np.float64) / self.temperature
        return sigmoid(scaled) if self.problem == "multilabel" else softmax(scaled)

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Label numbers [rows], or for multilabel a mask [rows, labels]."""
        decided = probabilities >= self.threshold if self.problem == "multilabel" else probabilities.argmax(axis=1)
        return np.asarray(decided)

    def encode(self, values: Sequence[object]) -> dict[str, np.ndarray]:
        """Truth as label numbers [rows], unknown labels as -1; for multilabel a mask [rows, labels]."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        if self.problem != "multilabel":
            found = [-1 if value is None else numbers.get(str(value), -1) for value in values]
            return {"labels": np.array(found, dtype=np.int64)}
        mask = np.zeros((len(values), len(self.labels)), dtype=bool)
        for row, given in enumerate(values):
            known = [numbers[str(label)] for label in listed(given) if str(label) in numbers]
            mask[row, known] = True
        return {"labels": mask}

    def calibrate(self, outputs: Outputs, truth: Truth) -> "ClassificationDecoder":
        """With the temperature that is most likely on these rows."""
        multilabel = self.problem == "multilabel"
        return replace(self, temperature=fit_temperature(outputs["logits"], truth["labels"], multilabel=multilabel))

    def answers(self, outputs: Outputs, inputs: Sequence[object], *, top: int = 5) -> list[Answer]:  # noqa: ARG002
        """The best label of each row, and the `top` best with their probabilities."""
        return [self._answer(row, top) for row in self.probabilities(outputs["logits"])]

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
        """Accuracy, F1 and likelihood; calibration error before and after the temperature."""
        known_truth, predicted = self.comparable(outputs, truth)
        figures = {name: scorer(known_truth, predicted) for name, scorer in self.scorers.items()}
        figures["ece"] = expected_calibration_error(*self.certainty(outputs, truth))
        plain = replace(self, temperature=1.0)
        figures["ece_uncalibrated"] = expected_calibration_error(*plain.certainty(outputs, truth))
        figures["temperature"] = self.temperature
        multilabel = self.problem == "multilabel"
        known = np.ones(len(known_truth), bool) if multilabel else known_truth >= 0
        if known.any():
            scaled = outputs["logits"][known].astype(np.float64) / self.temperature
            figures["nll"] = negative_log_likelihood(scaled, known_truth[known], multilabel=multilabel)
        return figures

    def certainty(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """How sure each decision was, and whether it was right; for multilabel every label's own yes or no."""
        probabilities = self.probabilities(outputs["logits"])
        right = self.decide(probabilities) == truth["labels"]
        if self.problem == "multilabel":
            return np.maximum(probabilities, 1.0 - probabilities).ravel(), right.ravel()
        return probabilities.max(axis=1), right

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads."""
        facts = {"problem": self.problem, "labels": list(self.labels)}
        return {"kind": self.kind, **facts, "temperature": self.temperature, "threshold": self.threshold}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ClassificationDecoder":
        """Read what `to_json` gave."""
        return cls(
            problem=value["problem"],
            labels=tuple(value["labels"]),
            temperature=value["temperature"],
            threshold=value["threshold"],
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
