"""What of a text a keyword index knows: stems of words, and of Chinese every character and every pair of neighbours.

Measured on the data that the benchmarks name: pairs with single characters find more than pairs alone, than triples
beside them, and than words that a dictionary cuts; stems and no stop words more than words as they stand.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

from polyloom.scripts import UNSPACED

# What the ranking by words is called, beside the modalities.
KEYWORD = "keyword"
PIECES = re.compile(f"(?P<unspaced>[{UNSPACED}]+)|(?P<word>[^\\W{UNSPACED}_]+)")
STOP_WORDS = frozenset(
    (
        "a",
        "about",
        "after",
        "all",
        "also",
        "an",
        "and",
        "any",
        "are",
        "as",
        "at",
        "be",
        "because",
        "been",
        "but",
        "by",
        "can",
        "could",
        "do",
        "does",
        "for",
        "from",
        "had",
        "has",
        "have",
        "how",
        "i",
        "if",
        "in",
        "into",
        "is",
        "it",
        "its",
        "my",
        "no",
        "not",
        "of",
        "on",
        "or",
        "our",
        "out",
        "over",
        "so",
        "such",
        "than",
        "that",
        "the",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "to",
        "under",
        "up",
        "was",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "will",
        "with",
        "would",
        "you",
        "your",
    )
)


class Term(NamedTuple):
    """What is looked up, and the characters of the text that it stands for, the end exclusive."""

    text: str
    start: int
    end: int


def terms(text: str) -> list[Term]:
    """The terms of a text in their order, with repetitions; of stop words alone these are taken."""
    found = list(pieces(text))
    meant = [term for term in found if term.text not in STOP_WORDS]
    return [Term(stem(term.text), term.start, term.end) for term in meant or found]


def pieces(text: str) -> Iterator[Term]:
    """Words in small letters, characters and pairs of these; full-width and composed letters are as any others."""
    for match in PIECES.finditer(text):
        start, end = match.span()
        if match["word"] is not None:
            folded = unicodedata.normalize("NFKC", match[0]).lower()
            yield Term(folded, start, end)
            continue
        for place in range(start, end):
            yield Term(text[place], place, place + 1)
            if place + 1 < end:
                yield Term(text[place : place + 2], place, place + 2)


def stem(word: str) -> str:
    """A word without its ending, by Porter's second English stemmer; other scripts stay as they are."""
    return str(_stemmer().stemWord(word)) if word.isascii() else word


@functools.cache
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")
