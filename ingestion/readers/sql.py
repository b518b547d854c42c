"""SQL: a table or a query of any database that SQLAlchemy knows, streamed."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import NoSuchTableError, SQLAlchemyError

from ingestion.readers.reader import RawRow
from ingestion.readers.sql_address import checked_address, connected, shown_address, why
from ingestion.readers.sql_values import plain_value
from ingestion.refusals import shown
from polyloom.errors import DataError, RequestError, suggestion

ROWS_AT_ONCE = 1000
READS = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(?:select|with|values|table)\b", re.IGNORECASE | re.DOTALL)


class SqlReader:
    """The rows of a `table` (which may be `schema.table`) or of a `query`, in the order of `key`.

    Without `key`, a table comes in the order of its primary key where it has one, and a query in its own order.
    Nothing is written: where the database knows read-only transactions this is one, and it is never committed. The
    relative path of an SQLite file is read from `folder`. Pictures in the column `image` are bytes, or paths.
    """

    def __init__(
        self,
        url: str,
        *,
        table: str | None = None,
        query: str | None = None,
        key: str | None = None,
        image: str | None = None,
        folder: Path | None = None,
    ) -> None:
        self._url = checked_address(url, folder=folder)
        if (table is None) == (query is None):
            raise RequestError(f"{shown_address(self._url)}: give one of `table` and `query`.")
        self._table = table
        self._query = (query or "").strip().rstrip(";")
        if query is not None and not READS.match(self._query):
            raise RequestError(
                f"query: {shown(query)} does not read. It must start with SELECT, WITH, VALUES or TABLE."
            )
        self._key = key
        self._image = image
        self._source = "query" if table is None else f"table {table}"

    def header(self) -> frozenset[str]:
        """The columns of the table or of the query."""
        with self._connected() as connection, self._result(connection) as result:
            return frozenset(self._checked(list(result.keys())))

    def rows(self) -> Iterator[RawRow]:
        """Every row, numbered from 1."""
        with self._connected() as connection, self._result(connection) as result:
            names = self._checked(list(result.keys()))
            for number, row in enumerate(result, start=1):
                values = {
                    name: plain_value(value, picture=name == self._image)
                    for name, value in zip(names, row, strict=True)
                }
                yield RawRow(self._source, number, values)

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        with connected(self._url) as connection:
            try:
                yield connection
            except SQLAlchemyError as error:
                raise DataError(
                    f"{shown_address(self._url)}, {self._source}: {why(error, self._url)}. "
                    f"Correct what is asked for, or try again when the database answers."
                ) from None
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{shown_address(self._url)}, {self._source}: a name in it is not UTF-8 ({error.reason}). "
                    f"Copy the database again."
                ) from None

    def _result(self, connection: sa.Connection) -> sa.CursorResult[tuple[object, ...]]:
        """The rows to come; they wait in the database."""
        streamed = connection.execution_options(stream_results=True, yield_per=ROWS_AT_ONCE)
        return streamed.execute(self._statement(connection))

    def _checked(self, names: list[str]) -> list[str]:
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise RequestError(f"query: it gives the column {repeated!r} twice. Rename one of them with AS.")
        return names

    def _statement(self, connection: sa.Connection) -> sa.Executable:
        if self._table is None:
            query = sa.text(escaped(self._query))
            return query if self._key is None else self._ordered(connection, self._key)
        table = self._reflected(connection)
        if self._key is None:
            return sa.select(table).order_by(*table.primary_key.columns)
        self._check_key(self._key, list(table.columns.keys()))
        return sa.select(table).order_by(table.c[self._key])

    def _ordered(self, connection: sa.Connection, key: str) -> sa.Executable:
        # The line end closes a comment at the query's end.
        nested = sa.select(sa.text("*")).select_from(sa.text(f"({escaped(self._query)}\n) AS asked"))
        with connection.execute(nested.where(sa.false())) as result:
            self._check_key(key, list(result.keys()))
        return nested.order_by(sa.column(key))

    def _check_key(self, key: str, names: list[str]) -> None:
        if key not in names:
            raise RequestError(
                f"key: {self._source} has no column {key!r}.{suggestion(key, names)} It has {', '.join(names)}."
            )

    def _reflected(self, connection: sa.Connection) -> sa.Table:
        schema, _, name = (self._table or "").rpartition(".")
        try:
            return sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=connection, resolve_fks=False)
        except NoSuchTableError:
            inspector = sa.inspect(connection)
            there = sorted([*inspector.get_table_names(schema or None), *inspector.get_view_names(schema or None)])
            raise RequestError(
                f"{shown_address(self._url)} has no table {self._table!r}.{suggestion(name, there)} "
                f"It has {', '.join(there) or 'none'}."
            ) from None


def escaped(query: str) -> str:
    """A query whose colons do not start a parameter."""
    return query.replace(":", r"\:")
