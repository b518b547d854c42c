"""What a card draws: bars with a name, a count, and a height as a share of the highest."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.examination.examined_table import ExaminedTable

PARTS = 24
MOST_BARS = 12


class Bar(NamedTuple):
    """One bar; `share` is its height, from 0 to 1."""

    name: str
    number: int
    share: float


class Column(NamedTuple):
    """A column on the card. `rest` is how many values have no bar of their own."""

    name: str
    kind: str
    missing: float
    said: str
    bars: Sequence[Bar]
    ordered: bool
    rest: int = 0


def column_of(table: ExaminedTable, name: str) -> Column:
    """A column's chart: a histogram of what has an order, else its most frequent values."""
    kind = table.kinds[name]
    values = table.texts[name] if name in table.texts else table.rows[name]
    missing = values.null_count / max(1, len(values))
    if kind in {"number", "time", "text"}:
        return _histogram(name, kind, missing, values)
    if kind in {"category", "labels"}:
        return _frequencies(name, kind, missing, values)
    distinct = pc.count_distinct(values).as_py() if pa.types.is_string(values.type) else 0
    return Column(name, kind, missing, f"{distinct:,} different" if distinct else "", (), ordered=False)


def bars_of(counts: Mapping[str, int]) -> list[Bar]:
    """Bars in the order given."""
    highest = max(counts.values(), default=0) or 1
    return [Bar(name, count, count / highest) for name, count in counts.items()]


def _histogram(name: str, kind: str, missing: float, values: pa.ChunkedArray | pa.Array) -> Column:
    there = pc.drop_null(pc.utf8_length(values) if kind == "text" else values)
    numbers = np.asarray(there.cast(pa.int64()) if kind == "time" else there).astype(float)
    if not len(numbers):
        return Column(name, kind, missing, "no value", (), ordered=True)
    bars = _bars(numbers, kind)
    low, middle, high = (_shown(part, kind) for part in np.quantile(numbers, [0, 0.5, 1]))
    return Column(
        name, kind, missing, f"{low} – {high}, median {middle}{' characters' * (kind == 'text')}", bars, ordered=True
    )


def _bars(numbers: np.ndarray, kind: str) -> list[Bar]:
    """A bar a part of the range; one where a float cannot tell the parts apart, as with a single moment."""
    least, most = numbers.min(), numbers.max()
    if most - least <= PARTS * np.spacing(max(abs(least), abs(most))):
        return [Bar(_shown(least, kind), len(numbers), 1.0)]
    counts, edges = np.histogram(numbers, bins=PARTS)
    shown = [_shown(edge, kind) for edge in edges]
    return [
        Bar(f"{low} to {high}", int(count), count / counts.max())
        for (low, high), count in zip(pairwise(shown), counts, strict=True)
    ]


def _frequencies(name: str, kind: str, missing: float, values: pa.ChunkedArray) -> Column:
    flat = pc.list_flatten(values) if kind == "labels" else values
    counted = Counter({one["values"]: one["counts"] for one in pc.value_counts(pc.drop_null(flat)).to_pylist()})
    most = dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:MOST_BARS])
    rest = sum(counted.values()) - sum(most.values())
    return Column(name, kind, missing, f"{len(counted):,} different", bars_of(most), ordered=False, rest=rest)


def _shown(value: float, kind: str) -> str:
    if kind == "time":
        return datetime.fromtimestamp(value / 1e6, tz=UTC).strftime("%Y-%m-%d")
    return f"{value:,.0f}" if kind == "text" or (abs(value) >= 1_000 and abs(value) < 1e9) else f"{value:.4g}"
