"""Takes the pictures of many rows into the blob store: each is checked once, by threads."""

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ingestion.blobs import BlobStore
from ingestion.pictures import picture_limits, picture_refusal, size_refusal
from ingestion.readers.parquet import picture_bytes
from ingestion.readers.reader import StoredPicture
from ingestion.refusals import Refusal, shown
from ingestion.rows import Row
from polyloom.durable import read_json, replace_file
from polyloom.progress import Bar, Progress

PICTURES_PER_TASK = 32

Outcome = str | Refusal
"""The SHA-256 of a picture that is now a blob, or why it is refused."""


class Seen(NamedTuple):
    """A file as it was when it was last found good."""

    size: int
    mtime_ns: int
    sha256: str


class PictureIntake:
    """`checked` is a JSON file that remembers good files, so that unchanged ones are not decoded again."""

    def __init__(self, *, blobs: BlobStore, checked: Path, progress: Progress) -> None:
        self._blobs = blobs
        self._checked = checked
        self._progress = progress

    def take(self, rows: Sequence[Row], *, column: str, name: str) -> None:
        """Replace each row's picture by the SHA-256 of its blob, or refuse the row."""
        with_picture = [row for row in rows if row.typed[column] is not None]
        threads = os.cpu_count() or 1
        with (
            self._progress.stage(f"check pictures of {name}", total=len(with_picture), unit="pictures") as bar,
            picture_limits(),
            ThreadPoolExecutor(max_workers=threads) as pool,
        ):
            self._take_files(with_picture, column, pool, bar)
            self._take_stored(with_picture, column, pool, bar)

    def _take_files(self, rows: Sequence[Row], column: str, pool: ThreadPoolExecutor, bar: Bar) -> None:
        waiting: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            value = row.typed[column]
            if isinstance(value, str):
                waiting[os.path.join(row.path.parent, value)].append(row)  # noqa: PTH118 - no Path for each row
            elif not isinstance(value, StoredPicture):
                row.refusal = Refusal("wrong_type", f"{column!r}: {shown(value)} is not a path of a picture.")
                bar.advance()
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
                _settle(waiting[path], column, result.sha256 if isinstance(result, Seen) else result, bar)
        if good != known:
            replace_file(self._checked, _dumped(good))

    def _take_stored(self, rows: Sequence[Row], column: str, pool: ThreadPoolExecutor, bar: Bar) -> None:
        waiting: dict[Path, dict[int, Row]] = defaultdict(dict)
        for row in rows:
            picture = row.typed[column]
            if not isinstance(picture, StoredPicture):
                continue
            if refusal := size_refusal(picture.size):
                _settle([row], column, refusal, bar)
            elif self._blobs.holds(picture.sha256, size=picture.size):
                _settle([row], column, picture.sha256, bar)
            else:
                waiting[row.path][row.raw.number] = row
        for path, by_number in waiting.items():
            for batch in picture_bytes(path, column=column, numbers=list(by_number)):
                chunks = [batch[start : start + PICTURES_PER_TASK] for start in range(0, len(batch), PICTURES_PER_TASK)]
                for chunk, outcomes in zip(chunks, pool.map(self._contents, chunks), strict=True):
                    for (number, _), outcome in zip(chunk, outcomes, strict=True):
                        _settle([by_number[number]], column, outcome, bar)

    def _file(self, path: str, known: Mapping[str, Seen]) -> Seen | Refusal:
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


def _settle(rows: Sequence[Row], column: str, outcome: Outcome, bar: Bar) -> None:
    for row in rows:
        if isinstance(outcome, Refusal):
            row.refusal = outcome
        else:
            row.typed[column] = outcome
    bar.advance(len(rows))


def _dumped(seen: Mapping[str, Seen]) -> bytes:
    return json.dumps(seen, separators=(",", ":"), sort_keys=True).encode()
