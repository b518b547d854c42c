"""Whether a text that was generated says only what its citations say. Documents are data: nothing in one is obeyed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from polyloom.sentences import sentences
from retrieval.answering.candidates import Citation
from retrieval.words import STOP_WORDS, pieces, stem

SUPPORT = 0.7
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
WORDED = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    )
}
CHINESE_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
CHINESE_TENS = {"十": 10, "百": 100, "千": 1000}
CHINESE_NUMBER = re.compile("[零〇一二两三四五六七八九十百千]+")
ENGLISH_WORD = re.compile(r"[A-Za-z]+")
NAME = re.compile(r"\b[A-Z]\w+")
NEGATION = re.compile(r"\b(?:not|no|never|none|cannot|without|neither|nor|\w+n['’]t)\b|[不没未无非勿]", re.IGNORECASE)


@dataclass(frozen=True)
class Checked:
    """A sentence of the text: `support` is the share of its words in the best citation; `missing` what no one says."""

    start: int
    end: int
    text: str
    support: float
    missing: tuple[str, ...]
    supported: bool


@dataclass(frozen=True)
class Grounding:
    """Every sentence with its support; `supported` when all of them are, and there is one."""

    sentences: tuple[Checked, ...]

    @property
    def supported(self) -> bool:
        """Whether the text may be shown."""
        return bool(self.sentences) and all(one.supported for one in self.sentences)

    @property
    def unsupported(self) -> tuple[Checked, ...]:
        """The sentences that nothing cited says."""
        return tuple(one for one in self.sentences if not one.supported)


def check_grounding(text: str, citations: Sequence[Citation], *, support: float = SUPPORT) -> Grounding:
    """Hold each sentence against the citations.

    One is supported when at least the share `support` of its words stands in a single citation, each of its numbers
    and names in some citation, and it negates if and only if the cited sentence that is nearest to it does.
    """
    cited = [one.text for one in citations]
    return Grounding(tuple(_checked(text, start, end, cited, support) for start, end in sentences(text)))


def _checked(text: str, start: int, end: int, cited: Sequence[str], support: float) -> Checked:
    said = text[start:end]
    words = _words(said)
    share = max((_share(words, _words(one)) for one in cited), default=0.0)
    missing = [*_missing_numbers(said, cited), *_missing_names(said, cited)]
    if cited and bool(NEGATION.search(said)) != bool(NEGATION.search(_nearest(words, cited))):
        missing.append("negation")
    return Checked(start, end, said, share, tuple(missing), supported=share >= support and not missing)


def _words(text: str) -> set[str]:
    """Stems without stop words; of Chinese the pairs of characters."""
    found = [term.text for term in pieces(text)]
    meant = {stem(word) for word in found if word not in STOP_WORDS and (len(word) > 1 or word.isascii())}
    return meant or set(found)


def _share(words: set[str], known: set[str]) -> float:
    return len(words & known) / len(words) if words else 0.0


def _nearest(words: set[str], cited: Sequence[str]) -> str:
    """The cited sentence with the most of the words."""
    parts = [text[start:end] for text in cited for start, end in sentences(text)]
    return max(parts, key=lambda part: len(words & _words(part)), default="")


def _missing_numbers(said: str, cited: Sequence[str]) -> list[str]:
    known = set().union(*map(_numbers, cited)) if cited else set()
    return sorted(_digits(said) - known)


def _digits(text: str) -> set[str]:
    """The numbers of a text, in digits or in words; "one" and 一 alone mean none as often as not."""
    return _numbers(text) - ({"1"} - {_plain(match[0]) for match in NUMBER.finditer(text)})


def _numbers(text: str) -> set[str]:
    """All that may be meant as a number."""
    return (
        {_plain(match[0]) for match in NUMBER.finditer(text)}
        | {WORDED[word.lower()] for word in ENGLISH_WORD.findall(text) if word.lower() in WORDED}
        | {_chinese(match[0]) for match in CHINESE_NUMBER.finditer(text)}
    )


def _chinese(number: str) -> str:
    """三十五 as 35; digits one after the other, as 二〇二六, as they stand."""
    if not CHINESE_TENS.keys() & set(number):
        return "".join(str(CHINESE_DIGITS[digit]) for digit in number)
    total, digit = 0, 1
    for letter in number:
        if letter in CHINESE_TENS:
            total += digit * CHINESE_TENS[letter]
            digit = 0
        else:
            digit = CHINESE_DIGITS[letter]
    return str(total + digit)


def _plain(number: str) -> str:
    """1,000 and 1000, 4.90 and 4.9 alike; 3,5 as it stands."""
    number = re.sub(r",(?=\d{3}(?:\D|$))", "", number)
    return number.rstrip("0").rstrip(".") if "." in number else number


def _missing_names(said: str, cited: Sequence[str]) -> list[str]:
    """Words in capitals, but for the first, that no citation has in any writing."""
    known = set().union(*({stem(term.text) for term in pieces(text)} for text in cited)) if cited else set()
    names = [match for match in NAME.finditer(said) if said[: match.start()].strip("\"'“‘(【「 ")]
    wanted = {match[0] for match in names if match[0].lower() not in STOP_WORDS}
    return sorted(name for name in wanted if any(stem(term.text) not in known for term in pieces(name)))
