"""The ledger of releases in PostgreSQL: its lines lie beside MLflow's tables, so that every machine has the same ones.

A file lock ends at the machine, and so does a file. Where MLflow's store is PostgreSQL, whoever changes something holds
an advisory lock of the database, which falls with its connection, and a line counts once it is in the table; the file
of each machine is a copy, which `Ledger.catch_up` completes.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from polyloom.errors import RegistryError

if TYPE_CHECKING:
    from sqlalchemy import Engine

POSTGRES = "postgresql"
TABLE = (
    "CREATE TABLE IF NOT EXISTS polyloom_ledger "
    "(scenario text NOT NULL, number integer NOT NULL, line text NOT NULL, PRIMARY KEY (scenario, number))"
)


class SharedLines:
    """The lines of all scenarios' ledgers in one database."""

    def __init__(self, uri: str) -> None:
        self.uri = uri

    @contextlib.contextmanager
    def held(self, scenario: str) -> Iterator[None]:
        """Hold the scenario's lock: one promoter at a time, on whatever machine."""
        from sqlalchemy import text

        with self._engine.connect() as connection:
            connection.execute(
                text("SELECT pg_advisory_lock(hashtextextended(:name, 0))"), {"name": f"polyloom {scenario}"}
            )
            # Without this the server would see a transaction that idles for as long as the lock is held.
            connection.commit()
            yield

    def since(self, scenario: str, number: int) -> dict[int, bytes]:
        """The lines from a number on."""
        from sqlalchemy import text

        asked = text("SELECT number, line FROM polyloom_ledger WHERE scenario = :scenario AND number >= :number")
        with self._engine.connect() as connection:
            found = connection.execute(asked, {"scenario": scenario, "number": number}).all()
        return {int(number): str(line).encode() for number, line in sorted((row[0], row[1]) for row in found)}

    def add(self, scenario: str, number: int, line: bytes) -> None:
        """Add a line; it is durable when this returns.

        Raises:
            RegistryError: the number is taken; the lock was lost, such as with a connection that broke.
        """
        from sqlalchemy import text
        from sqlalchemy.exc import IntegrityError

        asked = text("INSERT INTO polyloom_ledger VALUES (:scenario, :number, :line)")
        try:
            with self._engine.begin() as connection:
                connection.execute(asked, {"scenario": scenario, "number": number, "line": line.decode()})
        except IntegrityError as error:
            raise RegistryError(
                f"{scenario}: another machine wrote line {number} of the ledger meanwhile. Look at "
                f"`polyloom history {scenario} --verify`, then try again."
            ) from error

    @functools.cached_property
    def _engine(self) -> "Engine":
        from sqlalchemy import create_engine, text
        from sqlalchemy.pool import NullPool

        engine = create_engine(self.uri, poolclass=NullPool)
        with engine.begin() as connection:
            # Two that make the same table at once would disturb each other.
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('polyloom_ledger'))"))
            connection.execute(text(TABLE))
        return engine


def shared_lines(tracking_uri: str) -> SharedLines | None:
    """The lines in MLflow's own database where that is PostgreSQL, None for any other store."""
    return SharedLines(tracking_uri) if tracking_uri.startswith(POSTGRES) else None
