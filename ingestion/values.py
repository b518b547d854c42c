"""One value of a row, from whatever a file holds to the type that its column declares.

Each function gives None for a missing value: an empty string, null, NaN.
"""

import json
import math
import re
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock
from decimal import Decimal
from email.utils import parsedate_to_datetime

from ingestion.refusals import RowRefused, shown

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
SIDES = ("x", "y", "width", "height")
NOT_A_NUMBER = {"nan", "+nan", "-nan"}


def is_missing(value: object) -> bool:
    """Whether a value is null, NaN or an empty text."""
    return value is None or (isinstance(value, float) and math.isnan(value)) or (isinstance(value, str) and not value)


def as_text(value: object) -> str | None:
    """Text as it stands in the source; None when it holds nothing but white space."""
    text = _string(value)
    return text if text and not text.isspace() else None


def as_category(value: object) -> str | None:
    """A label without the white space around it; whole numbers lose their `.0`."""
    text = _string(value)
    return (text.strip() or None) if text else None


def as_number(value: object) -> float | None:
    """A finite number. Text must be in plain notation, such as `-1.5e3`."""
    if isinstance(value, str):
        text = value.strip()
        if not text or text.lower() in NOT_A_NUMBER:
            return None
        if not NUMBER.fullmatch(text):
            raise RowRefused("wrong_type", f"{shown(value)} is not a number such as 12.5.")
        value = text
    elif not isinstance(value, (bool, int, float, Decimal)):
        raise RowRefused("wrong_type", f"{shown(value)} is not a number such as 12.5.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise RowRefused("wrong_type", f"{shown(value)} is not a finite number.")
    return None if math.isnan(number) else number


def as_labels(value: object) -> list[str] | None:
    """Several labels, each once, in order: a list, a JSON list in text, or text with `|` between the labels."""
    if isinstance(value, str):
        value = _labels_in_text(value)
    if is_missing(value):
        return None
    if not isinstance(value, (list, tuple)):
        raise RowRefused("wrong_type", f"{shown(value)} is not a list of labels such as red|blue.")
    return list(dict.fromkeys(label for label in map(as_category, value) if label is not None))


def as_tokens(value: object) -> list[str] | None:
    """The tokens of a sentence, each as it stands: a list of texts."""
    if is_missing(value):
        return None
    if not isinstance(value, (list, tuple)):
        raise RowRefused("wrong_type", f"{shown(value)} is not a list of tokens.")
    return [_string(token) or "" for token in value]


def as_boxes(value: object) -> list[dict[str, object]] | None:
    """Boxes of a picture: a list of `{label, x, y, width, height}` in pixels, width and height above 0."""
    if is_missing(value):
        return None
    if not isinstance(value, (list, tuple)):
        raise RowRefused("wrong_type", f"{shown(value)} is not a list of boxes.")
    return [_box(box) for box in value]


def _box(value: object) -> dict[str, object]:
    if not isinstance(value, dict) or not value.keys() >= {"label", *SIDES}:
        raise RowRefused("wrong_type", f"{shown(value)} is not a box: it needs label, {', '.join(SIDES)}.")
    sides = {name: as_number(value[name]) for name in SIDES}
    if None in sides.values() or not (sides["width"] or 0) > 0 or not (sides["height"] or 0) > 0:
        raise RowRefused("out_of_range", f"{shown(value)} is not a box: its sides must be numbers above 0.")
    return {"label": as_category(value["label"]), **sides}


def as_time(value: object) -> int | None:
    """Microseconds since 1970 in UTC, from ISO 8601 text or seconds since 1970; without a zone, UTC is meant."""
    try:
        moment = _moment(value)
    except (ValueError, OverflowError):
        raise RowRefused(
            "wrong_type", f"{shown(value)} is not a time such as 2026-01-31T12:00:00Z, nor seconds since 1970."
        ) from None
    return None if moment is None else (moment - EPOCH) // MICROSECOND


def _moment(value: object) -> datetime | None:
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return None
        value = float(text) if NUMBER.fullmatch(text) and not re.fullmatch(r"\d{8}", text) else _from_iso(text)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return None if math.isnan(value) else EPOCH + timedelta(seconds=value)
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, clock(), tzinfo=UTC)
    raise ValueError


def _from_iso(text: str) -> datetime | None:
    if text.lower() in NOT_A_NUMBER:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return _from_words(text)


def _from_words(text: str) -> datetime:
    """`Wed, 31 Dec 2025 23:59:00 +0000` as mail has it (RFC 5322); X has it so: `Wed Dec 31 23:59:00 +0000 2025`."""
    if not text[:3].isalpha():
        raise ValueError
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")


def _labels_in_text(text: str) -> object:
    if not text.strip():
        return None
    if not text.lstrip().startswith("["):
        return text.split("|")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RowRefused("wrong_type", f"{shown(text)} starts like a JSON list of labels but is none.") from None


def _string(value: object) -> str | None:
    if isinstance(value, str):
        return value if value.isascii() else _encodable(value)
    if is_missing(value):
        return None
    if isinstance(value, bytes):
        return _decoded(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float, Decimal, date, clock)):
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    raise RowRefused("wrong_type", f"{shown(value)} is a {type(value).__name__}, not a text.")


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RowRefused("bad_encoding", f"{shown(text)} holds half a character (a lone surrogate).") from None
    return text


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise RowRefused("bad_encoding", f"{shown(content)} holds bytes that are not UTF-8 text.") from None
