"""A text in which two stretches are marked with `<e1>…</e1>` and `<e2>…</e2>`."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from polyloom.errors import RequestError

TAG = re.compile(r"<(/?)e([12])>")
TAG_PAIRS = (("<e1>", "</e1>"), ("<e2>", "</e2>"))
NAMES = tuple(tag for pair in TAG_PAIRS for tag in pair)
SHOWN_CHARACTERS = 60


class MarkedText(NamedTuple):
    """The text without tags, and the two stretches as characters of it, the end exclusive."""

    text: str
    first: tuple[int, int]
    second: tuple[int, int]


def parse_marked(marked: str) -> MarkedText:
    """Take the tags out of a text. Raises RequestError where a tag is missing, twice there, or marks nothing."""
    places: dict[str, int] = {}
    parts: list[str] = []
    done = length = 0
    for tag in TAG.finditer(marked):
        if tag.group() in places:
            raise RequestError(_wrong(marked, f"has {tag.group()} twice"))
        parts.append(marked[done : tag.start()])
        length += len(parts[-1])
        places[tag.group()] = length
        done = tag.end()
    missing = [name for name in NAMES if name not in places]
    if missing:
        raise RequestError(_wrong(marked, f"has no {' and no '.join(missing)}"))
    text = "".join([*parts, marked[done:]])
    stretches = [(places[start], places[end]) for start, end in TAG_PAIRS]
    for number, (start, end) in enumerate(stretches, start=1):
        if not text[start:end].strip():
            raise RequestError(_wrong(marked, f"has nothing between <e{number}> and </e{number}>"))
    return MarkedText(text, *stretches)


def with_tags(text: str, ends: Sequence[int]) -> str:
    """Put the tags into a text; `ends` are the start and the end of the first stretch, then of the second.

    Raises RequestError for stretches that are not in the text.
    """
    if TAG.search(text):
        raise RequestError(_wrong(text, "has tags in it already"))
    for start, end in (ends[:2], ends[2:]):
        if not 0 <= start < end <= len(text):
            raise RequestError(
                f"a stretch from character {start} to {end} is not in a text of {len(text)} characters: "
                "give the first character and the one after the last, counted from 0."
            )
    # Where a stretch ends and the other begins, the end comes first.
    for place, number in sorted(((end, number) for number, end in enumerate(ends)), key=_late_first):
        text = f"{text[:place]}{NAMES[number]}{text[place:]}"
    return text


def _late_first(tag: tuple[int, int]) -> tuple[int, int]:
    place, number = tag
    return -place, number % 2


def _wrong(marked: str, what: str) -> str:
    shown = marked if len(marked) <= SHOWN_CHARACTERS else f"{marked[:SHOWN_CHARACTERS]}…"
    return f"{shown!r} {what}. Mark both stretches once: 'the <e1>lid</e1> of a <e2>jar</e2>'."
