"""From weights of tokens to weights of words."""

from collections.abc import Sequence

import numpy as np

from heads.explanation import WordWeight
from modalities.preparation.word_split import Word


def weights_of_words(
    words: Sequence[Word], *, places: Sequence[tuple[int, int]], weights: np.ndarray
) -> tuple[WordWeight, ...]:
    """Each word with the sum of its tokens' weights [tokens]; `places` are the tokens' characters in the text.

    A token over several words, as tokenizers of Chinese have them, is shared by them in proportion to its characters.
    Tokens without a character (the special ones) belong to no word.
    """
    sums = np.zeros(len(words))
    for (start, end), weight in zip(places, weights, strict=True):
        for number, word in enumerate(words):
            shared = min(end, word.end) - max(start, word.start)
            if shared > 0:
                sums[number] += weight * shared / covered(words, start, end)
    return tuple(
        WordWeight(word.text, word.start, word.end, float(weight)) for word, weight in zip(words, sums, strict=True)
    )


def covered(words: Sequence[Word], start: int, end: int) -> int:
    """How many of the characters from `start` to `end` belong to words."""
    return sum(max(0, min(end, word.end) - max(start, word.start)) for word in words)
