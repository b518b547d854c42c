"""Start and end logits to answers in words, or to none; without torch, the same in evaluation and in serving."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Self

import numpy as np

from heads.answer_text import exact_match, word_f1
from heads.answers import Answer, Part
from heads.decoder import Outputs, Scorer, Truth
from heads.metrics import expected_calibration_error
from heads.packed_text import pack_lists, pack_texts, unpack_lists, unpack_texts
from heads.span_calibration import best_margin, fit_temperature, lead
from heads.span_candidates import Candidates, candidates
from heads.span_target import NOTHING_KNOWN, UNPLACED, SpanTarget, stretch

EXACT, F1 = 0, 1


def mean(values: np.ndarray) -> float:
    """The mean; 0 of nothing."""
    return float(values.mean()) if values.size else 0.0


def mean_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 of the words, 0..1."""
    del truth
    return mean(predicted[:, F1])


def mean_exact_match(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Share of rows whose words are an accepted answer's."""
    del truth
    return mean(predicted[:, EXACT])


@dataclass(frozen=True)
class SpanDecoder:
    """What turns a span head's outputs into answers.

    The answer is the best span of at most `max_answer_tokens` tokens, or none where the score of "no answer" is more
    than `none_margin` above the best span's (None: there is always an answer). `temperature` divides the scores
    before they become probabilities over the spans and "no answer".
    """

    kind: ClassVar[str] = "span"
    scorers: ClassVar[Mapping[str, Scorer]] = {"f1": mean_f1, "exact_match": mean_exact_match}

    max_answer_tokens: int = 30
    temperature: float = 1.0
    none_margin: float | None = 0.0

    def encode(self, values: Sequence[object]) -> dict[str, np.ndarray]:
        """`SpanTarget`s as arrays: `start` and `end` [rows] in characters, `context` and `answers` as packed texts.

        Start and end are 0 without an answer, -1 where the answer does not stand in the context; such a row teaches
        nothing, but is scored by its words. A row of which nothing is known (None) is one of these.
        """
        targets = [NOTHING_KNOWN if value is None else SpanTarget(*value) for value in values]  # type: ignore[misc]
        found = [UNPLACED if target is NOTHING_KNOWN else stretch(target) for target in targets]
        spans = np.array(found, dtype=np.int64).reshape(-1, 2)
        return {
            "start": spans[:, 0],
            "end": spans[:, 1],
            "context": pack_texts([target.context for target in targets]),
            "answers": pack_lists([target.answers for target in targets]),
        }

    def calibrate(self, outputs: Outputs, truth: Truth) -> Self:
        """With the temperature and the margin of "no answer" that are best on held-out rows."""
        found = candidates(outputs, max_answer_tokens=self.max_answer_tokens)
        rows = zip(found, unpack_texts(truth["context"]), unpack_lists(truth["answers"]), strict=True)
        tried = [
            (lead(each), word_f1(best_text(each, context), accepted), word_f1("", accepted))
            for each, context, accepted in rows
            if len(each.scores)
        ]
        leads, answered, unanswered = np.array(tried, dtype=np.float64).reshape(-1, 3).T
        return replace(
            self,
            temperature=fit_temperature(found, truth),
            none_margin=best_margin(leads, answered=answered, unanswered=unanswered),
        )

    def answers(self, outputs: Outputs, inputs: Sequence[object], *, top: int = 5) -> list[Answer]:
        """The answers to pairs of question and context; one that is not there has an empty label and no part."""
        found = candidates(outputs, max_answer_tokens=self.max_answer_tokens)
        return [self._answer(each, str(pair[1]), top=top) for each, pair in zip(found, inputs, strict=True)]  # type: ignore[index]  # a Pair

    def comparable(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """Exact match and F1 of each row [rows, 2], in 0..1; the truth's own are 1."""
        found = candidates(outputs, max_answer_tokens=self.max_answer_tokens)
        rows = zip(found, unpack_texts(truth["context"]), unpack_lists(truth["answers"]), strict=True)
        answered = [(self._text(each, context), accepted) for each, context, accepted in rows]
        scores = [(exact_match(text, accepted), word_f1(text, accepted)) for text, accepted in answered]
        predicted = np.array(scores, dtype=np.float64).reshape(-1, 2)
        return np.ones_like(predicted), predicted

    def translated(self, predicted: np.ndarray, *, given_by: Self) -> np.ndarray:  # noqa: ARG002
        """Scores of rows are the same in every decoder."""
        return predicted

    def measure(self, outputs: Outputs, truth: Truth) -> dict[str, float]:
        """SQuAD's figures, apart for rows with and without an answer where there are both, and calibration."""
        predicted = self.comparable(outputs, truth)[1]
        answered = np.array([bool(own) for own in unpack_lists(truth["answers"])], dtype=bool)
        figures = {"f1": mean(predicted[:, F1]), "exact_match": mean(predicted[:, EXACT])}
        if answered.any() and not answered.all():
            figures["answerable_f1"] = mean(predicted[answered, F1])
            figures["answerable_exact_match"] = mean(predicted[answered, EXACT])
            figures["unanswerable_accuracy"] = mean(predicted[~answered, EXACT])
        for name, decoder in (("ece", self), ("ece_uncalibrated", replace(self, temperature=1.0))):
            figures[name] = expected_calibration_error(*decoder.certainty(outputs, truth))
        misplaced = float((answered & (truth["start"] < 0)).sum())
        return {**figures, "temperature": self.temperature, "answers_not_in_context": misplaced}

    def certainty(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """The probability of each answer [rows], in 0..1, and whether its words are an accepted answer's."""
        found = candidates(outputs, max_answer_tokens=self.max_answer_tokens)
        rows = zip(found, unpack_texts(truth["context"]), strict=True)
        sure = [self._by_text(each, context)[self._text(each, context)] for each, context in rows]
        return np.array(sure, dtype=np.float64), self.comparable(outputs, truth)[1][:, EXACT]

    def to_json(self) -> dict[str, object]:
        """A JSON value that `from_json` reads."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Self:
        """Read what `to_json` gave."""
        return cls(**{name: setting for name, setting in value.items() if name != "kind"})  # type: ignore[arg-type]

    def _none(self, found: Candidates) -> bool:
        """Whether "no answer" is the answer."""
        return not len(found.scores) or (self.none_margin is not None and lead(found) > self.none_margin)

    def _text(self, found: Candidates, context: str) -> str:
        """The answer; empty for none."""
        return "" if self._none(found) else best_text(found, context)

    def _probabilities(self, found: Candidates) -> np.ndarray:
        """Of each candidate and, last, of "no answer"; they add up to 1."""
        # Most releases have no such task, and scipy takes its time.
        from scipy.special import logsumexp

        scaled = np.append(found.scores, found.none) / self.temperature
        return np.asarray(np.exp(scaled - logsumexp(scaled)))

    def _by_text(self, found: Candidates, context: str) -> dict[str, float]:
        """The probability of each answer in words, wherever it stands."""
        *probabilities, none = self._probabilities(found)
        by_text = {"": float(none)}
        for start, end, probability in zip(found.starts, found.ends, probabilities, strict=True):
            text = context[start:end]
            by_text[text] = by_text.get(text, 0.0) + float(probability)
        return by_text

    def _answer(self, found: Candidates, context: str, *, top: int) -> Answer:
        by_text = self._by_text(found, context)
        best = dict(sorted(by_text.items(), key=lambda entry: -entry[1])[:top])
        text = self._text(found, context)
        return Answer(text, by_text[text], best, parts=() if self._none(found) else (self._part(found, context),))

    def _part(self, found: Candidates, context: str) -> Part:
        """Where the best span stands; its probability is that of this place alone, over all windows."""
        start, end = int(found.starts[0]), int(found.ends[0])
        here = (found.starts == start) & (found.ends == end)
        probability = float(self._probabilities(found)[:-1][here].sum())
        return Part(label="answer", probability=probability, text=context[start:end], start=start, end=end)


def best_text(found: Candidates, context: str) -> str:
    """The best span's text; empty where there is no span."""
    return context[found.starts[0] : found.ends[0]] if len(found.scores) else ""
