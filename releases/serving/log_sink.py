"""Where lines of a log go: stderr, or a file that may be moved away, vanish, fill its disk and come back."""

import os
from collections.abc import Sequence
from pathlib import Path

STDERR = 2
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class LogSink:
    """Appends lines; never raises for one that it cannot, but counts it in `lost`. For one thread."""

    def __init__(self, path: Path | None) -> None:
        self.lost = 0
        self._path = path
        self._file: int | None = STDERR if path is None else None
        self._mid_line = False

    def write(self, lines: Sequence[str]) -> bool:
        """Append lines, in one call of the system as a rule; whether all of them are there."""
        data = [line.encode() for line in lines]
        written = self._append(b"".join(data))
        for line in data:
            written -= len(line)
            self.lost += written < 0
        return written >= 0

    def close(self) -> None:
        """Close the file; stderr is not ours to close."""
        if self._file is not None and self._path is not None:
            os.close(self._file)
        self._file = None if self._path is not None else STDERR

    def _append(self, data: bytes) -> int:
        """How many bytes are there now."""
        done = 0
        try:
            file = self._current()
            if self._mid_line:
                # What a full disk cut off must not spoil the first line after it.
                os.write(file, b"\n")
                self._mid_line = False
            while done < len(data):
                done += os.write(file, data[done:])
        except OSError:
            self._mid_line = self._mid_line or (done > 0 and data[done - 1 : done] != b"\n")
        return done

    def _current(self) -> int:
        """The file that the path names at this moment. Raises: OSError when it cannot be opened."""
        if self._file is not None and (self._path is None or self._is_still(self._file)):
            return self._file
        self.close()
        self._mid_line = False
        self._file = file = os.open(str(self._path), FLAGS, 0o600)
        return file

    def _is_still(self, file: int) -> bool:
        try:
            return os.path.samestat(os.stat(str(self._path)), os.fstat(file))  # noqa: PTH116  (beside fstat)
        except FileNotFoundError:
            return False
