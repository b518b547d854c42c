"""Crash-safe files: a `kill -9` at any moment leaves the state before a write or the state after it.

A folder is written under a temporary name, every file in it is fsynced, and one rename publishes
it. A pointer file is replaced by one rename. Nothing that was published is ever written again.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CHUNK_BYTES = 1 << 20
SYNCED_AT_ONCE = 16
# A service of another user reads what is stored, except what only its owner may see.
FOR_EVERYBODY = 0o644
FOR_ITS_OWNER = 0o600


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def json_digest(value: object) -> str:
    """SHA-256 of a JSON value in its canonical form (sorted keys, no spaces, UTF-8)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def read_json(path: Path) -> Any:
    """The JSON value in a file."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: object) -> None:
    """Replace a JSON file in one step."""
    replace_file(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())


def json_line(value: object) -> bytes:
    """A JSON value on one line, for files that programs read: written in a tenth of the time of an indented one."""
    return (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def replace_file(path: Path, content: bytes) -> None:
    """Replace a file's content in one step; a reader sees the old content or the new."""
    _replace(path, content, settle=os.fsync)
    sync_folder(path.parent)


def replace_private_file(path: Path, content: bytes) -> None:
    """The same for a file that its owner alone may read, in a folder that is its owner's alone (0600 in 0700)."""
    private_folder(path.parent)
    _replace(path, content, settle=os.fsync, mode=FOR_ITS_OWNER)
    sync_folder(path.parent)


def private_folder(folder: Path) -> None:
    """A folder that its owner alone may enter; made, or closed to others if it is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def place_file(path: Path, content: bytes) -> None:
    """Put a new file in its place in one step, for one of many; a power cut may take its content until `sync_files`."""
    _replace(path, content, settle=_nothing)


def sync_files(paths: Sequence[Path]) -> None:
    """Fsync files and the folders they lie in: at once, so that they share what the disk does for each."""
    if paths:
        with ThreadPoolExecutor(max_workers=min(len(paths), SYNCED_AT_ONCE)) as pool:
            list(pool.map(sync_folder, paths))
    for folder in dict.fromkeys(path.parent for path in paths):
        sync_folder(folder)


def _replace(path: Path, content: bytes, *, settle: Callable[[int], None], mode: int = FOR_EVERYBODY) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            settle(stream.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _nothing(_handle: int) -> None:
    """Leave the content to the system for now."""


@contextlib.contextmanager
def publish_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that becomes `target` when the block ends without an error.

    When `target` appeared meanwhile (another process published the same content), that one stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield draft
        sync_tree(draft)
        draft.chmod(0o755)
        with contextlib.suppress(FileExistsError):
            rename_new(draft, target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def is_used_again(folder: Path) -> bool:
    """Whether a folder of a cache is there; if so its time of change is now, so that nobody takes it for unused."""
    try:
        os.utime(folder)
    except FileNotFoundError:
        return False
    return True


def rename_new(source: Path, target: Path) -> None:
    """Rename a folder to a name that must not exist yet. Raises FileExistsError when it does."""
    if target.exists():
        raise FileExistsError(target)
    try:
        source.rename(target)
    except OSError as error:
        if target.exists():
            raise FileExistsError(target) from error
        raise


def sync_tree(folder: Path) -> None:
    """Fsync every file and folder below `folder`, and the folder itself."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        else:
            sync_folder(path)
    sync_folder(folder)


def sync_folder(path: Path) -> None:
    """Fsync a folder, so that a rename in it survives a power cut; a file works as well."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(path: Path, *, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold an exclusive lock on a file; it falls with the process. `waiting` is called when another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting is not None:
                waiting()
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield
