"""What is known of a span row, and where its answer stands in the context."""

from collections.abc import Sequence
from typing import NamedTuple

UNPLACED = (-1, -1)


class SpanTarget(NamedTuple):
    """What is known of a row: the accepted answers (none: the context has no answer), where the first one starts."""

    context: str
    answers: Sequence[str]
    start: int | None = None


NOTHING_KNOWN = SpanTarget(context="", answers=())


def stretch(target: SpanTarget) -> tuple[int, int]:
    """The first answer's characters in the context: those given, or the nearest place where its words stand."""
    if not target.answers:
        return 0, 0
    answer, near = target.answers[0], target.start or 0
    found = places_of(answer, target.context)
    if not found:
        return UNPLACED
    start = min(found, key=lambda place: abs(place - near))
    return start, start + len(answer)


def places_of(text: str, context: str) -> list[int]:
    """Every character at which a text starts in a context."""
    places = []
    place = context.find(text)
    while text and place >= 0:
        places.append(place)
        place = context.find(text, place + 1)
    return places
