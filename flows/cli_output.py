"""What commands write: one JSON value, or a table for people."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from polyloom.errors import RequestError


def emit(value: Any) -> None:
    """One JSON value on stdout."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def table(rows: Sequence[Mapping[str, object]], *, title: str, columns: Sequence[str]) -> None:
    """A table on stdout."""
    from flows.console import summary_table

    summary_table(rows, title=title, columns=columns)


def emit_lines(
    answers: Iterable[Mapping[str, Any]], path: Path, *, as_json: bool, told: Callable[[Mapping[str, Any]], str]
) -> None:
    """Answers to the lines of a file as they come: JSON, or what is `told` of each.

    A line that cannot be answered has an `error`, which goes to stderr beside what is told. Raises: RequestError at the
    end where there was one.
    """
    failed = 0
    for answer in answers:
        failed += "error" in answer
        if as_json or "error" in answer:
            click.echo(json.dumps(answer, ensure_ascii=False, default=str), err="error" in answer and not as_json)
        else:
            click.echo(told(answer))
    if failed:
        raise RequestError(f"--input {path}: {failed} lines could not be answered; the others were.")
