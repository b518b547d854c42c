"""Logits to calibrated probabilities and labels, without torch: the same in evaluation and in serving."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

TaskKind = Literal["binary", "multiclass", "multilabel"]


@dataclass(frozen=True)
class ClassificationDecoder:
    """What turns a classification head's logits [rows, labels] into answers.

    `temperature` divides the logits first. Multilabel answers are the labels of at least `threshold`.
    """

    kind: TaskKind
    labels: tuple[str, ...]
    temperature: float = 1.0
    threshold: float = 0.5

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """[rows, labels], in 0..1; rows add up to 1 unless multilabel."""
        scaled = logits.astype(np.float64) / self.temperature
        return sigmoid(scaled) if self.kind == "multilabel" else softmax(scaled)

    def decide(self, probabilities: np.ndarray) -> np.ndarray:
        """Label numbers [rows], or for multilabel a mask [rows, labels]."""
        return probabilities >= self.threshold if self.kind == "multilabel" else probabilities.argmax(axis=1)

    def encode(self, values: Sequence[object]) -> np.ndarray:
        """Truth as label numbers [rows], unknown labels as -1; for multilabel a mask [rows, labels]."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        if self.kind != "multilabel":
            return np.array([numbers.get(str(value), -1) for value in values], dtype=np.int64)
        mask = np.zeros((len(values), len(self.labels)), dtype=bool)
        for row, given in enumerate(values):
            known = [numbers[str(label)] for label in listed(given) if str(label) in numbers]
            mask[row, known] = True
        return mask

    def to_json(self) -> dict[str, object]:
        """A JSON value that `from_json` reads."""
        return {**asdict(self), "labels": list(self.labels)}

    @classmethod
    def from_json(cls, value: dict[str, object]) -> "ClassificationDecoder":
        """Read what `to_json` gave."""
        settings: dict[str, object] = {**value, "labels": tuple(listed(value["labels"]))}
        return cls(**settings)  # type: ignore[arg-type]


def listed(value: object) -> list[str]:
    """A list-valued cell as a list; a missing one is empty."""
    return [str(part) for part in value] if isinstance(value, (list, tuple, np.ndarray)) else []


def softmax(logits: np.ndarray) -> np.ndarray:
    """Over the last axis, without overflow."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Logistic function without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))
