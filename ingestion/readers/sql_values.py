"""Values of databases that Python cannot hold stay readable as text, so that only their own row is refused."""

import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from ingestion.readers.picture_values import PictureBytes

if TYPE_CHECKING:
    import psycopg


def keep_values_readable(engine: sa.Engine) -> None:
    """Prepare each connection of an engine that is not there yet."""
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", _prepare_sqlite)
    elif engine.driver == "psycopg":
        sa.event.listen(engine, "connect", _prepare_psycopg)


def plain_value(value: object, *, picture: bool) -> object:
    """A value as the checks know it."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return PictureBytes(bytes(value)) if picture else bytes(value)
    return str(value) if isinstance(value, (UUID, timedelta)) else value


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.text_factory = _text
    connection.execute("PRAGMA query_only = ON")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _prepare_psycopg(connection: "psycopg.Connection[Any]", _record: object) -> None:
    """Times that Python cannot hold, such as `infinity` or a year after 9999, come as text."""
    from psycopg import DataError
    from psycopg.types.datetime import DateLoader, TimestampLoader, TimestamptzLoader

    for name, loader in (("date", DateLoader), ("timestamp", TimestampLoader), ("timestamptz", TimestamptzLoader)):

        class OrText(loader):  # type: ignore[valid-type,misc]  # one class for each of the three
            def load(self, data: Any) -> object:
                """The time, or its text."""
                try:
                    return super().load(data)
                except DataError:
                    return bytes(data).decode()

        connection.adapters.register_loader(name, OrText)
