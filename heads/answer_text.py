"""How near an answer in words is to an accepted one: exact match and F1 of SQuAD's scorer."""

import re
import string
from collections import Counter
from collections.abc import Sequence

ARTICLES = re.compile(r"\b(a|an|the)\b")
# Han, kana and the compatibility blocks: each sign counts as a word, as CMRC 2018's scorer does it.
SIGN = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# SQuAD strips ASCII's punctuation alone; that of Chinese and Japanese is written with these signs.
WIDE_PUNCTUATION = "，。、；：？！“”‘’（）《》〈〉「」『』【】〔〕…—～·"
REMOVED = str.maketrans("", "", string.punctuation)
REMOVED_WIDE = str.maketrans("", "", string.punctuation + WIDE_PUNCTUATION)


def answer_words(text: str) -> list[str]:
    """The words that count: lower case, without punctuation and English articles; a Chinese character is a word.

    Rajpurkar et al., "SQuAD" (2016), `evaluate-v1.1.py`; where there is a Chinese character, Cui et al., "A
    Span-Extraction Dataset for Chinese Machine Reading Comprehension" (2019).
    """
    lowered = text.lower()
    if SIGN.search(lowered):
        return SIGN.sub(r" \g<0> ", lowered.translate(REMOVED_WIDE)).split()
    return ARTICLES.sub(" ", lowered.translate(REMOVED)).split()


def exact_match(predicted: str, accepted: Sequence[str]) -> float:
    """1.0 where the words are those of one of the accepted answers; none accepted means that there is no answer."""
    words = answer_words(predicted)
    return float(any(words == answer_words(one) for one in with_words(accepted)))


def word_f1(predicted: str, accepted: Sequence[str]) -> float:
    """The best F1 of the words over the accepted answers; where one has no words, 1.0 if neither has."""
    words = answer_words(predicted)
    return max(overlap_f1(words, answer_words(one)) for one in with_words(accepted))


def with_words(accepted: Sequence[str]) -> Sequence[str]:
    """The accepted answers that have any word; a single empty one where none has (SQuAD 2.0)."""
    return [one for one in accepted if answer_words(one)] or [""]


def overlap_f1(predicted: list[str], accepted: list[str]) -> float:
    """F1 of two bags of words, 0..1."""
    if not predicted or not accepted:
        return float(predicted == accepted)
    common = sum((Counter(predicted) & Counter(accepted)).values())
    return 2.0 * common / (len(predicted) + len(accepted))
