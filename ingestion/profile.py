"""What a table's columns look like in a few figures, small enough for a manifest; profiles of parts can be merged."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Profile = dict[str, Any]
"""Plain JSON: `rows`, and `columns` by name."""

INTERNAL = frozenset({"_key", "_split", "_hash", "_source", "_row", "_content", "_identity", "_stored"})
DISTINCT_LIMIT = 256
TOP = 32
PROBE = 2_048
# Lengths are counted in classes, each a twelfth longer than the one before.
CLASSES_PER_DOUBLING = 8
QUANTILES = (0.05, 0.5, 0.95)


def profile(table: pa.Table) -> Profile:
    """The figures of one part.

    Of each column `type`, `nulls` and `null_share`, and as far as its type has them:

    - `values` with their counts, `distinct` of them; where there are more than 256, `capped` is true and only the
      most frequent ones of the first rows of each part stay, and of these only what was there twice
    - `min`, `max`, `mean` and `spread` (the sum of squared differences from the mean); times are in microseconds
    - `lengths` in classes, and `length_quantiles` to within a tenth: characters of a text, entries of a list
    """
    names = [name for name in table.column_names if name not in INTERNAL]
    return {"rows": table.num_rows, "columns": {name: _column(table.column(name)) for name in names}}


def merge(profiles: Sequence[Profile]) -> Profile:
    """The profile of all rows together; a column that a part lacks is null there."""
    rows = sum(part["rows"] for part in profiles)
    names = dict.fromkeys(name for part in profiles for name in part["columns"])
    columns = {
        name: _merged([part["columns"][name] for part in profiles if name in part["columns"]], rows=rows)
        for name in names
    }
    return {"rows": rows, "columns": columns}


def _column(column: pa.ChunkedArray) -> Profile:
    kind, present = column.type, column.drop_null()
    figures = _base(_type_name(kind), nulls=column.null_count, rows=len(column))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        figures |= _lengths(_counted(pc.list_value_length(present)))
        if not pa.types.is_nested(kind.value_type):
            figures |= _values(pc.list_flatten(present))
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        figures |= _lengths(_counted(pc.utf8_length(present))) | _values(present)
    elif pa.types.is_timestamp(kind):
        moments = present.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
        figures |= _range(moments.to_numpy())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        figures |= _range(present.to_numpy()) | _values(present)
    elif pa.types.is_boolean(kind):
        figures |= _values(present)
    return figures


def _merged(parts: Sequence[Profile], *, rows: int) -> Profile:
    present = sum(part["rows"] - part["nulls"] for part in parts)
    types = sorted({part["type"] for part in parts})
    figures = _base(" or ".join(types), nulls=rows - present, rows=rows)
    if all("values" in part for part in parts):
        counts: Counter[str] = Counter()
        for part in parts:
            counts.update(part["values"])
        figures |= _told_values(counts, capped=any(part["capped"] for part in parts))
    if all("lengths" in part for part in parts):
        lengths: Counter[str] = Counter()
        for part in parts:
            lengths.update(part["lengths"])
        figures |= _lengths(lengths)
    return figures | _merged_range([part for part in parts if part.get("mean") is not None])


def _base(type_name: str, *, nulls: int, rows: int) -> Profile:
    return {"type": type_name, "rows": rows, "nulls": nulls, "null_share": nulls / rows if rows else 0.0}


def _values(column: pa.ChunkedArray) -> Profile:
    if len(column) > PROBE:
        first = pc.value_counts(column.slice(0, PROBE))
        if len(first) > DISTINCT_LIMIT:
            return _told_values(_counts(first), capped=True)
    counted = pc.value_counts(column)
    return _told_values(_counts(counted), capped=len(counted) > DISTINCT_LIMIT)


def _counts(counted: pa.StructArray) -> Counter[str]:
    counts = counted.field("counts").to_numpy()
    if len(counts) > DISTINCT_LIMIT:
        kept = np.argsort(-counts, kind="stable")[:TOP]
        counted, counts = counted.take(pa.array(kept)), counts[kept]
    values = counted.field("values").to_pylist()
    names = [f"{value:.15g}" if isinstance(value, float) else str(value) for value in values]
    return Counter(dict(zip(names, counts.tolist(), strict=True)))


def _told_values(counts: Counter[str], *, capped: bool) -> Profile:
    capped = capped or len(counts) > DISTINCT_LIMIT
    by_count = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "distinct": DISTINCT_LIMIT if capped else len(counts),
        "capped": capped,
        "values": {value: count for value, count in by_count[:TOP] if count > 1} if capped else dict(by_count),
    }


def _range(numbers: np.ndarray) -> Profile:
    if not len(numbers):
        return {}
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _finite(float(numbers.mean()))
        spread = _finite(float(((numbers - mean) ** 2).sum()))
    return {"min": numbers.min().item(), "max": numbers.max().item(), "mean": mean, "spread": spread}


def _merged_range(parts: Sequence[Profile]) -> Profile:
    """Mean and spread of all parts together (Chan, Golub and LeVeque, 1979)."""
    if not parts:
        return {}
    counts = np.array([part["rows"] - part["nulls"] for part in parts], dtype=np.float64)
    means = np.array([part["mean"] for part in parts])
    with np.errstate(over="ignore", invalid="ignore"):
        mean = _finite(float((counts * means).sum() / counts.sum()))
        spread = _finite(sum(part["spread"] for part in parts) + float((counts * (means - mean) ** 2).sum()))
    least, most = min(part["min"] for part in parts), max(part["max"] for part in parts)
    return {"min": least, "max": most, "mean": mean, "spread": spread}


def _finite(value: float) -> float:
    """The value, or the largest that there is where it does not fit: JSON knows no infinity."""
    return float(np.nan_to_num(value, nan=0.0))


def _counted(lengths: pa.ChunkedArray) -> Counter[str]:
    classes = np.rint(np.log2(lengths.to_numpy() + 1.0) * CLASSES_PER_DOUBLING).astype(np.int64)
    counts = np.bincount(classes)
    return Counter({str(number): int(counts[number]) for number in np.flatnonzero(counts)})


def _lengths(counts: Mapping[str, int]) -> Profile:
    ordered = sorted((int(number), count) for number, count in counts.items())
    reached = np.cumsum([count for _, count in ordered])
    quantiles = {}
    for share in QUANTILES if ordered else ():
        number = ordered[int(np.searchsorted(reached, share * reached[-1]))][0]
        quantiles[str(share)] = round(2 ** (number / CLASSES_PER_DOUBLING) - 1)
    return {"lengths": {str(number): count for number, count in ordered}, "length_quantiles": quantiles}


def _type_name(kind: pa.DataType) -> str:
    if pa.types.is_dictionary(kind):
        return _type_name(kind.value_type)
    return str(kind).removeprefix("large_")
