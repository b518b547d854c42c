"""The sentence of a passage that answers a question.

A weighted sum of what the vectors and the words say of each sentence, with what stands around it. The weights were
chosen on one half of XQuAD's articles (see `benchmarks/answers.py`), and are the same for English and Chinese.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass

import numpy as np

from polyloom.sentences import Stretch, sentences
from retrieval.answering.asked_kinds import asked_kind, holds
from retrieval.keywords import rarity
from retrieval.words import terms

Embed = Callable[[Sequence[str]], np.ndarray]
"""Texts to vectors float32 [texts, dim] of any length."""
Rarity = Callable[[str], float]
"""A term to its inverse document frequency."""


@dataclass(frozen=True)
class Read:
    """The words `text` from `start` to `end` of what was read; a higher score is a better answer."""

    start: int
    end: int
    text: str
    score: float


ReadSpan = Callable[[str, str], Read | None]
"""A question and a passage's text to the words that answer it, None where nothing does: also a trained span head."""


@dataclass(frozen=True)
class ReadingWeights:
    """How much each thing says for a sentence.

    The cosines of it alone, and with its neighbours; the share of the question's terms, by rarity, that stand in it,
    and in it or a neighbour; whether it holds what is asked for, such as a time or a name.
    """

    cosine: float = 1.0
    around: float = 0.3
    overlap: float = 0.5
    overlap_around: float = 0.4
    kind: float = 0.05


USUAL = ReadingWeights()


class SentenceReader:
    """Reads a passage sentence by sentence; called with a question and a text, as any `ReadSpan`."""

    def __init__(self, embed: Embed, *, rarity: Rarity | None = None, weights: ReadingWeights = USUAL) -> None:
        self.embed = embed
        self.rarity = rarity
        self.weights = weights

    def __call__(self, question: str, text: str) -> Read | None:
        """The best sentence; None where there is none."""
        return self.read_all(question, [text])[0]

    def read_all(self, question: str, texts: Sequence[str]) -> list[Read | None]:
        """The best sentence of each text; one call of the encoder for all."""
        parts = [sentences(text) for text in texts]
        given = list(zip(texts, parts, strict=True))
        rarity = self.rarity or rarity_in(one for text, own in given for one in alone(text, own))
        said = [one for text, own in given for one in (*alone(text, own), *together(text, own))]
        vectors = _unit(self.embed([question, *said]))
        borders = np.cumsum([1, *(2 * len(own) for own in parts)])
        weights, found = np.array(astuple(self.weights)), []
        for (text, own), begin, end in zip(given, borders, borders[1:], strict=False):
            cosines = vectors[begin:end] @ vectors[0]
            found.append(_best(text, own, features(question, text, own, cosines=cosines, rarity=rarity) @ weights))
        return found


def features(question: str, text: str, parts: Sequence[Stretch], *, cosines: np.ndarray, rarity: Rarity) -> np.ndarray:
    """What speaks for each sentence, float64 [sentences, 5] in the order of `ReadingWeights`.

    `cosines` [2 x sentences] are those of each sentence alone, then of each with its neighbours.
    """
    asked = {term.text: rarity(term.text) for term in terms(question)}
    whole = sum(asked.values()) or 1.0
    held = [{term.text for term in terms(one)} & asked.keys() for one in alone(text, parts)]
    near = [set().union(*held[max(0, place - 1) : place + 2]) for place in range(len(held))]
    wanted = asked_kind(question)
    kinds = [wanted is not None and holds(one, wanted, besides=question) for one in alone(text, parts)]
    overlaps = [[sum(asked[term] for term in own) / whole for own in group] for group in (held, near)]
    half = len(parts)
    return np.column_stack([cosines[:half], cosines[half:], *overlaps, kinds]).astype(np.float64)


def rarity_in(texts: Iterable[str]) -> Rarity:
    """The rarity of terms among texts, as the keyword index reckons it."""
    holders: Counter[str] = Counter()
    count = 0
    for text in texts:
        count += 1
        holders.update({term.text for term in terms(text)})
    return lambda term: rarity(count=count, holders=holders[term])


def alone(text: str, parts: Sequence[Stretch]) -> list[str]:
    """Each sentence's words."""
    return [text[one.start : one.end] for one in parts]


def together(text: str, parts: Sequence[Stretch]) -> list[str]:
    """Each sentence with the one before and the one behind it."""
    last = len(parts) - 1
    return [text[parts[max(0, at - 1)].start : parts[min(last, at + 1)].end] for at in range(len(parts))]


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1.0, lengths))


def _best(text: str, parts: Sequence[Stretch], scores: np.ndarray) -> Read | None:
    if not parts:
        return None
    best = int(np.argmax(scores))
    start, end = parts[best]
    return Read(start, end, text[start:end], float(scores[best]))
