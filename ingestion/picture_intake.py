"""Takes the pictures of many rows into the blob store: each is checked once, by threads."""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ingestion.blobs import BlobStore
from ingestion.pictures import picture_limits, picture_refusal, size_refusal
from ingestion.readers.parquet import picture_bytes
from ingestion.refusals import Refusal, RowRefused, shown
from ingestion.remote import is_address, read_picture
from polyloom.durable import read_json, replace_file
from polyloom.errors import RequestError
from polyloom.progress import Bar, Progress

PICTURES_PER_TASK = 32

Outcome = str | Refusal
"""The SHA-256 of a picture that is now a blob, or why it is refused."""


class Seen(NamedTuple):
    """A file as it was when it was last found good."""

    size: int
    mtime_ns: int
    sha256: str


@dataclass(slots=True)
class Wanted:
    """A row's picture: a path beside the source at `path`, or the SHA-256 of bytes that lie in the source's row.

    `stored_bytes` is how many these are, None for a path.
    """

    value: str
    stored_bytes: int | None
    path: Path
    number: int
    outcome: Outcome | None = None


class PictureIntake:
    """`column` holds the pictures. `checked` is a JSON file that remembers good files: they are not decoded again."""

    def __init__(self, *, blobs: BlobStore, column: str, checked: Path, progress: Progress) -> None:
        self._blobs = blobs
        self._column = column
        self._checked = checked
        self._progress = progress

    def take(self, wanted: Sequence[Wanted], name: str) -> None:
        """Set each one's outcome: the SHA-256 of its blob, or why it is refused."""
        threads = os.cpu_count() or 1
        with (
            self._progress.stage(f"check pictures of {name}", total=len(wanted), unit="pictures") as bar,
            picture_limits(),
            ThreadPoolExecutor(max_workers=threads) as pool,
        ):
            self._take_files([one for one in wanted if one.stored_bytes is None], pool, bar)
            self._take_stored([one for one in wanted if one.stored_bytes is not None], pool, bar)

    def take_bytes(self, content: bytes) -> Outcome:
        """Put a picture that is at hand into the store."""
        return self._content(content)

    def _take_files(self, wanted: Sequence[Wanted], pool: ThreadPoolExecutor, bar: Bar) -> None:
        waiting: dict[str, list[Wanted]] = defaultdict(list)
        for one in wanted:
            place = one.value if is_address(one.value) else os.path.join(one.path.parent, one.value)  # noqa: PTH118 - no Path for each row
            waiting[place].append(one)
        if not waiting:
            return
        known = self._known()
        paths = list(waiting)
        chunks = [paths[start : start + PICTURES_PER_TASK] for start in range(0, len(paths), PICTURES_PER_TASK)]
        good: dict[str, Seen] = {}
        for chunk, results in zip(
            chunks, pool.map(lambda some: [self._file(p, known) for p in some], chunks), strict=True
        ):
            for path, result in zip(chunk, results, strict=True):
                if isinstance(result, Seen):
                    good[path] = result
                _settle(waiting[path], result.sha256 if isinstance(result, Seen) else result, bar)
        if good != known:
            replace_file(self._checked, _dumped(good))

    def _take_stored(self, wanted: Sequence[Wanted], pool: ThreadPoolExecutor, bar: Bar) -> None:
        waiting: dict[Path, dict[int, Wanted]] = defaultdict(dict)
        for one in wanted:
            size = one.stored_bytes or 0
            if refusal := size_refusal(size):
                _settle([one], refusal, bar)
            elif self._blobs.holds(one.value, size=size):
                _settle([one], one.value, bar)
            else:
                waiting[one.path][one.number] = one
        for path, by_number in waiting.items():
            for batch in picture_bytes(path, column=self._column, numbers=list(by_number)):
                chunks = [batch[start : start + PICTURES_PER_TASK] for start in range(0, len(batch), PICTURES_PER_TASK)]
                for chunk, outcomes in zip(chunks, pool.map(self._contents, chunks), strict=True):
                    for (number, _), outcome in zip(chunk, outcomes, strict=True):
                        _settle([by_number[number]], outcome, bar)

    def _file(self, path: str, known: Mapping[str, Seen]) -> Seen | Refusal:
        if is_address(path):
            return self._remote(path)
        try:
            status = os.stat(path)  # noqa: PTH116 - no Path for each row
            seen = known.get(path)
            if (
                seen
                and seen[:2] == (status.st_size, status.st_mtime_ns)
                and self._blobs.holds(seen.sha256, size=seen.size)
            ):
                return seen
            if refusal := size_refusal(status.st_size):
                return refusal
            content = Path(path).read_bytes()
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            return Refusal("picture_missing", f"the picture {shown(path, limit=300)} cannot be opened: {why}.")
        outcome = self._content(content)
        return outcome if isinstance(outcome, Refusal) else Seen(len(content), status.st_mtime_ns, outcome)

    def _remote(self, address: str) -> Seen | Refusal:
        try:
            content = read_picture(address)
        except RowRefused as refused:
            return refused.refusal
        except (RequestError, ValueError) as error:
            return Refusal("picture_missing", f"the picture {shown(address, limit=300)} cannot be opened: {error}")
        outcome = self._content(content)
        return outcome if isinstance(outcome, Refusal) else Seen(len(content), 0, outcome)

    def _contents(self, batch: Sequence[tuple[int, bytes]]) -> list[Outcome]:
        return [self._content(content) for _, content in batch]

    def _content(self, content: bytes) -> Outcome:
        sha256 = hashlib.sha256(content).hexdigest()
        if self._blobs.holds(sha256, size=len(content)):
            return sha256
        if refusal := picture_refusal(content):
            return refusal
        self._blobs.put(sha256, content)
        return sha256

    def _known(self) -> dict[str, Seen]:
        if not self._checked.exists():
            return {}
        return {path: Seen(*seen) for path, seen in read_json(self._checked).items()}


def _settle(wanted: Sequence[Wanted], outcome: Outcome, bar: Bar) -> None:
    for one in wanted:
        one.outcome = outcome
    bar.advance(len(wanted))


def _dumped(seen: Mapping[str, Seen]) -> bytes:
    return json.dumps(seen, separators=(",", ":"), sort_keys=True).encode()
