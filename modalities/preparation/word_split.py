"""A text as words with their places: English, Chinese and mixed, without a language setting."""

import re
from typing import NamedTuple

import numpy as np


class Word(NamedTuple):
    """A word, and where it stands in its text: characters `start` to `end`, `end` exclusive."""

    text: str
    start: int
    end: int


# Han characters with the iteration mark and the zero, and the Japanese syllables: these scripts have no blanks.
UNSPACED = r"\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
LETTER = rf"[^\W{UNSPACED}]"
APOSTROPHES = "'\u2019"
ENDINGS = rf"[{APOSTROPHES}](?:s|re|ve|ll|d|m)\b"
# A text, for it is also handed to where words are only counted.
WORD = rf"""(?xi)
    [{UNSPACED}]                                             # each character a word
    | {ENDINGS}                                              # the end of `Reuters's`, `they'll`
    | (?:[^\W\d_{UNSPACED}]\.){{2,}}                         # U.N.
    | {LETTER}+?(?={ENDINGS})                                # the start of `Reuters's`
    | {LETTER}+(?:(?:[-&.@{APOSTROPHES}]|(?<=\d)[,:/](?=\d)){LETTER}+)*   # mid-week, AT&T, O'Brien, 1996-08-22, 5,999
    | \S                                                     # any other mark by itself
    """
WORDS = re.compile(WORD)


def split_words(text: str) -> list[Word]:
    """The words of a text: between white space and marks; each Chinese or Japanese character is one.

    Abbreviations (`U.N.`), numbers and dates (`1996-08-22`) and words with an inner hyphen or apostrophe stay whole;
    an English `'s` is a word of its own, as in the Penn Treebank. What is split is the same in training and in serving.
    """
    return [Word(found.group(), found.start(), found.end()) for found in WORDS.finditer(text)]


def placed_words(value: object) -> tuple[str, list[Word]]:
    """A text and its words; the text of a list of words is the words joined by single spaces."""
    if not isinstance(value, (list, tuple, np.ndarray)):
        return str(value), split_words(str(value))
    words, start = [], 0
    for word in map(str, value):
        words.append(Word(word, start, start + len(word)))
        start += len(word) + 1
    return " ".join(word.text for word in words), words
