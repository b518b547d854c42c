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
        """Write a blob. It counts only when it is whole, and survives a power cut only after `sync`.

        A rename costs ten times what the file itself does: only a blob that a killed process left torn is replaced so.
        """
        parent = self._parent(sha256)
        if parent not in self._made:
            Path(parent).mkdir(parents=True, exist_ok=True)
            self._made.add(parent)
        path = f"{parent}/{sha256}"
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            self._replace(path, content)
        else:
            with open(handle, "wb", buffering=0) as stream:  # noqa: PTH123 - a handle
                stream.write(content)
        self._unsynced.append(path)

    def _replace(self, path: str, content: bytes) -> None:
        draft = f"{path}.{os.getpid()}.{threading.get_ident()}"
        with open(draft, "wb") as stream:  # noqa: PTH123
            stream.write(content)
        os.replace(draft, path)  # noqa: PTH105

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
