"""A text as the set of its short pieces, which is what near duplicates share."""

import re
import unicodedata
from collections.abc import Iterator

LATIN_LENGTH = 5
HAN_LENGTHS = (2, 3)
MAX_CHARACTERS = 20_000
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
RUNS = re.compile(f"[{HAN}]+|[^{HAN}]+")
NOT_WORDS = re.compile(r"[\W_]+")


def shingles(text: str) -> frozenset[str]:
    """Pieces of 5 characters, of 2 and 3 where the text is Chinese; width, case and punctuation do not count.

    A longer text than 20,000 characters is cut there.
    """
    plain = NOT_WORDS.sub(" ", unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).casefold()).strip()
    return frozenset(piece for run in RUNS.findall(plain) if run != " " for piece in _pieces(run))


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    """The share of pieces in both sets among those in either."""
    both = len(first & second)
    return both / (len(first) + len(second) - both) if first or second else 1.0


def _pieces(run: str) -> Iterator[str]:
    lengths = HAN_LENGTHS if "\u3400" <= run[0] <= "\ufaff" else (LATIN_LENGTH,)
    for length in lengths:
        for start in range(max(1, len(run) - length + 1)):
            yield run[start : start + length]
