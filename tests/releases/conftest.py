"""Fixtures that several tests of releases share."""

from tests.support.postgres import postgres, postgres_server

__all__ = ["postgres", "postgres_server"]
