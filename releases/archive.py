"""A release in one file, to be carried to a machine without network: a tar that has one possible form for its content.

`release.json`, `bundle/manifest.json`, the bundle's files in the order of their names, then `pictures/<SHA-256>`; fixed
times, owners and rights. So the same release gives the same bytes, and a reader knows each byte of each header before
it reads it: whatever else is there, such as a link, a path that leads elsewhere or one file too many, is refused before
anything is written outside the folder that it is unpacked into. Any tar reads it; with a name that ends in `.gz` it is
compressed.
"""

import gzip
import json
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from polyloom.durable import CHUNK_BYTES, json_digest, sync_folder
from polyloom.errors import IntegrityError, RequestError
from releases.archive_names import check_names
from releases.bundle import MANIFEST, SHA256, Manifest, parse_manifest, verify
from releases.tar_members import AGAIN, Members, header

RECORD, BUNDLE, PICTURES = "release.json", "bundle", "pictures"
FORMAT = 1
SCENARIO_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
BROKEN = (EOFError, gzip.BadGzipFile, zlib.error)


@dataclass(frozen=True, kw_only=True)
class ReleaseRecord:
    """What is told of a release beside its bundle; `history` are the ledger's changes of this version.

    `pictures` are those that go along, SHA-256 -> bytes.
    """

    scenario: str
    version: str
    digest: str
    title: str
    tags: Mapping[str, str]
    history: list[dict[str, Any]]
    pictures: Mapping[str, int]
    format: int = FORMAT


@dataclass(frozen=True)
class Archived:
    """What a verified archive holds."""

    record: ReleaseRecord
    manifest: Manifest


def write_archive(path: Path, record: ReleaseRecord, bundle: Path, *, picture: Callable[[str], Path]) -> None:
    """Write a release to a new file, in one step; `picture` says where one lies.

    Raises: RequestError when the file is there already or a name or size has no place in a tar, IntegrityError when the
    bundle is not as it was sealed.
    """
    if path.exists():
        raise RequestError(f"{path} is there already. Name another file, or remove it first.")
    if not path.parent.is_dir():
        raise RequestError(f"{path.parent} is no folder. Make it, or name another file.")
    manifest = verify(bundle, expected=record.digest)
    check_names(manifest.files, where=str(bundle))
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as raw, _compressed(raw, path) as stream:
            _write(stream, RECORD, _encoded(record))
            _write(stream, f"{BUNDLE}/{MANIFEST}", (bundle / MANIFEST).read_bytes())
            for name in sorted(manifest.files):
                _copy(stream, f"{BUNDLE}/{name}", bundle / name)
            for sha256 in sorted(record.pictures):
                _copy(stream, f"{PICTURES}/{sha256}", picture(sha256))
            stream.write(bytes(2 * tarfile.BLOCKSIZE))
        draft.chmod(0o644)
        sync_folder(draft)
        draft.replace(path)
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def read_archive(path: Path, into: Path | None = None) -> Archived:
    """Hold every byte of an archive against its record and its manifest, and unpack it into the empty folder `into`.

    Raises: IntegrityError that names what is wrong, RequestError when it is no file or has no place on the disk.
    """
    if not path.is_file():
        raise RequestError(f"{path} is not a file. `polyloom bundle export SCENARIO FILE.tar` writes one.")
    with path.open("rb") as raw:
        is_packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = gzip.GzipFile(fileobj=raw, mode="rb") if is_packed else raw
        try:
            return _read(Members(stream, path), into)  # type: ignore[arg-type]
        except BROKEN as error:
            raise IntegrityError(f"{path} is damaged or cut short ({error}). {AGAIN}") from error


def _read(members: Members, into: Path | None) -> Archived:
    record = _decoded(members.whole(RECORD), path=members.path)
    content = members.whole(f"{BUNDLE}/{MANIFEST}")
    manifest = parse_manifest(content, named=f"{members.path}: {BUNDLE}/{MANIFEST}")
    if manifest.digest != record.digest:
        raise IntegrityError(
            f"{members.path}: {RECORD} tells of the bundle {record.digest}, {manifest.digest} is in it."
        )
    check_names(manifest.files, where=str(members.path))
    if into is not None:
        total = sum(entry.size for entry in manifest.files.values()) + sum(record.pictures.values())
        _check_space(total, into)
        (into / BUNDLE).mkdir()
        (into / BUNDLE / MANIFEST).write_bytes(content)
    for name in sorted(manifest.files):
        entry = manifest.files[name]
        members.file(f"{BUNDLE}/{name}", size=entry.size, sha256=entry.sha256, into=into)
    for sha256 in sorted(record.pictures):
        members.file(f"{PICTURES}/{sha256}", size=record.pictures[sha256], sha256=sha256, into=into)
    members.end()
    return Archived(record, manifest)


def _check_space(total: int, into: Path) -> None:
    free = shutil.disk_usage(into).free
    if total > free:
        raise RequestError(
            f"The release takes {total:,} bytes and {into} has {free:,} left. Make room, then try again."
        )


def _write(stream: BinaryIO, name: str, content: bytes) -> None:
    stream.write(header(name, len(content)) + content + bytes(-len(content) % tarfile.BLOCKSIZE))


def _copy(stream: BinaryIO, name: str, source: Path) -> None:
    size = source.stat().st_size
    stream.write(header(name, size))
    with source.open("rb") as content:
        shutil.copyfileobj(content, stream, CHUNK_BYTES)
    stream.write(bytes(-size % tarfile.BLOCKSIZE))


@contextmanager
def _compressed(raw: Any, path: Path) -> Iterator[BinaryIO]:
    if path.suffix != ".gz":
        yield raw
        return
    with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as stream:
        yield stream  # type: ignore[misc]


def _encoded(record: ReleaseRecord) -> bytes:
    facts = asdict(record)
    return (json.dumps({**facts, "checksum": json_digest(facts)}, indent=2, ensure_ascii=False) + "\n").encode()


def _decoded(content: bytes, *, path: Path) -> ReleaseRecord:
    """Raises IntegrityError for a record that was changed, is of another format or has what none can have."""
    try:
        facts = json.loads(content)
        if facts["format"] != FORMAT:
            raise IntegrityError(f"{path} has format {facts['format']!r}; this polyloom reads {FORMAT}. Update it.")
        del facts["checksum"]
        record = ReleaseRecord(**facts)
        sizes = record.pictures.items()
        intact = _encoded(record) == content and all(SHA256.fullmatch(sha) and size >= 0 for sha, size in sizes)
        intact = intact and bool(SCENARIO_NAME.fullmatch(record.scenario)) and record.version.isdigit()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        intact = False
    if not intact:
        raise IntegrityError(f"{path}: {RECORD} is not what was exported. {AGAIN}")
    return record
