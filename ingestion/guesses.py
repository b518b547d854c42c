"""What a column seems to hold, by the values of its first rows."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from ingestion.readers.folders import SUFFIXES
from ingestion.readers.picture_values import PictureBytes
from ingestion.readers.reader import StoredPicture
from ingestion.refusals import RowRefused, shown
from ingestion.splits import SPLIT_NAMES
from ingestion.values import as_category, as_number, as_time, is_missing

Kind = Literal["number", "category", "labels", "text", "time", "image", "unknown"]
FITTING_SHARE = 0.99
VALUES_KEPT = 20
ROWS_PER_VALUE = 5
SIGHTINGS = 10
LONG_TEXT, LONG_IDENTIFIER = 60, 64
# A column of ten digits is taken for seconds since 1970 only where its name says so too: from 2001 to 2096.
FIRST_SECOND, LAST_SECOND = 1_000_000_000, 4_000_000_000
TIME_NAME = re.compile(r"(^|_)(at|date|day|time|timestamp|ts|created|updated|when)($|_)")
LABEL_NAME = re.compile(r"(^|_)(class|label|category|target|type|code|zip|id)($|_)")
KEY_NAME = re.compile(r"^(id|key|uid|uuid|guid|sku)$|_(id|key|uuid)$")
SPLIT_NAME = re.compile(r"^(split|set|subset|partition|fold)$")
ISO = re.compile(r"\d{4}-\d\d")


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A column's kind and what that rests on.

    `values` are the different ones where there are few, most frequent first; `fewest` is how often the rarest was
    seen. `least` and `most` are the ends of a range of numbers.
    """

    kind: Kind
    reason: str
    missing: int = 0
    rows: int = 0
    unique: bool = False
    values: tuple[str, ...] = ()
    fewest: int = 0
    least: float | None = None
    most: float | None = None

    def is_closed(self, complete: bool) -> bool:  # noqa: FBT001 - a fact about the rows, not a switch
        """Whether the values seen are likely all there are: the file was read to its end, or each was seen often."""
        return (
            self.kind == "category"
            and len(self.values) > 1
            and self.rows >= ROWS_PER_VALUE * len(self.values)
            and (complete or self.fewest >= SIGHTINGS)
        )


def guessed_column(name: str, values: Sequence[object]) -> Guess:
    """The kind of a column, from the values of many rows."""
    there = [value for value in values if not _is_blank(value)]
    missing = len(values) - len(there)
    if not there:
        return Guess(kind="unknown", reason="no row has a value", missing=missing, rows=len(values))
    kind, reason = _kind(name.lower(), there)
    if missing:
        reason += f"; missing in {missing:,} of {len(values):,} rows"
    if kind not in {"number", "category", "text"}:
        return Guess(kind=kind, reason=reason, missing=missing, rows=len(values))
    counts = Counter(str(as_category(value)) for value in there)
    few = len(counts) <= VALUES_KEPT
    numbers = _numbers(there) if kind == "number" else []
    return Guess(
        kind=kind,
        reason=reason,
        missing=missing,
        rows=len(values),
        unique=len(counts) == len(there),
        values=tuple(value for value, _ in counts.most_common()) if few else (),
        fewest=min(counts.values()),
        least=min(numbers, default=None),
        most=max(numbers, default=None),
    )


def guessed_key(guesses: Mapping[str, Guess]) -> str | None:
    """The column that names a row: one without doubles or gaps, and with the name of a key; `id` before `user_id`."""
    fitting = [
        name
        for name, guess in guesses.items()
        if guess.unique and not guess.missing and guess.kind in {"category", "number"} and KEY_NAME.search(name.lower())
    ]
    return min(fitting, key=lambda name: ("_" in name, fitting.index(name)), default=None)


def guessed_split(guesses: Mapping[str, Guess]) -> str | None:
    """The column that says which rows are for training: all its values are names of splits."""
    for name, guess in guesses.items():
        named = bool(guess.values) and all(value.lower() in SPLIT_NAMES for value in guess.values)
        if named and not guess.missing and (len(guess.values) > 1 or SPLIT_NAME.search(name.lower())):
            return name
    return None


def _kind(name: str, values: Sequence[object]) -> tuple[Kind, str]:
    if all(isinstance(value, (bytes, PictureBytes, StoredPicture)) for value in values):
        return "image", "holds bytes, which are taken for pictures"
    if all(isinstance(value, (list, tuple)) for value in values):
        plain = all(isinstance(entry, (str, int, float)) for value in values for entry in _entries(value))
        return ("labels", "holds lists") if plain else ("unknown", "holds lists of something else than words")
    if not all(isinstance(value, (str, bool, int, float, Decimal, date)) for value in values):
        return "unknown", f"holds {type(values[0]).__name__} values, which have no column kind"
    return _time(name, values) or _number(name, values) or _words(name, [str(as_category(value)) for value in values])


def _time(name: str, values: Sequence[object]) -> tuple[Kind, str] | None:
    if _share(values, lambda value: isinstance(value, (date, datetime)) or _is_iso(value)) >= FITTING_SHARE:
        return "time", f"holds times such as {shown(values[0])}"
    if TIME_NAME.search(name) and _share(values, _is_seconds) == 1:
        return "time", f"named like a time, and holds seconds since 1970 such as {shown(values[0])}"
    return None


def _number(name: str, values: Sequence[object]) -> tuple[Kind, str] | None:
    if all(isinstance(value, bool) for value in values):
        return "category", "is true or false"
    share = _share(values, _is_number)
    if share < FITTING_SHARE:
        return None
    distinct = len(set(map(str, values)))
    if any(isinstance(value, str) and re.match(r"0\d", value) for value in values):
        return "category", "holds digits that start with 0, which a number would lose"
    if LABEL_NAME.search(name) and all(_is_whole(value) for value in values):
        return "category", f"named like a label or a key, and holds {distinct:,} different whole numbers"
    odd = f" ({1 - share:.1%} of the values are none and would be refused)" if share < 1 else ""
    return "number", f"holds numbers such as {shown(values[0])}{odd}"


def _words(name: str, values: Sequence[str]) -> tuple[Kind, str]:
    distinct, average = len(set(values)), sum(map(len, values)) / len(values)
    example = shown(values[0], limit=40)
    if _share(values, lambda value: re.search(r"\.\w+$", str(value)) is not None and _ends_like_a_picture(value)) == 1:
        return "image", f"holds paths of pictures such as {example}"
    if average > LONG_TEXT:
        return "text", f"{average:.0f} characters on average, such as {example}"
    if distinct * 2 <= len(values):
        return "category", f"{distinct:,} different values in {len(values):,} rows, such as {example}"
    is_word = all(value.isascii() and len(value) <= LONG_IDENTIFIER and not re.search(r"\s", value) for value in values)
    if is_word and (KEY_NAME.search(name) or any(re.search(r"\d", value) for value in values)):
        return "category", f"words without blanks such as {example}, {distinct:,} different ones"
    return "text", f"{distinct:,} different texts in {len(values):,} rows, such as {example}"


def _share(values: Sequence[object], fits: Callable[[object], bool]) -> float:
    return sum(map(fits, values)) / len(values)


def _is_blank(value: object) -> bool:
    return is_missing(value) or (isinstance(value, str) and value.isspace())


def _is_number(value: object) -> bool:
    try:
        return as_number(value) is not None
    except RowRefused:
        return False


def _is_whole(value: object) -> bool:
    return not _is_number(value) or float(str(value)).is_integer()


def _is_seconds(value: object) -> bool:
    return _is_number(value) and not isinstance(value, bool) and FIRST_SECOND <= float(str(value)) < LAST_SECOND


def _is_iso(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(ISO.match(value.strip())) and as_time(value) is not None
    except RowRefused:
        return False


def _ends_like_a_picture(value: object) -> bool:
    return str(value)[str(value).rindex(".") :].lower() in SUFFIXES


def _numbers(values: Iterable[object]) -> list[float]:
    return [number for value in values if _is_number(value) and (number := as_number(value)) is not None]


def _entries(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()
