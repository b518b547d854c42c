"""Items as Milvus takes them: one dictionary an item, its columns as JSON."""

import datetime as dt
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from polyloom.errors import DataError
from retrieval.items import Items, mask_of
from retrieval.milvus_schema import ID, LONGEST, MESSAGE, ROW, TEXT, column, presence


def lots(items: Items) -> Iterator[list[dict[str, Any]]]:
    """Checked items in lots that fit into a message.

    Raises: DataError, before the first, for an id, a text or a row that is above 65,535 bytes, and for a row that JSON
    does not hold.
    """
    cells = [{}] * len(items) if items.rows is None else items.rows.to_pylist()
    texts = [""] * len(items) if items.texts is None else items.texts
    rows = [
        {ID: id_, TEXT: text, ROW: as_json(row, id_)} for id_, text, row in zip(items.ids, texts, cells, strict=True)
    ]
    widest = max((check_length(row) for row in rows), default=0)
    size = max(1, MESSAGE // (widest + 4 * sum(vectors.shape[1] for vectors in items.vectors.values())))
    for name in items.vectors:
        add_vectors(rows, items, name)
    for begin in range(0, len(rows), size):
        yield rows[begin : begin + size]


def add_vectors(rows: list[dict[str, Any]], items: Items, name: str) -> None:
    """Give the rows their vectors of one field."""
    mask = mask_of(items, name)
    vectors = items.vectors[name]
    # Milvus wants a vector of every item, and one with a direction: searches leave these out.
    nowhere = np.eye(1, vectors.shape[1], dtype=np.float32)[0]
    for row, vector, there in zip(rows, vectors, mask.tolist(), strict=True):
        row[column(name)] = vector if there else nowhere
        row[presence(name)] = there


def as_json(cells: Mapping[str, Any], id_: str) -> dict[str, Any]:
    """A row's cells as JSON has them: times as ISO text, bytes in hexadecimal, NaN as null."""
    known = {name: None if isinstance(cell, float) and math.isnan(cell) else cell for name, cell in cells.items()}
    try:
        result: dict[str, Any] = json.loads(json.dumps(known, default=plain, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The row of {id_!r} cannot be kept in Milvus as JSON: {error}. Leave that column out."
        ) from error
    return result


def plain(cell: object) -> str:
    """A time as ISO text, in UTC unless it says otherwise; bytes in hexadecimal. Raises: TypeError for others."""
    if isinstance(cell, bytes):
        return cell.hex()
    if isinstance(cell, dt.datetime):
        return (cell if cell.tzinfo else cell.replace(tzinfo=dt.UTC)).isoformat()
    if isinstance(cell, dt.date):
        return dt.datetime(cell.year, cell.month, cell.day, tzinfo=dt.UTC).isoformat()
    raise TypeError(f"a {type(cell).__name__} is neither text, a number, a list, bytes nor a time")


def check_length(row: Mapping[str, Any]) -> int:
    """How many bytes a row takes beside its vectors. Raises: DataError where Milvus takes less."""
    sizes = {
        "id": len(row[ID].encode()),
        "text": len(row[TEXT].encode()),
        "row": len(json.dumps(row[ROW], ensure_ascii=False).encode()),
    }
    for what, size in sizes.items():
        if size > LONGEST:
            raise DataError(
                f"The {what} of the item {row[ID][:80]!r} takes {size} bytes, and Milvus {LONGEST} at most. Shorten it."
            )
    return sum(sizes.values())
