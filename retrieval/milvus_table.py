"""Rows as Milvus keeps them, as JSON, and the columns that they were: their types stand beside the collection."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from polyloom.errors import DataError


def schema_text(schema: pa.Schema) -> str:
    """A schema as text, to stand in a JSON file."""
    return base64.b64encode(schema.remove_metadata().serialize().to_pybytes()).decode("ascii")


def schema_of(text: str) -> pa.Schema:
    """Read what `schema_text` gave."""
    return pa.ipc.read_schema(pa.BufferReader(base64.b64decode(text)))


def typed(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows of JSON as columns of these types; what a row misses is null. Raises: DataError where one does not fit."""
    try:
        columns = [column([row.get(field.name) for row in rows], field.type) for field in schema]
        return pa.table(columns, schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, ValueError) as error:
        raise DataError(f"The rows in Milvus are not of the columns that they were written with: {error}") from error


def column(cells: list[Any], kind: pa.DataType) -> pa.Array:
    """A column: bytes were written in hexadecimal, times as ISO text."""
    if pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind) or pa.types.is_large_binary(kind):
        return pa.array([None if cell is None else bytes.fromhex(cell) for cell in cells], type=kind)
    if pa.types.is_timestamp(kind):
        return pa.array(cells, type=pa.string()).cast(kind)
    return pa.array(cells, type=kind)
