"""Words as the numbers of their letters: what an uncased tokenizer throws away, and what no vocabulary holds."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

FIRST, LAST = "!", "~"
ASCII = ord(LAST) - ord(FIRST) + 1
CLASSES = ("Lu", "Ll", "Lo", "N", "M", "P", "S")
LETTERS = 1 + ASCII + len(CLASSES) + 1
"""How many numbers there are: 0 for nothing, one for each mark of ASCII and each class of others, one for the rest."""


def letter_numbers(words: Sequence[str], *, letters: int) -> np.ndarray:
    """Numbers below LETTERS, int64 [words, letters]; a shorter word ends in zeros, of a longer one both ends stay."""
    numbers = np.zeros((len(words), letters), dtype=np.int64)
    for line, word in enumerate(words):
        ends = word if len(word) <= letters else word[: letters - letters // 2] + word[-(letters // 2) :]
        numbers[line, : len(ends)] = [letter_number(letter) for letter in ends]
    return numbers


@lru_cache(maxsize=65536)
def letter_number(letter: str) -> int:
    """A letter's number: its own in ASCII, its base letter's where it has an accent, else that of its Unicode class."""
    base = unicodedata.normalize("NFD", letter)[0]
    if FIRST <= base <= LAST:
        return 1 + ord(base) - ord(FIRST)
    category = unicodedata.category(base)
    place = next((place for place, name in enumerate(CLASSES) if category.startswith(name)), len(CLASSES))
    return 1 + ASCII + place
