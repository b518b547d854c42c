"""What commands write: one JSON value, or a table for people."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click


def emit(value: Any) -> None:
    """One JSON value on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def table(rows: Sequence[Mapping[str, object]], *, title: str, columns: Sequence[str]) -> None:
    """A table on stdout."""
    from flows.console import summary_table

    summary_table(rows, title=title, columns=columns)
