"""The secret by which users are named in a log: a file of random bytes that only its owner may read."""

import os
import secrets
import tempfile
from pathlib import Path

from polyloom.durable import sync_folder
from polyloom.errors import IntegrityError

BYTES = 32


def read_or_make_key(path: Path) -> bytes:
    """The key in a file, which is made where there is none; of several processes one makes it for all.

    Raises: IntegrityError for a file that holds no key.
    """
    if not path.is_file():
        _make(path)
    key = path.read_bytes()
    if len(key) != BYTES:
        raise IntegrityError(
            f"{path} holds {len(key)} bytes, a key has {BYTES}. Restore it, or remove it: a new one is made then, "
            "under which every user counts as another one than before."
        )
    return key


def _make(path: Path) -> None:
    """Write a whole file of mode 0600 and link it to its name, unless another process was faster."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        if not path.exists():
            try:
                path.hardlink_to(draft)
            except FileExistsError:
                return
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)
