"""Stretches of a file of lines: known by their digest before a line of them is kept in memory.

A chunk that was ingested before is only hashed. What is read again later is hashed again, so that what is checked
is what its digest says.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import numpy as np
import xxhash

from polyloom.errors import DataError

CHUNK_BYTES = 8 << 20
# Small enough to stay in a core's cache between being read and being hashed.
BLOCK_BYTES = 256 << 10
NEWLINE = 10


class Stretch:
    """Whole lines of a file, from byte `start` on, behind the stretch `before`; safe to use from several threads.

    `number` is that of the first line once it is known; `first` finds it out.
    """

    def __init__(self, path: Path, *, start: int, length: int, before: "Stretch | None" = None) -> None:
        self.path = path
        self.start = start
        self.length = length
        self.before = before
        self.number = 1 if before is None else None
        self._lines: int | None = None
        self._digest: str | None = None
        self._held: bytes | None = None
        self._lock = Lock()

    @property
    def digest(self) -> str:
        """A hash of the bytes."""
        with self._lock:
            if self._digest is None:
                self._digest = self._hashed()
            return self._digest

    @property
    def first(self) -> int:
        """The number of the first line in the file, from 1; the lines before are counted as far as nobody told them."""
        unknown, stretch = [], self
        while stretch.number is None and stretch.before is not None:
            unknown.append(stretch)
            stretch = stretch.before
        number = stretch.number or 1
        for behind in reversed(unknown):
            number += stretch.lines
            behind.number, stretch = number, behind
        return number

    @property
    def lines(self) -> int:
        """How many line ends there are; counted unless it was told before."""
        with self._lock:
            if self._lines is None:
                self._lines = count_lines(self._read())
            return self._lines

    def tell_lines(self, lines: int) -> None:
        """Tell how many line ends there are, so that nobody needs to count them."""
        with self._lock:
            self._lines = lines

    def hold(self) -> None:
        """Read the bytes only once: now, and keep them until `content` is called."""
        with self._lock:
            self._held = self._read()
            self._digest, self._lines = bytes_digest(self._held), count_lines(self._held)

    def content(self) -> bytes:
        """The bytes. Raises DataError when they are no longer those whose digest was told."""
        with self._lock:
            held, self._held = self._held, None
            if held is not None:
                return held
            found = self._read()
            if self._digest not in {None, bytes_digest(found)}:
                raise DataError(f"{self.path.name} changed while it was read. Ingest again.")
            self._lines = count_lines(found)
            return found

    def _read(self) -> bytes:
        with self.path.open("rb") as stream:
            stream.seek(self.start)
            return stream.read(self.length)

    def _hashed(self) -> str:
        digest = xxhash.xxh3_128()
        block = memoryview(bytearray(min(BLOCK_BYTES, self.length)))
        position, end = self.start, self.start + self.length
        with self.path.open("rb", buffering=0) as stream:
            while position < end:
                read = os.preadv(stream.fileno(), [block[: end - position]], position)
                if not read:
                    break
                digest.update(block[:read])
                position += read
        return digest.hexdigest()


def stretches(path: Path, *, start: int = 0, end: int | None = None, length: int | None = None) -> Iterator[Stretch]:
    """A file, or its bytes from `start` to `end`, in stretches of about `length` bytes, the last line whole.

    The file may grow meanwhile: what is added is not read.
    """
    about = CHUNK_BYTES if length is None else length
    stretch = None
    with path.open("rb") as stream:
        last = os.fstat(stream.fileno()).st_size if end is None else end
        while start < last:
            stream.seek(start + about)
            found = min(about + len(stream.readline()), last - start)
            stretch = Stretch(path, start=start, length=found, before=stretch)
            yield stretch
            start += found


def bytes_digest(content: bytes) -> str:
    """XXH3 of 128 bits: whether bytes have changed, at the speed of reading them.

    SHA-256 takes four times as long. This one shows every change but one that was worked out so as not to show, which
    whoever writes a source has no use for.
    """
    return xxhash.xxh3_128_hexdigest(content)


def count_lines(content: bytes) -> int:
    """How many line ends there are."""
    return int(np.count_nonzero(np.frombuffer(content, np.uint8) == NEWLINE))
