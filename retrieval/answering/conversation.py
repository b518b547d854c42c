"""Questions that lean on the ones before: "And for express?", "How long does it take?", “那退货呢？”."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from polyloom.errors import RequestError
from polyloom.scripts import UNSPACED
from retrieval.words import PIECES, STOP_WORDS

LEAD = re.compile(
    r"\s*(?:(?:and|but|or|so|then|ok|okay|also)\b[\s,]*)*(?:(?:what|how) about|what if|same for|in case of)\b"
    r"|\s*(?:and|or|but) (?:for|if)\b"
    r"|\s*(?:and|but|or|also|then)\b[\s,]*"
    r"|\s*(?:那么|那|还有|另外|可是|但是|但|而且|如果是|要是|换成)[，,]?",
    re.IGNORECASE,
)
POINTING = re.compile(
    r"\b(?:it|its|it's|they|them|their|theirs|this|that|these|those|he|him|his|she|her|one|ones|there|then|same|either|"
    r"both|neither|former|latter|instead|otherwise)\b"
    r"|[它他她]们?|这个|那个|这些|那些|这种|那种|这样|那样|这里|那里|该|其中|上面|前者|后者|同样",
    re.IGNORECASE,
)
# "that" and "there" as they stand in questions that lean on nothing.
OWN_USE = re.compile(
    r"\b(?:is|are|was|were) there\b|\bthere (?:is|are|was|were)\b|\bis it (?:possible|safe|allowed|necessary|true)\b"
    r"|\b(?:does|will) it (?:cost|take) to\b|\b\w+ (?:that|one)\b(?= (?:is|are|was|were|i|we|you|has|have|can|will)\b)"
    r"|\bthis (?:shop|site|website|store|page|year|month|week|time)\b|其[他它]",
    re.IGNORECASE,
)
TAIL = re.compile(r"(?:呢|吗|嘛)?[？?。！!\s]*$")
ELLIPTIC_WORDS, ELLIPTIC_CHARACTERS = 2, 4
UNSPACED_LETTER = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True)
class Turn:
    """A question as it was asked, the answer (None where there was none), and the ids of what that cited."""

    question: str
    answer: str | None = None
    cited: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conversation:
    """Turns in their order."""

    turns: tuple[Turn, ...] = ()

    def with_turn(self, turn: Turn) -> "Conversation":
        """The conversation with one more turn."""
        return Conversation((*self.turns, turn))

    def to_json(self) -> list[dict[str, Any]]:
        """As a JSON list."""
        return [{"question": one.question, "answer": one.answer, "cited": list(one.cited)} for one in self.turns]

    @classmethod
    def from_json(cls, value: Sequence[Mapping[str, Any]]) -> "Conversation":
        """As `to_json` gave it. Raises: RequestError for anything else."""
        try:
            turns = [Turn(_text(one["question"]), one.get("answer"), tuple(one.get("cited", ()))) for one in value]
        except (TypeError, KeyError, AttributeError) as error:
            raise RequestError(
                f"conversation: a list of objects with question, answer and cited is wanted; {error} is wrong."
            ) from None
        return cls(tuple(turns))


def standalone(question: str, conversation: Conversation | None) -> tuple[str, ...]:
    """What to look for: the question alone, then, when it leans on what was said, joined to the last that does not.

    The caller takes what finds the better answer, so that a wrong guess costs nothing but time.
    """
    turns = conversation.turns if conversation else ()
    before = next((turn.question for turn in reversed(turns) if not leans(turn.question)), None)
    if before is None or not leans(question):
        return (question,)
    return question, f"{before.strip()} {_bare(question)}"


def leans(question: str) -> bool:
    """Whether a question seems to need the one before: by how it begins, by a pronoun, or by its few words."""
    if LEAD.match(question) and _content(question):
        return True
    if POINTING.search(OWN_USE.sub(" ", question)):
        return True
    if UNSPACED_LETTER.search(question):
        return (
            question.rstrip("？?。！! ").endswith("呢") or len(UNSPACED_LETTER.findall(question)) <= ELLIPTIC_CHARACTERS
        )
    return len(_content(question)) < ELLIPTIC_WORDS


def _content(question: str) -> list[str]:
    """Words that are no stop words, and stretches of Chinese."""
    return [match[0] for match in PIECES.finditer(question) if match[0].lower() not in STOP_WORDS]


def _bare(question: str) -> str:
    """A follow-up without its beginning: "what about express?" is "express?", “那退货呢？” is “退货”."""
    rest = question[match.end() :] if (match := LEAD.match(question)) else question
    if UNSPACED_LETTER.search(rest):
        rest = TAIL.sub("", rest)
    return rest.strip() or question.strip()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(repr(value))
    return value
