"""An append-only log of events: JSONL segments in a folder, for sources that grow while they are read.

`log.json` names the open segment and how many of its bytes count. A row counts once that file says so: an append
that was killed half-way leaves bytes behind that nobody reads and that the next append cuts off.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

from polyloom.durable import locked, read_json, sync_folder, write_json
from polyloom.errors import DataError, IntegrityError

SEGMENT_BYTES = 64 << 20
STATE_FILE = "log.json"
LOCK_FILE = ".log.lock"
SUFFIX = ".jsonl"
DIGITS = 8


class Segment(NamedTuple):
    """A file of a log, and how many of its bytes count."""

    path: Path
    size: int


def append(folder: Path, rows: Iterable[Mapping[str, object]], *, segment_bytes: int = SEGMENT_BYTES) -> int:
    """Add rows, all of them or none; gives their number. They survive a power cut once this returns.

    Appends of several processes wait for each other. A segment that has `segment_bytes` is not written to again.

    Raises:
        DataError: a row cannot be written as JSON; nothing was written.
    """
    lines = [_line(number, row) for number, row in enumerate(rows, start=1)]
    if not lines:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK_FILE):
        number, size = _state(folder)
        if size >= segment_bytes:
            number, size = number + 1, 0
        path = segment_path(folder, number)
        size = _written(path, size, b"".join(lines))
        write_json(folder / STATE_FILE, {"segment": number, "bytes": size})
    return len(lines)


def segments(folder: Path) -> Iterator[Segment]:
    """The segments that hold rows, oldest first.

    Raises:
        IntegrityError: a segment is missing, or shorter than what was recorded.
    """
    last, size = _state(folder)
    for number in range(1, last + 1):
        path = segment_path(folder, number)
        found = path.stat().st_size if path.is_file() else -1
        if found < (size if number == last else 1):
            raise IntegrityError(
                f"{path} is missing or shorter than recorded in {STATE_FILE}. Bring it back from a copy of the log."
            )
        yield Segment(path, size if number == last else found)


def is_log(folder: Path) -> bool:
    """Whether anything was ever appended here."""
    return (folder / STATE_FILE).is_file()


def segment_path(folder: Path, number: int) -> Path:
    """Where the segment with this number lies, from 1."""
    return folder / f"{number:0{DIGITS}}{SUFFIX}"


def _state(folder: Path) -> tuple[int, int]:
    """The open segment and its size in bytes."""
    if not is_log(folder):
        return 1, 0
    state = read_json(folder / STATE_FILE)
    return int(state["segment"]), int(state["bytes"])


def _written(path: Path, size: int, content: bytes) -> int:
    """Write behind the first `size` bytes of a segment, and give its new size."""
    is_new = not path.exists()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    with os.fdopen(handle, "wb") as stream:
        stream.truncate(size)
        stream.seek(size)
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    if is_new:
        sync_folder(path.parent)
    return size + len(content)


def _line(number: int, row: Mapping[str, object]) -> bytes:
    try:
        text = json.dumps(dict(row), ensure_ascii=False, allow_nan=False, default=_time, separators=(",", ":"))
        return f"{text}\n".encode()
    except (TypeError, ValueError) as error:
        raise DataError(f"row {number} cannot be written as JSON: {error}. Nothing was appended.") from error


def _time(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} has no form in JSON")
