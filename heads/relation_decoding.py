"""Logits to relations: a classification whose labels may have a direction, `Cause-Effect(e1,e2)`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from heads.answers import Answer
from heads.decoder import Outputs, Scorer, Truth
from heads.decoding import ClassificationDecoder
from heads.directed import LABEL, directed_macro_f1, directed_name, relation_numbers, with_relations
from heads.metrics import accuracy, macro_f1, micro_f1


def over_labels(scorer: Scorer) -> Scorer:
    """A scorer of label numbers for what a relation's decoder makes comparable."""
    return lambda truth, predicted: scorer(truth[:, LABEL], predicted[:, LABEL])


@dataclass(frozen=True)
class RelationDecoder:
    """What turns a relation head's logits [rows, labels] into answers, by one label a row.

    Comparable are [rows, 2]: the label's number, and that of its relation, the same for both directions.
    """

    kind: ClassVar[str] = "relation"
    scorers: ClassVar[Mapping[str, Scorer]] = {
        "macro_f1": over_labels(macro_f1),
        "directed_macro_f1": directed_macro_f1,
        "accuracy": over_labels(accuracy),
        "micro_f1": over_labels(micro_f1),
    }

    classes: ClassificationDecoder

    @property
    def directed(self) -> bool:
        """Whether any label has a direction; without one, `directed_macro_f1` is 0."""
        return any(directed_name(label) for label in self.classes.labels)

    def encode(self, values: Sequence[object]) -> dict[str, np.ndarray]:
        """Truth `labels` and `relations` as numbers [rows], -1 for an unknown one.

        A label whose direction was not there in training still counts as one of its relation.
        """
        texts = ["" if value is None else str(value) for value in values]
        return {**self.classes.encode(values), "relations": relation_numbers(texts, known=self.classes.labels)}

    def calibrate(self, outputs: Outputs, truth: Truth) -> "RelationDecoder":
        """With the temperature that is most likely on these rows."""
        return replace(self, classes=self.classes.calibrate(outputs, truth))

    def answers(self, outputs: Outputs, inputs: Sequence[object], *, top: int = 5) -> list[Answer]:
        """The best label of each row, and the `top` best with their probabilities."""
        return self.classes.answers(outputs, inputs, top=top)

    def comparable(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """Label and relation numbers [rows, 2]."""
        labels, predicted = self.classes.comparable(outputs, truth)
        return np.stack([labels, truth["relations"]], axis=1), with_relations(predicted, self.classes.labels)

    def translated(self, predicted: np.ndarray, *, given_by: "RelationDecoder") -> np.ndarray:
        """The other decoder's labels in this one's numbers; labels that are not known here are never right."""
        numbers = self.classes.translated(predicted[:, LABEL], given_by=given_by.classes)
        return with_relations(numbers, self.classes.labels)

    def measure(self, outputs: Outputs, truth: Truth) -> dict[str, float]:
        """A classification's figures, and the directed F1 where labels have a direction."""
        figures = self.classes.measure(outputs, truth)
        directed = {"directed_macro_f1": directed_macro_f1(*self.comparable(outputs, truth))} if self.directed else {}
        return {**directed, **figures}

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads."""
        return {"kind": self.kind, "classes": self.classes.to_json()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RelationDecoder":
        """Read what `to_json` gave."""
        return cls(classes=ClassificationDecoder.from_json(value["classes"]))
