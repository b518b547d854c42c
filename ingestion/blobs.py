"""Pictures by content: each is written once, under its SHA-256, and never again."""

import os
import threading
from pathlib import Path

from polyloom.durable import sync_folder

SYNC_ONE_BY_ONE = 256


def blob_path(blobs: Path, sha256: str) -> Path:
    """Where a picture with this SHA-256 lies."""
    return blobs / sha256[:2] / sha256


class BlobStore:
    """A folder of blobs. Threads may put into it at the same time, and so may other processes."""

    # Paths are text here: with a Path for each of many thousand small pictures, a sixth of the time went into pathlib.

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._unsynced: list[str] = []
        self._made: set[str] = set()

    def holds(self, sha256: str, size: int) -> bool:
        """Whether the blob is there in full: a power cut can leave a file that is too short."""
        try:
            return os.stat(f"{self._parent(sha256)}/{sha256}").st_size == size  # noqa: PTH116
        except FileNotFoundError:
            return False

    def put(self, sha256: str, content: bytes) -> None:
        """Write a blob in one step. It survives a power cut only after `sync`."""
        parent = self._parent(sha256)
        if parent not in self._made:
            Path(parent).mkdir(parents=True, exist_ok=True)
            self._made.add(parent)
        draft = f"{parent}/.{sha256}.{os.getpid()}.{threading.get_ident()}"
        with open(draft, "wb") as stream:  # noqa: PTH123
            stream.write(content)
        os.replace(draft, f"{parent}/{sha256}")  # noqa: PTH105
        self._unsynced.append(f"{parent}/{sha256}")

    def sync(self) -> None:
        """Make every blob that was put survive a power cut."""
        if len(self._unsynced) > SYNC_ONE_BY_ONE:
            os.sync()
        else:
            for path in {*self._unsynced, *self._made}:
                sync_folder(Path(path))
        self._unsynced.clear()

    def _parent(self, sha256: str) -> str:
        return f"{self._folder}/{sha256[:2]}"
