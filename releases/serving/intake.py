"""What comes in, without personal data: the same that is scored is what is stored, so that it can be scored again.

In the mode `mask` the model sees what is stored. In `unmasked_unstored` it sees what came in, and what is stored is
masked; where something was, the record cannot be scored again exactly.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, get_args

from ingestion.personal import KINDS, Personal
from ingestion.pictures import picture_refusal
from polyloom.errors import RequestError, suggestion
from releases.serving.masked_words import mask_words, moved
from releases.serving.picture_metadata import without_metadata
from releases.serving.read_columns import Bounds, ReadColumns
from retrieval.exploring.exposure import user_hash
from retrieval.exploring.key_file import read_or_make_key

Mode = Literal["mask", "unmasked_unstored"]
MODES: tuple[Mode, ...] = get_args(Mode)
UNKNOWN = "[unknown]"
MOST_CHARACTERS = 1 << 31
T = TypeVar("T")


@dataclass(frozen=True)
class Taken(Generic[T]):
    """What came in, as the model is to see it and as it may be stored; `masked` counts the pieces by their kind."""

    scored: T
    stored: T
    masked: Mapping[str, int]

    @property
    def exact(self) -> bool:
        """Whether what is stored is what the model saw."""
        return self.scored is self.stored


class Intake:
    """Takes in texts, rows, ids and names of users. Safe to share between threads.

    `key` is the file with the secret by which users are named. Raises RequestError for a kind of personal data that
    there is not, and for an unknown mode.
    """

    def __init__(self, kinds: Iterable[str] = KINDS, *, mode: str = "mask", key: Path) -> None:
        if mode not in MODES:
            raise RequestError(f"mode: {mode!r} is not known; allowed are {', '.join(MODES)}.{suggestion(mode, MODES)}")
        self.mode = mode
        self._personal = Personal(mask=kinds)
        self._key = key

    def text(self, given: str) -> Taken[str]:
        """Words, such as a question."""
        counts: Counter[str] = Counter()
        return self._taken(given, self._personal.mask_text(given, counts), counts)

    def texts(self, given: Any) -> Taken[Any]:
        """A JSON value with words anywhere in it, such as the turns of a conversation; keys stay as they are."""
        counts: Counter[str] = Counter()
        return self._taken(given, self._deeply(given, counts), counts)

    def row(self, given: Mapping[str, object], columns: ReadColumns) -> Taken[dict[str, object]]:
        """A row with the columns that the release reads and no others; pictures lose what they say of themselves.

        Raises: RequestError for a picture that is no picture's bytes, and a number that is none; it names the column.
        """
        counts: Counter[str] = Counter()
        seen = {name: _plain(name, value, columns) for name, value in given.items() if name in columns.all}
        kept = {name: self._value(name, value, columns, counts) for name, value in seen.items()}
        for name, (text, is_end) in columns.places.items():
            if isinstance(place := seen.get(name), int) and isinstance(words := seen.get(text), str):
                kept[name] = moved(words, place, self._personal, is_end=is_end)
        return self._taken(seen, kept, counts)

    def filter(self, given: str) -> Taken[str]:
        """A filter over the items' columns. What it asks for is found whatever the mode, and stored masked."""
        counts: Counter[str] = Counter()
        kept = self._personal.mask_text(given, counts)
        return Taken(given if counts else kept, kept, dict(sorted(counts.items())))

    def ids(self, given: Sequence[str], known: Callable[[str], bool]) -> Taken[list[str]]:
        """Ids of items. Of one that the index does not know nothing is kept: it may be anything."""
        kept = [one if known(one) else UNKNOWN for one in given]
        unknown = sum(one == UNKNOWN for one in kept)
        return Taken(kept, kept, {"unknown": unknown} if unknown else {})

    def user(self, given: str) -> str:
        """A user's name as it may be stored: only who has the key can tell whose it is."""
        return pseudonym(given, key=self._key)

    def answer(self, given: Any) -> Any:
        """An answer as it may be stored: one to what the model saw unmasked may say it again."""
        return given if self.mode == "mask" else self._deeply(given, Counter())

    def _taken(self, seen: T, kept: T, counts: Counter[str]) -> Taken[T]:
        masked = dict(sorted(counts.items()))
        return Taken(kept if self.mode == "mask" or kept == seen else seen, kept, masked)

    def _value(self, name: str, value: object, columns: ReadColumns, counts: Counter[str]) -> object:
        if name in columns.categories and value in columns.categories[name]:
            return value
        return value if isinstance(value, bytes) else self._deeply(value, counts)

    def _deeply(self, value: Any, counts: Counter[str]) -> Any:
        if isinstance(value, str):
            return self._personal.mask_text(value, counts)
        if isinstance(value, (list, tuple)):
            if value and all(isinstance(one, str) for one in value):
                return mask_words(value, self._personal, counts)
            return [self._deeply(one, counts) for one in value]
        return {name: self._deeply(one, counts) for name, one in value.items()} if isinstance(value, dict) else value


def _plain(name: str, value: object, columns: ReadColumns) -> object:
    """A value as the release reads it: anything but a number, a picture and a list of words is read as its text."""
    if value is None:
        return None
    if name in columns.pictures:
        return picture(name, value)
    if name in columns.numbers:
        return number(name, value, columns.numbers[name])
    if name in columns.places:
        return int(number(name, value, Bounds(0, MOST_CHARACTERS)) or 0)
    return [str(one) for one in value] if isinstance(value, (list, tuple)) else str(value)


def picture(name: str, value: object) -> bytes:
    """A picture's bytes, of which nothing but the picture is left. Raises: RequestError for anything else.

    A path is refused, too: whoever asks does not choose what this machine reads.
    """
    if not isinstance(value, bytes):
        raise RequestError(f"{name}: a picture is given as the bytes of its file, not as {type(value).__name__}.")
    refusal = picture_refusal(value)
    if refusal is not None:
        raise RequestError(f"{name}: {refusal.message}")
    return without_metadata(value)


def number(name: str, value: object, bounds: Bounds) -> float | int | None:
    """A number within what the model tells apart; None for one that is not a number. Raises: RequestError for a text.

    A telephone number in a column of prices is the highest price, to the model as in what is stored.
    """
    try:
        given = value if isinstance(value, (int, float)) else float(str(value))
    except ValueError:
        raise RequestError(f"{name}: a number is needed here, such as 12.5, and what came in is none.") from None
    is_none = isinstance(given, float) and math.isnan(given)
    return None if is_none else min(max(given, bounds.low), bounds.high)


def pseudonym(user: str, *, key: Path) -> str:
    """A user's name under a key, which is made where there is none."""
    return user_hash(user, key=read_or_make_key(key))
