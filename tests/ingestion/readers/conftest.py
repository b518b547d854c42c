"""The real PostgreSQL for the tests of this folder."""

from tests.support.postgres import postgres, postgres_server

__all__ = ["postgres", "postgres_server"]
