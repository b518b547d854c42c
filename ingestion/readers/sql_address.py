"""The address of a database: checked, opened for reading, and shown without what is secret in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from ingestion.readers.sql_values import keep_values_readable
from polyloom.errors import DataError, RequestError

TIMEOUT_SECONDS = 20
POSTGRES = "postgresql"
EXTRAS = {POSTGRES: "polyloom[postgres]"}
SQLITE_MARK = b"SQLite format 3\0"
HEADER_BYTES = 100
LARGEST_PAGE_BYTES = 1 << 16
FORM = "dialect+driver://user:password@host:port/database"


def checked_address(url: str, *, folder: Path | None) -> sa.URL:
    """An address as SQLAlchemy reads it; the relative path of an SQLite file is read from `folder`."""
    try:
        address = sa.make_url(url)
        dialect = address.get_dialect()
    except (ArgumentError, ValueError) as error:
        kind = str(error) if isinstance(error, NoSuchModuleError) else "it cannot be read"
        raise RequestError(f"url: this is no address of a database: {kind}. Write it as {FORM}.") from None
    except ImportError as error:
        raise _no_driver(url, error) from None
    if dialect.name != "sqlite" or (address.database or "").startswith("file:"):
        return address
    path = (folder or Path()) / Path(address.database or "").expanduser()
    if not address.database or not path.is_file():
        raise RequestError(f"url: there is no SQLite file {path}. Check the path, or put the file there.")
    _check_whole(path)
    return address.set(database=str(path))


@contextmanager
def connected(address: sa.URL) -> Iterator[sa.Connection]:
    """A connection that reads. Raises DataError where there is no answer, RequestError where the driver is missing."""
    try:
        engine = sa.create_engine(address, poolclass=sa.NullPool, connect_args=_connect_arguments(address))
    except ImportError as error:
        raise _no_driver(address.drivername, error) from None
    keep_values_readable(engine)
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise DataError(
            f"{shown_address(address)} cannot be reached: {why(error, address)}. Check the address and the password, "
            f"or try again when it answers."
        ) from None
    with connection:
        if engine.dialect.name == POSTGRES:
            connection = connection.execution_options(postgresql_readonly=True)
        yield connection


def shown_address(address: sa.URL) -> str:
    """An address as it may be shown: without the password, and without options, which may hold one."""
    # URL.set cannot take a password out.
    shown = sa.URL.create(
        address.drivername, username=address.username, host=address.host, port=address.port, database=address.database
    )
    return shown.render_as_string()


def why(error: SQLAlchemyError, address: sa.URL) -> str:
    """What went wrong, in one line, without anything secret of the address."""
    said = str(error.orig if isinstance(error, DBAPIError) else error)
    secrets = [str(address.password or ""), *map(str, address.query.values())]
    for secret in filter(None, secrets):
        for form in (secret, quote(secret), quote_plus(secret)):
            said = said.replace(form, "***")
    return " ".join(said.split()).rstrip(".")


def _check_whole(path: Path) -> None:
    """SQLite reads what is missing at a file's end as empty values. Raises DataError for such a file."""
    with path.open("rb") as stream:
        header = stream.read(HEADER_BYTES)
    counted = header[24:28] == header[92:96]
    if not header.startswith(SQLITE_MARK) or not counted or Path(f"{path}-wal").exists():
        return
    page = int.from_bytes(header[16:18], "big")
    whole = int.from_bytes(header[28:32], "big") * (LARGEST_PAGE_BYTES if page == 1 else page)
    if path.stat().st_size < whole:
        raise DataError(
            f"{path.name} is cut short: {path.stat().st_size:,} of {whole:,} bytes are there. Copy the database again."
        )


def _connect_arguments(address: sa.URL) -> dict[str, object]:
    given = address.get_backend_name() == POSTGRES and "connect_timeout" not in address.query
    return {"connect_timeout": TIMEOUT_SECONDS} if given and "asyncpg" not in address.drivername else {}


def _no_driver(address: str, error: ImportError) -> RequestError:
    backend = address.partition(":")[0].partition("+")[0]
    extra = EXTRAS.get(backend)
    advice = f"Install {extra}." if extra else "Install it."
    return RequestError(f"url: the driver {error.name!r} for {backend} addresses is not installed. {advice}")
