"""Scores of words to entities, without torch: the same in training, evaluation and serving."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from heads.answers import Answer, Part
from heads.calibration import fit_temperature
from heads.decoder import Outputs, Scorer, Truth
from heads.entities import Scheme, entities_of, tag_list, tag_names, tags_of
from heads.entity_metrics import TRUE, f1, precision, recall
from heads.metrics import expected_calibration_error
from heads.tagging import Tagging, as_wide
from modalities.preparation.word_split import placed_words

SCORERS: dict[str, Scorer] = {"f1": f1, "precision": precision, "recall": recall}
NONE = "none"


@dataclass(frozen=True)
class TokenClassificationDecoder:
    """What turns a token classification head's outputs into entities of the `types`, under a scheme's constraints.

    Outputs: `logits` [rows, words, tags], divided by `temperature`; `labelled` [rows, words], 0 for padding and for
    words that got no score, which are O. Truth: `tags` int64 [rows, words], -1 for padding, for rows without a target
    and for words of unknown types; `entities` int64 [rows], how many there are, those of unknown types included.
    """

    kind: ClassVar[str] = "token_classification"
    scorers: ClassVar[Mapping[str, Scorer]] = SCORERS

    types: tuple[str, ...]
    scheme: Scheme = "BIO"
    temperature: float = 1.0

    @classmethod
    def fit(cls, values: Sequence[object], *, scheme: Scheme) -> "TokenClassificationDecoder":
        """With the types that occur in the training rows, whatever scheme the column is in."""
        found = {entity.kind for value in values for entity in entities_of(tag_list(value))}
        return cls(types=tuple(sorted(found)), scheme=scheme)

    @property
    def tags(self) -> tuple[str, ...]:
        """Every tag, O first, as the logits have them."""
        return tag_names(self.types, self.scheme)

    def encode(self, values: Sequence[object]) -> dict[str, np.ndarray]:
        """Lists of tags, in any scheme, as truth; None where a row has none."""
        numbers = {tag: number for number, tag in enumerate(self.tags)}
        rows = [tag_list(value) for value in values]
        tags = np.full((len(rows), max(map(len, rows), default=0)), -1, dtype=np.int64)
        entities = np.zeros(len(rows), dtype=np.int64)
        for row, given in enumerate(rows):
            found = entities_of(given)
            canonical = tags_of(found, words=len(given), scheme=self.scheme)
            tags[row, : len(given)] = [numbers.get(tag, -1) for tag in canonical]
            entities[row] = len(found)
        return {"tags": tags, "entities": entities}

    def calibrate(self, outputs: Outputs, truth: Truth) -> "TokenClassificationDecoder":
        """With the temperature that is most likely over the words of these rows."""
        tags = as_wide(truth["tags"], outputs["logits"].shape[1], filler=-1)
        known = (tags >= 0) & (outputs["labelled"] > 0)
        return replace(self, temperature=fit_temperature(outputs["logits"][known], tags[known], multilabel=False))

    def answers(self, outputs: Outputs, inputs: Sequence[object], *, top: int = 5) -> list[Answer]:
        """The entities of each sentence as parts, in order; the label is the types found, or "none".

        An answer's probability is that of all its tags together; a part's, that exactly these words are one entity of
        this type. `probabilities` holds the surest entity of each type, the `top` best of them.
        """
        answers = []
        for value, (entities, whole) in zip(inputs, self._tagging(outputs).sentences(), strict=True):
            text, words = placed_words(value)
            parts = tuple(
                Part(
                    label=self.types[entity.kind],
                    probability=entity.probability,
                    text=text[words[entity.start].start : words[entity.end - 1].end],
                    start=words[entity.start].start,
                    end=words[entity.end - 1].end,
                )
                for entity in entities
            )
            answers.append(summary(parts, whole=whole, top=top))
        return answers

    def comparable(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """Counts [rows, 3] of entities right, predicted and true: the truth's own, and those of the outputs."""
        counts = self._tagging(outputs).counts(truth["tags"]).sum(axis=1)
        counts[:, TRUE] = truth["entities"]
        return np.repeat(truth["entities"][:, None], 3, axis=1), counts

    def translated(self, predicted: np.ndarray, *, given_by: "TokenClassificationDecoder") -> np.ndarray:  # noqa: ARG002
        """Counts are counts, whatever the types are called."""
        return predicted

    def measure(self, outputs: Outputs, truth: Truth) -> dict[str, float]:
        """Precision, recall and F1 of entities, F1 by type, words tagged right, calibration error of entities."""
        tagging = self._tagging(outputs)
        compared, by_type = self.comparable(outputs, truth), tagging.counts(truth["tags"])
        figures = {name: scorer(*compared) for name, scorer in self.scorers.items()}
        figures |= {f"f1_{kind}": f1(by_type[:, place], by_type[:, place]) for place, kind in enumerate(self.types)}
        figures["word_accuracy"] = tagging.word_accuracy(truth["tags"])
        figures["ece"] = expected_calibration_error(*tagging.certainty(truth["tags"]))
        plain = replace(self, temperature=1.0)
        figures["ece_uncalibrated"] = expected_calibration_error(*plain.certainty(outputs, truth))
        return {**figures, "temperature": self.temperature, "entities": float(truth["entities"].sum())}

    def certainty(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """How sure each predicted entity was, and whether it was right."""
        return self._tagging(outputs).certainty(truth["tags"])

    def confusions(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """True and predicted type of every entity; the number after the last type is none, missed or invented."""
        return self._tagging(outputs).confusions(truth["tags"])

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads."""
        facts = {"types": list(self.types), "scheme": self.scheme}
        return {"kind": self.kind, **facts, "temperature": self.temperature}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "TokenClassificationDecoder":
        """Read what `to_json` gave."""
        return cls(types=tuple(value["types"]), scheme=value["scheme"], temperature=value["temperature"])

    def _tagging(self, outputs: Outputs) -> Tagging:
        return Tagging.of(
            outputs["logits"] / self.temperature, outputs["labelled"] > 0, tags=self.tags, scheme=self.scheme
        )


def summary(parts: tuple[Part, ...], *, whole: float, top: int) -> Answer:
    """A sentence's answer from its entities."""
    surest: dict[str, float] = {}
    for part in parts:
        surest[part.label] = max(part.probability, surest.get(part.label, 0.0))
    best = dict(sorted(surest.items(), key=lambda entry: -entry[1])[:top])
    return Answer(label=", ".join(surest) or NONE, probability=whole, probabilities=best, parts=parts)
