"""The one number of a task's outputs that an explanation is about."""

from dataclasses import dataclass

import numpy as np

from heads.decoder import Decoder, Outputs
from heads.decoding import ClassificationDecoder
from heads.number_decoding import RegressionDecoder
from polyloom.errors import RequestError


@dataclass(frozen=True)
class ExplainedScore:
    """Of a classification the log-odds of the label of this `number`; of a regression (`number` None) its value.

    Log-odds rise with the probability, but do not flatten where that is nearly 1. Logits are multiplied by `scale`
    (1 / temperature), values too, and then `shift` is added.
    """

    label: str
    number: int | None
    multilabel: bool = False
    scale: float = 1.0
    shift: float = 0.0

    def of(self, outputs: Outputs) -> np.ndarray:
        """The score of each row, float64 [rows]."""
        if self.number is None:
            return np.asarray(outputs["values"].astype(np.float64) * self.scale + self.shift)
        logits = outputs["logits"].astype(np.float64) * self.scale
        own, others = logits[:, self.number], np.delete(logits, self.number, axis=1)
        if self.multilabel or not others.shape[1]:
            return own
        return np.asarray(own - np.logaddexp.reduce(others, axis=1))


def explained_score(decoder: Decoder, outputs: Outputs) -> ExplainedScore:
    """The score behind the first row's answer; of several labels, that of the likeliest.

    Raises RequestError for a kind of task that has no such score.
    """
    if isinstance(decoder, RegressionDecoder):
        value = float(outputs["values"][0]) * decoder.deviation + decoder.mean
        return ExplainedScore(label=f"{value:.6g}", number=None, scale=decoder.deviation, shift=decoder.mean)
    if not isinstance(decoder, ClassificationDecoder):
        raise RequestError(f"A task of kind {decoder.kind!r} is not explained; classification and regression are.")
    probabilities = decoder.probabilities(outputs["logits"][:1])
    multilabel = decoder.problem == "multilabel"
    number = int(probabilities[0].argmax() if multilabel else decoder.decide(probabilities)[0])
    scale = 1.0 / decoder.temperature
    return ExplainedScore(label=decoder.labels[number], number=number, multilabel=multilabel, scale=scale)
