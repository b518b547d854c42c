"""A bundle: a folder whose every byte is covered by one digest.

`manifest.json` lists each file with its SHA-256 and size. The bundle's digest is the SHA-256 of the canonical JSON of
{path: SHA-256}; when it was sealed is noted beside it and changes nothing in it.
"""

import datetime as dt
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from polyloom.durable import file_digest, json_digest, replace_file
from polyloom.errors import DataError, IntegrityError

MANIFEST = "manifest.json"
SHA256 = re.compile(r"[0-9a-f]{64}")
CURE = "Fetch or build the bundle again."


@dataclass(frozen=True)
class FileEntry:
    """One file of a bundle; `size` in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds: files by their path in it, with slashes. `created` is an ISO time in UTC."""

    digest: str
    created: str
    files: dict[str, FileEntry]


def seal(draft: Path) -> str:
    """Write the manifest of the files in `draft`; returns the bundle's digest.

    Raises: DataError when there is nothing to seal, IntegrityError for links and special files.
    """
    if not draft.is_dir():
        raise DataError(f"{draft} is not a folder, so it cannot be sealed.")
    files = _entries(draft, _plain_files(draft))
    if not files:
        raise DataError(f"{draft} holds no files, so there is nothing to seal.")
    created = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    manifest = Manifest(digest=_digest(files), created=created, files=files)
    replace_file(draft / MANIFEST, _encoded(manifest))
    return manifest.digest


def verify(folder: Path, *, expected: str | None = None) -> Manifest:
    """Read every byte of a bundle; returns its manifest when all is as it was sealed.

    `expected` is the digest that the registry recorded.

    Raises: IntegrityError naming the file that changed, is missing, was added, or is no plain file.
    """
    manifest = read_manifest(folder)
    if expected is not None and manifest.digest != expected:
        raise IntegrityError(f"{folder} holds the bundle {manifest.digest}, not {expected}. {CURE}")
    present = _plain_files(folder)
    _refuse("is missing from", folder, manifest.files.keys() - present)
    _refuse("was added to", folder, present - manifest.files.keys())
    # Sizes first: a truncated gigabyte is found without reading it.
    _refuse(
        "has another size in", folder, {name for name in present if _size(folder, name) != manifest.files[name].size}
    )
    found = _entries(folder, present)
    _refuse("was changed in", folder, {name for name in present if found[name] != manifest.files[name]})
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The manifest alone, checked against itself; the files are not read.

    Raises: IntegrityError when it is missing or was edited.
    """
    path = folder / MANIFEST
    if path.is_symlink() or not path.is_file():
        raise IntegrityError(f"{path} is missing or is no plain file, so {folder} is not a sealed bundle. {CURE}")
    return parse_manifest(path.read_bytes(), named=str(path))


def parse_manifest(content: bytes, *, named: str) -> Manifest:
    """A manifest out of its file's bytes. Raises: IntegrityError when they are not those that `seal` wrote."""
    try:
        manifest = _decoded(json.loads(content))
        intact = manifest.digest == _digest(manifest.files) and content == _encoded(manifest)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise IntegrityError(f"{named} was changed after the bundle was sealed. {CURE}")
    return manifest


def _encoded(manifest: Manifest) -> bytes:
    """The one way to write a manifest; `checksum` covers what the digest leaves out."""
    facts = asdict(manifest)
    record = {**facts, "checksum": json_digest(facts)}
    return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()


def _decoded(record: Any) -> Manifest:
    files = {name: FileEntry(**entry) for name, entry in record["files"].items()}
    if not all(SHA256.fullmatch(entry.sha256) and entry.size >= 0 for entry in files.values()):
        raise ValueError(files)
    return Manifest(digest=record["digest"], created=record["created"], files=files)


def _digest(files: dict[str, FileEntry]) -> str:
    return json_digest({name: entry.sha256 for name, entry in files.items()})


def _entries(folder: Path, names: set[str]) -> dict[str, FileEntry]:
    """Hash files in threads, which hashing leaves free to run beside each other."""
    ordered = sorted(names)
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        hashes = pool.map(file_digest, [folder / name for name in ordered])
        return {
            name: FileEntry(sha256=sha256, size=_size(folder, name))
            for name, sha256 in zip(ordered, hashes, strict=True)
        }


def _size(folder: Path, name: str) -> int:
    return (folder / name).stat().st_size


def _plain_files(folder: Path) -> set[str]:
    """Paths of the files below a folder, the manifest left out. Raises: IntegrityError for anything else in it."""
    names = {path.relative_to(folder).as_posix() for path in _walk(folder)} - {MANIFEST}
    unreadable = next((name for name in names if not name.isprintable()), None)
    if unreadable is not None:
        raise IntegrityError(f"The file name {unreadable!r} in {folder} has unprintable characters. Rename the file.")
    return names


def _walk(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield Path(entry.path)
            else:
                raise IntegrityError(f"{entry.path} is a link or a special file; a bundle holds plain files only.")


def _refuse(problem: str, folder: Path, names: set[str]) -> None:
    """Raises: IntegrityError naming the first of `names`, when there are any."""
    if names:
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        raise IntegrityError(f"{min(names)!r}{more} {problem} the bundle {folder}. {CURE}")
