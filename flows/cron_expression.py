"""Cron expressions, checked without Prefect: five fields that a clock can meet."""

import re

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of the week", 0, 7, DAYS),
)
PART = re.compile(r"(?P<first>\*|[a-z0-9]+)(-(?P<last>[a-z0-9]+))?(/(?P<step>[0-9]+))?")
EXAMPLE = "such as '0 3 * * *' for every night at three"


def cron_mistake(expression: str) -> str:
    """What is wrong with a cron expression, as a sentence; empty when nothing is."""
    parts = expression.lower().split()
    if len(parts) != len(FIELDS):
        names = ", ".join(name for name, *_ in FIELDS)
        return f"{expression!r} has {len(parts)} fields; a cron expression has five ({names}), {EXAMPLE}."
    for given, (name, low, high, words) in zip(parts, FIELDS, strict=True):
        if not all(fits(part, low=low, high=high, words=words) for part in given.split(",")):
            return f"{expression!r}: {given!r} is no {name} ({low} to {high}, `*`, `a-b`, `a,b` or `*/n`), {EXAMPLE}."
    return ""


def fits(part: str, *, low: int, high: int, words: tuple[str, ...]) -> bool:
    """Whether a part of a field lies between its bounds."""
    match = PART.fullmatch(part)
    if match is None or (match["first"] == "*" and match["last"]) or match["step"] == "0":
        return False
    ends = [position(end, low=low, words=words) for end in (match["first"], match["last"]) if end and end != "*"]
    known = [end for end in ends if end is not None and low <= end <= high]
    return len(known) == len(ends) and known == sorted(known)


def position(word: str, *, low: int, words: tuple[str, ...]) -> int | None:
    """A number, or the number of a month's or a day's name."""
    if word.isdigit():
        return int(word)
    return words.index(word) + low if word in words else None
