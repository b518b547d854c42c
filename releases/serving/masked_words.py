"""Personal data masked where a text does not stand alone: in a list of words, and with places that are told of it."""

from collections import Counter
from collections.abc import Sequence

from ingestion.personal import Found, Personal, find


def mask_words(words: Sequence[str], personal: Personal, counts: Counter[str]) -> list[str]:
    """As many words as came in: what is personal over several of them is masked in each."""
    masked = list(words)
    while found := _found(" ".join(masked), personal):
        for one in reversed(found):
            masked = _masked(masked, one)
        counts.update(one.kind for one in found)
    return masked


def moved(text: str, place: int, personal: Personal, *, is_end: bool) -> int:
    """Where a character of the text stands once the text is masked; one that is masked, where its mask begins or ends.

    `place` is the character that a stretch begins with or, with `is_end`, the one after its last.
    """
    while found := _found(text, personal):
        for one in reversed(found):
            mask = f"[{one.kind}]"
            if place >= one.end:
                place += len(mask) - (one.end - one.start)
            elif place > one.start:
                place = one.start + is_end * len(mask)
            text = f"{text[: one.start]}{mask}{text[one.end :]}"
    return place


def _found(text: str, personal: Personal) -> list[Found]:
    return [one for one in find(text) if one.kind in personal.kinds]


def _masked(words: Sequence[str], found: Found) -> list[str]:
    """The words, of which each has a mask in the place of what of the found stretch is in it."""
    masked, begin = [], 0
    for word in words:
        start, end = max(found.start - begin, 0), min(found.end - begin, len(word))
        masked.append(f"{word[:start]}[{found.kind}]{word[end:]}" if start < end else word)
        begin += len(word) + 1
    return masked
