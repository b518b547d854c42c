"""Where served predictions lie: a folder a day, in it one file of JSON lines for each process, and the pictures."""

import contextlib
import errno
import hashlib
import json
import os
import secrets
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from ingestion.blobs import BlobStore
from polyloom.durable import private_folder, sync_folder
from releases.serving.served_batch import ServedBatch
from releases.serving.this_machine import this_machine

BLOBS, SUFFIX = "blobs", ".jsonl"


class DayFiles:
    """The files that one process appends to, named after it. What is written survives a power cut after `sync`."""

    def __init__(self, folder: Path, *, process: str | None = None) -> None:
        self._folder = folder
        self._name = f"{process or f'{os.getpid()}-{secrets.token_hex(4)}'}{SUFFIX}"
        self._blobs: dict[Path, BlobStore] = {}
        self._unsynced: set[Path] = set()

    def write(self, batches: Sequence[ServedBatch]) -> int:
        """Append a line for each batch; gives how many could not be put into JSON, which are left out.

        Raises: OSError where the disk does not take them; they may be given again.
        """
        lines: dict[Path, list[bytes]] = defaultdict(list)
        for batch in batches:
            day = day_folder(self._folder / batch.scenario, datetime.fromtimestamp(batch.at, UTC).date())
            with contextlib.suppress(TypeError, ValueError, RecursionError):
                lines[day].append(self._line(batch, day))
        for day, some in lines.items():
            make_private(self._folder)
            day.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._unsynced.add(day)
            append_whole(day / self._name, b"".join(some))
        return len(batches) - sum(map(len, lines.values()))

    def sync(self) -> None:
        """Make what was written survive a power cut. Raises: OSError where the disk does not."""
        for day in list(self._unsynced):
            if day in self._blobs:
                self._blobs[day].sync()
            if (day / self._name).is_file():
                sync_folder(day / self._name)
                sync_folder(day)
            self._unsynced.discard(day)

    def _line(self, batch: ServedBatch, day: Path) -> bytes:
        blobs = self._blobs.setdefault(day, BlobStore(day / BLOBS))

        def put(content: bytes) -> str:
            sha256 = hashlib.sha256(content).hexdigest()
            if not blobs.holds(sha256, len(content)):
                blobs.put(sha256, content)
            return sha256

        value = {**batch.to_json(put), "machine": this_machine()}
        # Half a character of a surrogate pair has no UTF-8.
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        try:
            return text.encode() + b"\n"
        except UnicodeEncodeError:
            return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def check_folder(folder: Path) -> None:
    """Make a folder that files can be put into. Raises: OSError where that is not to be had."""
    make_private(folder)
    if not os.access(folder, os.W_OK):
        raise PermissionError(errno.EACCES, f"{folder} cannot be written to")


def make_private(folder: Path) -> None:
    """Make a folder that its owner alone may enter, whoever may enter those in it; one that is there stays as it is."""
    if not folder.is_dir():
        private_folder(folder)


def append_whole(path: Path, content: bytes) -> None:
    """Append all of it or, as far as the disk allows, nothing. Raises: OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        before = os.fstat(handle).st_size
        # A line that was cut off and could not be taken back stays alone.
        if before and not _ends_a_line(path):
            content = b"\n" + content
        try:
            written = 0
            while written < len(content):
                written += os.write(handle, content[written:])
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(handle, before)
            raise
    finally:
        os.close(handle)


def day_folder(scenario: Path, day: date) -> Path:
    """The folder of a day."""
    return scenario / day.isoformat()


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
