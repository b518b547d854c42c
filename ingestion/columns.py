"""A column from whatever the source holds to the type that it declares, all rows at once.

What `ingestion.values` says of one value holds here; where a column is not plain, its functions are asked row by row.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.readers.parquet import python_value, python_values
from ingestion.readers.reader import StoredPicture
from ingestion.refusals import Refusal, RowRefused, shown
from ingestion.values import as_boxes, as_labels, as_number, as_text, as_time, as_tokens, is_missing

RawColumn: TypeAlias = pa.Array | Sequence[object]
NUMBER_PATTERN = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
NAN_PATTERN = r"^[+-]?[nN][aA][nN]$"
TIME_PATTERN = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?Z?$"
BOX = pa.struct([("label", pa.string()), *((name, pa.float64()) for name in ("x", "y", "width", "height"))])
ARROW_TYPES = {
    "number": pa.float64(),
    "category": pa.string(),
    "labels": pa.list_(pa.string()),
    "tokens": pa.list_(pa.string()),
    "boxes": pa.list_(BOX),
    "text": pa.string(),
    "image": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
}


class Typed(NamedTuple):
    """A typed column (null where missing or refused), and the refusals by position."""

    array: pa.Array
    refusals: Mapping[int, Refusal]


def typed_column(kind: str, values: RawColumn) -> Typed:
    """The column as its kind stores it. Texts are not cleaned yet; an image is its path or its blob's SHA-256."""
    return CONVERTERS[kind](values)


def _texts(values: RawColumn) -> Typed:
    strings, refusals = _strings(values)
    blank = pc.equal(pc.utf8_trim_whitespace(strings), "")
    return Typed(_nulled(strings, blank), refusals)


def _categories(values: RawColumn) -> Typed:
    strings, refusals = _strings(values)
    trimmed = pc.utf8_trim_whitespace(strings)
    return Typed(_nulled(trimmed, pc.equal(trimmed, "")), refusals)


def _numbers(values: RawColumn) -> Typed:
    if isinstance(values, pa.Array) and (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        numbers = values.cast(pa.float64(), safe=False)
        infinite = pc.is_inf(numbers)
        refusals = _refused(values, infinite, as_number)
        return Typed(_nulled(numbers, pc.or_(pc.is_nan(numbers), infinite)), refusals)
    if not (isinstance(values, pa.Array) and pa.types.is_string(values.type)):
        return _one_by_one(_listed(values), as_number, pa.float64())
    trimmed = pc.utf8_trim_whitespace(values)
    missing = pc.or_(pc.equal(trimmed, ""), pc.match_substring_regex(trimmed, NAN_PATTERN))
    plain = pc.match_substring_regex(trimmed, NUMBER_PATTERN)
    bare = pc.replace_substring_regex(pc.if_else(plain, trimmed, pa.scalar(None, pa.string())), r"^\+", "")
    try:
        numbers = bare.cast(pa.float64())
    except pa.ArrowInvalid:
        return _one_by_one(_listed(values), as_number, pa.float64())
    wrong = pc.or_(pc.and_not(pc.invert(plain), missing), pc.fill_null(pc.is_inf(numbers), fill_value=False))
    return Typed(_nulled(numbers, wrong), _refused(values, wrong, as_number))


def _times(values: RawColumn) -> Typed:
    if isinstance(values, pa.Array) and pa.types.is_string(values.type):
        trimmed = pc.utf8_trim_whitespace(values)
        if pc.all(pc.match_substring_regex(trimmed, TIME_PATTERN), min_count=0).as_py():
            try:
                moments = pc.utf8_rtrim(trimmed, characters="Z").cast(pa.timestamp("us"))
            except pa.ArrowInvalid:
                return _one_by_one(_listed(values), as_time, pa.int64(), to=ARROW_TYPES["time"])
            return Typed(moments.cast(pa.int64()).cast(ARROW_TYPES["time"]), {})
    return _one_by_one(_listed(values), as_time, pa.int64(), to=ARROW_TYPES["time"])


def _labels(values: RawColumn) -> Typed:
    return _one_by_one(_listed(values), as_labels, ARROW_TYPES["labels"])


def _tokens(values: RawColumn) -> Typed:
    return _one_by_one(_listed(values), as_tokens, ARROW_TYPES["tokens"])


def _boxes(values: RawColumn) -> Typed:
    return _one_by_one(_listed(values), as_boxes, ARROW_TYPES["boxes"])


def _pictures(values: RawColumn) -> Typed:
    found: list[str | None] = []
    refusals: dict[int, Refusal] = {}
    for position, value in enumerate(_listed(values)):
        found.append(None if is_missing(value) else _reference(value))
        if found[-1] is None and not is_missing(value):
            refusals[position] = Refusal("wrong_type", f"{shown(value)} is not a path of a picture.")
    return Typed(pa.array(found, pa.string()), refusals)


def _reference(value: object) -> str | None:
    if isinstance(value, StoredPicture):
        return value.sha256
    return value if isinstance(value, str) and _encodes(value) else None


def _encodes(value: str) -> bool:
    return value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)


CONVERTERS: Mapping[str, Callable[[RawColumn], Typed]] = {
    "text": _texts,
    "category": _categories,
    "number": _numbers,
    "time": _times,
    "labels": _labels,
    "tokens": _tokens,
    "boxes": _boxes,
    "image": _pictures,
}


def _strings(values: RawColumn) -> Typed:
    """Texts as they stand, of whatever can be told as a text."""
    if isinstance(values, pa.Array):
        if pa.types.is_large_string(values.type) or pa.types.is_dictionary(values.type):
            values = values.cast(pa.string())
        if pa.types.is_string(values.type) and _is_whole_text(values):
            return Typed(values, {})
        if pa.types.is_integer(values.type) or pa.types.is_boolean(values.type) or pa.types.is_null(values.type):
            return Typed(values.cast(pa.string()), {})
    return _one_by_one(_listed(values), _told, pa.string())


def _is_whole_text(values: pa.Array) -> bool:
    """Parquet's texts may hold anything: pyarrow checks them only when it is asked."""
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _told(value: object) -> str | None:
    # Blank texts are missing for every kind; white space around a text is the kind's own business.
    return as_text(value) if not isinstance(value, str) else _whole(value)


def _whole(text: str) -> str | None:
    return as_text(text) if not text.isascii() else text


def _one_by_one(
    values: Sequence[object], parse: Callable[[object], object], stored: pa.DataType, *, to: pa.DataType | None = None
) -> Typed:
    parsed: list[object] = []
    refusals: dict[int, Refusal] = {}
    for position, value in enumerate(values):
        try:
            parsed.append(None if value is None else parse(value))
        except RowRefused as refused:
            parsed.append(None)
            refusals[position] = refused.refusal
    array = pa.array(parsed, stored)
    return Typed(array if to is None else array.cast(to), refusals)


def _listed(values: RawColumn) -> Sequence[object]:
    if not isinstance(values, pa.Array):
        return values
    return python_values(values)


def _refused(values: pa.Array, mask: pa.Array, parse: Callable[[object], object]) -> dict[int, Refusal]:
    """What the parser of one value says of those in the mask."""
    positions = np.flatnonzero(pc.fill_null(mask, fill_value=False).to_numpy(zero_copy_only=False))
    refusals = {}
    for position in positions.tolist():
        try:
            parse(python_value(values[position]))
        except RowRefused as refused:
            refusals[position] = refused.refusal
    return refusals


def _nulled(array: pa.Array, mask: pa.Array) -> pa.Array:
    """The array without the values in the mask."""
    mask = pc.fill_null(mask, fill_value=False)
    return pc.if_else(mask, pa.scalar(None, array.type), array) if pc.any(mask).as_py() else array
