"""Refused rows as a table that people can browse, repair and replay."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

QUARANTINE_SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("source", pa.string()),
        ("row", pa.int64()),
        ("key", pa.string()),
        ("reason", pa.string()),
        ("message", pa.string()),
        ("content", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A refused row: where it came from, why it was refused, and its original text."""

    table: str
    source: str
    row: int
    key: str
    reason: str
    message: str
    content: str


def quarantine_table(rows: Iterable[QuarantinedRow]) -> pa.Table:
    """The refused rows, in the order given."""
    columns: dict[str, list[object]] = {name: [] for name in QUARANTINE_SCHEMA.names}
    for row in rows:
        for name, values in columns.items():
            value = getattr(row, name)
            values.append(value if isinstance(value, int) else value.encode("utf-8", errors="replace").decode())
    return pa.table(columns, schema=QUARANTINE_SCHEMA)


def counted(reasons: Iterable[str]) -> dict[str, int]:
    """How many rows each reason refused, by name of the reason."""
    return dict(sorted(Counter(reasons).items()))


def listed(reasons: Mapping[str, int]) -> str:
    """Reasons in a sentence, the most frequent first: `wrong_type 12, duplicate_key 3`."""
    return ", ".join(f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda pair: -pair[1]))
