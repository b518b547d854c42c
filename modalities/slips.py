"""Texts as hurried people type them, and texts with words left out or swapped; seeded, in every script.

A word of letters gets one slip: two neighbouring letters swapped, one dropped, or one put in beside a letter of its
own kind. A Chinese or Japanese character is a word by itself: it is swapped with the next one or dropped.
"""

import hashlib
import itertools
import re
import string

import numpy as np

from modalities.preparation.word_split import UNSPACED, Word, split_words

ONE_CHARACTER = re.compile(f"[{UNSPACED}]")


def with_typos(text: str, *, share: float, random: np.random.Generator) -> str:
    """A text in which this share of its words, each drawn by itself, has one slip; the first letter stays."""
    words = split_words(text)
    hit = random.random(len(words)) < share
    pieces, end = [], 0
    place = 0
    while place < len(words):
        word = words[place]
        pieces.append(text[end : word.start])
        written, end = word.text, word.end
        if hit[place] and ONE_CHARACTER.match(word.text):
            following = neighbour(words, place)
            if following is not None and random.random() < 0.5:
                written, end, place = following.text + word.text, following.end, place + 1
            else:
                written = ""
        elif hit[place]:
            written = misspelt(word.text, random=random)
        pieces.append(written)
        place += 1
    return "".join([*pieces, text[end:]])


def neighbour(words: list[Word], place: int) -> Word | None:
    """The character right behind a character, or None where there is none."""
    if place + 1 == len(words) or words[place + 1].start != words[place].end:
        return None
    return words[place + 1] if ONE_CHARACTER.match(words[place + 1].text) else None


def misspelt(word: str, *, random: np.random.Generator) -> str:
    """A word with one slip behind its first letter; one of fewer than three characters stays as it is."""
    if len(word) < 3:
        return word
    place = int(random.integers(1, len(word)))
    slip = ("swap", "drop", "insert")[int(random.integers(3))]
    if slip == "swap":
        place = min(place, len(word) - 2)
        return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    if slip == "drop":
        return word[:place] + word[place + 1 :]
    return word[:place] + string.ascii_lowercase[int(random.integers(26))] + word[place:]


def without_words(text: str, *, share: float, random: np.random.Generator) -> str:
    """A text without this share of its words, each drawn by itself; one word always stays.

    Random deletion of Wei and Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text
    Classification Tasks" (2019).
    """
    words = split_words(text)
    if len(words) < 2:
        return text
    kept = random.random(len(words)) >= share
    if not kept.any():
        kept[int(random.integers(len(words)))] = True
    # Each word goes with what stands before it.
    starts = [0, *(word.end for word in words[:-1])]
    return "".join(
        text[start : word.end] for start, word, stays in zip(starts, words, kept, strict=True) if stays
    ).strip()


def with_swapped_words(text: str, *, share: float, random: np.random.Generator) -> str:
    """A text in which pairs of words have changed places, as many as this share of its words, at least one.

    Random swap of Wei and Zou (2019).
    """
    words = split_words(text)
    if len(words) < 2:
        return text
    order = list(range(len(words)))
    for _ in range(max(1, round(share * len(words)))):
        one, other = random.choice(len(words), size=2, replace=False)
        order[one], order[other] = order[other], order[one]
    moved = [words[place].text for place in order]
    gaps = [
        text[before.end : word.start] or (" " if would_merge(left, right) else "")
        for (before, word), (left, right) in zip(itertools.pairwise(words), itertools.pairwise(moved), strict=True)
    ]
    return "".join(word + gap for word, gap in zip(moved, [*gaps, ""], strict=True))


def would_merge(left: str, right: str) -> bool:
    """Whether two words without a blank between them would be read as one."""
    ends = left[-1], right[0]
    return all(end.isalnum() and not ONE_CHARACTER.match(end) for end in ends)


def seeded(text: str, seed: int) -> np.random.Generator:
    """A generator of a text's own, so that what becomes of it does not depend on the texts before it."""
    content = hashlib.sha256(text.encode()).digest()
    return np.random.default_rng([seed & 0xFFFFFFFF, int.from_bytes(content[:8], "big")])
