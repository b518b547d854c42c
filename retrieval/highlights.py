"""Where a text says what was asked for, and the part of it that says most."""

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple

from polyloom.errors import RequestError
from polyloom.scripts import UNSPACED
from retrieval.words import Term, terms

PAIR = re.compile(f"[{UNSPACED}]{{2}}")
# Between two of these a text is never cut.
LETTER = re.compile(f"[^\\W{UNSPACED}]")
LEFT_OUT = "…"


class Span(NamedTuple):
    """Characters of a text, the end exclusive."""

    start: int
    end: int


class Passage(NamedTuple):
    """A part of a text, and what is highlighted in it."""

    text: str
    spans: list[Span]


def highlights(text: str, query: str) -> list[Span]:
    """The characters of `text` that stand for a term of `query`, in order; spans that touch are one.

    Words are equal by their stems. A Chinese character that belongs to a pair of the query counts only where no pair
    of the query stands in the text: characters that are scattered about say little.
    """
    wanted = {term.text for term in terms(query)}
    pairs = {term for term in wanted if PAIR.fullmatch(term)}
    found = [term for term in terms(text) if term.text in wanted]
    if any(term.text in pairs for term in found):
        parts = set("".join(pairs))
        found = [term for term in found if term.text not in parts]
    return _joined(found)


def passage(text: str, spans: Sequence[Span], *, around: int = 160) -> Passage:
    """The part of `text`, of `around` characters at most, where most of the `spans` (in order) stand.

    It is cut between words where that is possible, and "…" stands where something was left out. Without spans it is
    the beginning.

    Raises: RequestError when around < 1.
    """
    if around < 1:
        raise RequestError(f"A passage of {around} characters was asked for; ask for at least 1.")
    window = _between_words(text, _window(spans, around, len(text)), spans)
    front = LEFT_OUT if text[: window.start].strip() else ""
    back = LEFT_OUT if text[window.end :].strip() else ""
    shift = len(front) - window.start
    shown = [Span(inner.start + shift, inner.end + shift) for inner in _inside(spans, window)]
    return Passage(front + text[window.start : window.end] + back, shown)


def _joined(found: Iterable[Term]) -> list[Span]:
    """Spans in order, those that overlap or touch as one."""
    joined: list[Span] = []
    for _, start, end in found:
        if joined and start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, end))
        else:
            joined.append(Span(start, end))
    return joined


def _window(spans: Sequence[Span], around: int, length: int) -> Span:
    """The `around` characters with the most highlighted ones, the first such, with these in their middle."""
    if length <= around or not spans:
        return Span(0, min(around, length))
    windows = [Span(span.start, span.start + around) for span in spans]
    groups = [_from(spans, place, window) for place, window in enumerate(windows)]
    best = max(groups, key=lambda group: sum(inner.end - inner.start for inner in group))
    free = around - (best[-1].end - best[0].start)
    start = min(max(0, best[0].start - free // 2), length - around)
    return Span(start, start + around)


def _from(spans: Sequence[Span], place: int, window: Span) -> list[Span]:
    """What of the spans from `place` on stands in a window."""
    begun = takewhile(lambda span: span.start < window.end, (spans[rest] for rest in range(place, len(spans))))
    return _inside(begun, window)


def _inside(spans: Iterable[Span], window: Span) -> list[Span]:
    """What of the spans stands in a window."""
    cut = (Span(max(span.start, window.start), min(span.end, window.end)) for span in spans)
    return [span for span in cut if span.start < span.end]


def _between_words(text: str, window: Span, spans: Sequence[Span]) -> Span:
    """The window without the cut words and the blanks at its ends, as long as nothing highlighted goes with them."""
    inside = _inside(spans, window)
    first, last = (inside[0].start, inside[-1].end) if inside else (window.end, window.start)
    start = next((place for place in range(window.start, first + 1) if _is_border(text, place)), window.start)
    end = next((place for place in range(window.end, last - 1, -1) if _is_border(text, place)), window.end)
    if start >= end:
        start, end = window
    part = text[start:end]
    return Span(end - len(part.lstrip()), start + len(part.rstrip())) if part.strip() else Span(start, end)


def _is_border(text: str, place: int) -> bool:
    """Whether no word stands on both sides of a place."""
    if place in {0, len(text)}:
        return True
    return not (LETTER.match(text[place - 1]) and LETTER.match(text[place]))
