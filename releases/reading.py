"""What reads an answer in a passage for a release: its own text encoder, by sentences, or the head of a task."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from modalities.preparation.pair import PairPreparation
from retrieval.answering.reading import Embed, Rarity, Read, ReadSpan, SentenceReader

if TYPE_CHECKING:
    from releases.runtime import Runtime

SENTENCE = "sentence"
# What can embed a sentence, the better first.
ENCODED = ("text", "characters")
REMEMBERED = 10_000


def reader(runtime: "Runtime") -> ReadSpan | None:
    """What reads, as the scenario says; None where items have answers of their own."""
    read = runtime.facts["answer"].get("read")
    if read is None:
        return None
    return sentence_reader(runtime) if read == SENTENCE else span_reader(runtime, read)


def rarity(runtime: "Runtime") -> Rarity | None:
    """How rare a term is in the index, where it knows words."""
    words = runtime.searcher.snapshot.keywords if runtime.facts["answer"].get("read") else None
    return None if words is None else words.rarity


def sentence_reader(runtime: "Runtime") -> SentenceReader:
    """Reads by the first text encoder that the index is embedded by."""
    embedded = runtime.facts["index"]["embed"]
    kinds = [runtime.preparations[name].kind for name in embedded]
    name = next(embedded[kinds.index(kind)] for kind in ENCODED if kind in kinds)
    return SentenceReader(Remembered(lambda texts: runtime.embed(name, list(texts))), rarity=rarity(runtime))


class Remembered:
    """Embeds each text once while it is among the last: many questions are answered by few passages."""

    def __init__(self, embed: Embed, *, size: int = REMEMBERED) -> None:
        self._embed = embed
        self._size = size
        self._known: dict[str, np.ndarray] = {}

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors float32 [texts, dim]."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known |= zip(new, self._embed(new), strict=True)
        found = np.stack([self._known[text] for text in texts])
        for text in list(self._known)[: len(self._known) - self._size]:
            del self._known[text]
        return found


def span_reader(runtime: "Runtime", task: str) -> ReadSpan:
    """Reads by the head of a task that finds the words of a context that answer a question."""
    head = runtime.heads[task]
    preparation = runtime.preparations[head.inputs[0]]
    assert isinstance(preparation, PairPreparation)
    question_column, context_column = preparation.columns

    def read(question: str, text: str) -> Read | None:
        row = {question_column: question, context_column: text}
        outputs, _ = runtime.outputs([row], tasks=[task])
        (answer,) = head.decoder.answers(outputs[task], [preparation.value(row)], top=1)
        part = answer.parts[0] if answer.parts else None
        if part is None or part.start is None or part.end is None:
            return None
        return Read(part.start, part.end, text[part.start : part.end], part.probability)

    return read
