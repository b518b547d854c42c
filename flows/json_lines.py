"""Files of requests: one JSON object a line, each read for itself, so that a bad one never loses a good one."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from polyloom.errors import RequestError


def json_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers. Raises: RequestError when the file cannot be read."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"--input {path}: cannot be read as UTF-8 text ({error}).") from error
    yield from ((number, line) for number, line in enumerate(lines, start=1) if line.strip())


def json_object(line: str, number: int, path: Path, *, known: Collection[str]) -> dict[str, Any]:
    """A line as an object of known keys. Raises: RequestError for anything else."""
    try:
        found = json.loads(line)
    except ValueError as error:
        raise RequestError(f"{path}, line {number}: not JSON ({error}). Each line is one object.") from error
    if not isinstance(found, dict) or not set(found) <= set(known):
        raise RequestError(f"{path}, line {number}: a line is an object with {', '.join(known)}; got {line[:80]}.")
    return found
