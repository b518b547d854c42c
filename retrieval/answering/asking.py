"""From a question to an answer with its citations, or to somebody who knows: confident, or handed over.

What stands in documents is quoted and never obeyed; a text that was generated is shown only when its citations say it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from polyloom.sentences import sentences
from retrieval.answering.candidates import Candidate, Citation, Retrieve
from retrieval.answering.confidence import Confidence, evidence
from retrieval.answering.conversation import Conversation, standalone
from retrieval.answering.grounding import check_grounding
from retrieval.answering.reading import Rarity, Read, ReadSpan
from retrieval.answering.selective import Threshold

LETTER = re.compile(r"[^\W_]")
LONGEST_QUESTION = 1_000
DEPTH = 20
NO_WORDS = "The question has no words. Ask in a sentence."
NOTHING_FOUND = "Nothing was found that could answer it."
UNSURE = "The best that was found is not sure enough: {score:.2f}, and {value:.2f} is needed."

Generate = Callable[[str, Sequence[Citation]], str | None]
"""A question and what is cited to a text; None where it has nothing to say."""


@dataclass(frozen=True)
class HandOver:
    """What a person gets who answers instead: why, the question, what was said before, and the best guesses."""

    reason: str
    question: str
    conversation: Conversation | None
    guesses: tuple[Citation, ...]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """`text` is None when `confident` is not, and then `hand_over` says why; `score` is a probability.

    `candidates` are what else was found, best first; `note` says what was done to the question or to the answer;
    `broken` why nothing is promised of the answer any more.
    """

    text: str | None = None
    confident: bool = False
    score: float
    citations: tuple[Citation, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    hand_over: HandOver | None = None
    note: str | None = None
    broken: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        value = asdict(self)
        if self.hand_over and self.hand_over.conversation:
            value["hand_over"]["conversation"] = self.hand_over.conversation.to_json()
        return value


class Judged(NamedTuple):
    """One way to put the question: what it found, what was read in the first, and how sure that is."""

    candidates: tuple[Candidate, ...]
    read: Read | None
    score: float


class Answering:
    """Answers on injected parts; `threshold` must have been chosen with the same parts.

    `read` may be None where all candidates have replies. `generate` writes a text from the citations, which is checked
    against them. Of the variants of a question that leans on the one before the surer one counts; the threshold's
    promise is about questions that stand alone.
    """

    def __init__(
        self,
        *,
        retrieve: Retrieve,
        read: ReadSpan | None,
        confidence: Confidence,
        threshold: Threshold,
        rarity: Rarity | None = None,
        generate: Generate | None = None,
        longest: int = LONGEST_QUESTION,
    ) -> None:
        self.retrieve = retrieve
        self.read = read
        self.confidence = confidence
        self.threshold = threshold
        self.rarity = rarity
        self.generate = generate
        self.longest = longest

    def ask(self, question: str, *, conversation: Conversation | None = None, k: int = 3) -> Answered:
        """The answer with up to `k` candidates, or a hand-over with as many guesses."""
        asked, note = cut_question(question, longest=self.longest)
        if not LETTER.search(asked):
            return Answered(score=0.0, hand_over=HandOver(NO_WORDS, asked, conversation, ()), note=note)
        best = max((self.judge(one, k=k) for one in standalone(asked, conversation)), key=lambda one: one.score)
        shown = best.candidates[:k]
        reason = self._reason(best)
        if reason:
            guesses = [one for one in best.candidates if one.reply is not None or self.read is not None][:k]
            over = HandOver(reason, asked, conversation, tuple(self._citation(asked, one) for one in guesses))
            return Answered(score=best.score, candidates=shown, hand_over=over, note=note)
        cited = (citation(best.candidates[0], best.read),)
        text, said = self._text(asked, best, cited)
        notes = " ".join(one for one in (note, said) if one)
        return Answered(
            text=text, confident=True, score=best.score, citations=cited, candidates=shown, note=notes or None
        )

    def judge(self, question: str, *, k: int = 3) -> Judged:
        """What a question finds, and how sure the first of it is; the threshold is chosen by these scores."""
        found = tuple(self.retrieve(question, max(k, DEPTH)))
        if not found:
            return Judged((), None, 0.0)
        read = self._read(question, found[0])
        values = evidence(question, found, read=read, rarity=self.rarity)
        return Judged(found, read, float(self.confidence(values[None])[0]))

    def _read(self, question: str, candidate: Candidate) -> Read | None:
        return None if candidate.reply is not None or self.read is None else self.read(question, candidate.text)

    def _citation(self, question: str, candidate: Candidate) -> Citation:
        return citation(candidate, self._read(question, candidate))

    def _reason(self, best: Judged) -> str | None:
        """Why not to answer; None where there is no reason."""
        if not best.candidates:
            return NOTHING_FOUND
        if self.threshold.value is None:
            return self.threshold.reason
        if best.candidates[0].reply is None and best.read is None:
            return NOTHING_FOUND
        if self.threshold.answers(best.score):
            return None
        return UNSURE.format(score=best.score, value=self.threshold.value)

    def _text(self, question: str, best: Judged, cited: Sequence[Citation]) -> tuple[str, str | None]:
        """The prepared reply, or the words that were read, or what was generated from them if they say it."""
        first = best.candidates[0]
        plain = first.reply if first.reply is not None else cited[0].text
        written = self.generate(question, cited) if self.generate and first.reply is None else None
        # A plug-in may give anything.
        if not isinstance(written, str) or not written.strip():
            return plain, None
        checked = check_grounding(written, [*cited, whole(first)])
        if checked.supported:
            return written, None
        return plain, f"{len(checked.unsupported)} generated sentences were not in the sources; the source is quoted."


def citation(candidate: Candidate, read: Read | None) -> Citation:
    """What was read in a candidate by its place in the source, or all of it."""
    if read is None:
        return whole(candidate)
    start, end = candidate.start + read.start, candidate.start + read.end
    if candidate.end - candidate.start != len(candidate.text):
        # What was masked or made uniform on its way here: a place in it is none in the source.
        start, end = candidate.start, candidate.end
    return Citation(candidate.id, candidate.source, start, end, text=read.text, page=candidate.page)


def whole(candidate: Candidate) -> Citation:
    """All of a candidate."""
    return Citation(
        candidate.id,
        candidate.source,
        candidate.start,
        candidate.end,
        text=candidate.text,
        page=candidate.page,
        reply=candidate.reply,
    )


def cut_question(question: str, *, longest: int) -> tuple[str, str | None]:
    """A question of at most `longest` characters, whole sentences if possible, and a note when it was cut."""
    asked = question.strip()
    if len(asked) <= longest:
        return asked, None
    kept = max((end for _, end in sentences(asked[:longest])[:-1]), default=0) or asked.rfind(" ", 0, longest + 1)
    cut = asked[: kept if kept > 0 else longest]
    return cut, f"The question has {len(asked):,} characters; the first {len(cut):,} were read."
