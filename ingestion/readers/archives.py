"""Tables, class folders and documents in archives, and compressed tables: checked, then unpacked once into a cache."""

import bz2
import contextlib
import gzip
import hashlib
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import pyarrow as pa

from ingestion.readers.folders import SUFFIXES as PICTURES
from ingestion.readers.folders import SYSTEM_FILES
from ingestion.readers.zip_limits import check_members, check_unpacked, check_zip
from polyloom.durable import CHUNK_BYTES, is_used_again, publish_folder
from polyloom.errors import DataError, RequestError, suggestion

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
COMPRESSED = (".gz", ".bz2", ".zst")
TABLES = (
    ".csv",
    ".tsv",
    ".tab",
    ".txt",
    ".json",
    ".jsonl",
    ".ndjson",
    ".parquet",
    ".pq",
    ".arrow",
    ".feather",
    ".xlsx",
)
MEMBER_MARK = "!"
LONGEST_NAME_BYTES = 250
LISTED = 10
UTF8_FLAG = 0x800
FOLDER_OF_MAC = "__MACOSX"
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    UnicodeDecodeError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive: its path there, its size in bytes, and why it may not be unpacked, if so."""

    name: str
    size: int
    refused: str = ""


def is_archive(path: Path) -> bool:
    """Whether a file's name ends like that of an archive."""
    return path.name.lower().endswith(ARCHIVES)


def is_compressed(path: Path) -> bool:
    """Whether a file's name ends like that of one compressed table."""
    return path.name.lower().endswith(COMPRESSED) and not is_archive(path)


def split_member(path: str) -> tuple[str, str | None]:
    """`archive.zip!inner.csv` as the archive's path and the member; other paths have no member."""
    outer, mark, inner = path.rpartition(MEMBER_MARK)
    if mark and outer.lower().endswith((*ARCHIVES, ".xlsx")) and inner:
        return outer, inner
    return path, None


def unpacked_table(path: Path, *, member: str | None, cache: Path) -> Path:
    """The one table of an archive, or the member that is named, as a file in the cache.

    The file is called `archive.zip!inner.csv`, so that rows and errors name it so. It lies beside the pictures of the
    archive, each at its own path from the table, so that a table may point to them.
    """
    with _opened(path) as archive:
        table = _chosen(path, archive.members, member)
        folder = PurePosixPath(table.name).parent
        wanted = [one for one in archive.members if one == table or _is_picture(one.name)]
        name = f"{path.name}{MEMBER_MARK}{PurePosixPath(table.name).name}"
        if len(name.encode()) > LONGEST_NAME_BYTES:
            name = PurePosixPath(table.name).name
        target = _target(cache, path, table.name)
        if not is_used_again(target):
            with publish_folder(target) as draft:
                _unpack(path, archive, wanted, draft)
                (draft / table.name).rename(draft / folder / name)
        return target / folder / name


def unpacked_pictures(path: Path, *, cache: Path) -> Path:
    """A folder in the cache with the class folders of an archive; a single folder around them is left out."""
    with _opened(path) as archive:
        wanted = [one for one in archive.members if not _is_hidden(one.name)]
        if not any(_is_picture(one.name) for one in wanted):
            raise DataError(f"{path.name} holds no pictures. {_content(archive.members)}")
        return _without_wrapping(_unpacked(path, archive, wanted, cache=cache))


def unpacked_documents(path: Path, *, cache: Path) -> Path:
    """A folder in the cache with all files of an archive but hidden ones; a single folder around them is left out."""
    with _opened(path) as archive:
        wanted = [one for one in archive.members if not _is_hidden(one.name)]
        if not wanted:
            raise DataError(f"{path.name} holds no documents: it is empty. Pack it again.")
        folder = _unpacked(path, archive, wanted, cache=cache)
    while len(inside := list(folder.iterdir())) == 1 and inside[0].is_dir():
        folder = inside[0]
    return folder


def _unpacked(path: Path, archive: "Archive", wanted: Sequence[Member], *, cache: Path) -> Path:
    """Members as a folder in the cache, unpacked unless they were before."""
    target = _target(cache, path, "")
    if not is_used_again(target):
        with publish_folder(target) as draft:
            _unpack(path, archive, wanted, draft)
    return target


def decompressed(path: Path, *, cache: Path) -> Path:
    """A compressed table as a file in the cache, called `rows.csv.gz!rows.csv`."""
    name = f"{path.name}{MEMBER_MARK}{path.stem}"
    target = _target(cache, path, path.stem)
    if not is_used_again(target):
        if not path.stat().st_size:
            raise DataError(f"{path.name} is empty: it has 0 bytes. Write it again.")
        with (
            _damage(path),
            publish_folder(target) as draft,
            path.open("rb") as packed,
            _decompressor(path.suffix.lower(), packed) as stream,
            (draft / name).open("wb") as out,
        ):
            _copy(stream, out, partial(check_unpacked, path.name, packed=path.stat().st_size))
    return target / name


@dataclass(frozen=True)
class Archive:
    """An open archive: its files, and how the wanted ones among them are read, each once."""

    members: Sequence[Member]
    contents: Callable[[set[str]], Iterator[tuple[str, BinaryIO]]]


@contextmanager
def _opened(path: Path) -> Iterator[Archive]:
    if not path.stat().st_size:
        raise DataError(f"{path.name} is empty: it has 0 bytes. Pack it again.")
    with _damage(path):
        if path.name.lower().endswith(".zip"):
            check_zip(path)
            with zipfile.ZipFile(path) as zipped:
                yield Archive(_zip_members(zipped), lambda wanted: _zip_contents(zipped, wanted))
        else:
            # Each pass reads the file anew: a compressed one cannot jump back.
            members = _tar_members(path)
            yield Archive(members, lambda wanted: _tar_contents(path, wanted))


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        said = str(error).split("\n")[0].rstrip(":.") or type(error).__name__
        raise DataError(f"{path.name} cannot be unpacked: {said}. Fetch or pack it again.") from error


def _zip_members(archive: zipfile.ZipFile) -> list[Member]:
    named = zip(archive.infolist(), _zip_names(archive), strict=True)
    return [Member(name, info.file_size, _zip_refusal(info, name)) for info, name in named if not info.is_dir()]


def _zip_names(archive: zipfile.ZipFile) -> list[str]:
    """Paths of all members. Without the UTF-8 flag the standard says cp437; Chinese systems write gb18030."""
    unmarked = [info.filename for info in archive.infolist() if not info.flag_bits & UTF8_FLAG]
    written = "\n".join(unmarked).encode("cp437")
    for encoding in ("utf-8", "gb18030"):
        with contextlib.suppress(UnicodeDecodeError):
            decoded = iter(written.decode(encoding).split("\n"))
            return [one.filename if one.flag_bits & UTF8_FLAG else next(decoded) for one in archive.infolist()]
    return [info.filename for info in archive.infolist()]


def _zip_refusal(info: zipfile.ZipInfo, name: str) -> str:
    if info.flag_bits & 1:
        return "is locked with a password; pack it without one"
    mode = info.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        return "is a link; pack the file itself"
    return _path_refusal(name)


def _zip_contents(archive: zipfile.ZipFile, wanted: set[str]) -> Iterator[tuple[str, BinaryIO]]:
    for info, name in zip(archive.infolist(), _zip_names(archive), strict=True):
        if name in wanted:
            with archive.open(info) as stream:
                yield name, stream  # type: ignore[misc]  # it reads like any binary file


def _tar_members(path: Path) -> list[Member]:
    members: list[Member] = []
    unpacked = 0
    packed = path.stat().st_size
    with tarfile.open(path) as archive:
        for info in archive:
            unpacked += info.size
            check_unpacked(path.name, unpacked, packed=packed)
            check_members(path.name, len(members))
            if not info.isdir():
                refused = _path_refusal(info.name) if info.isreg() else "is a link or a device; pack the file itself"
                members.append(Member(info.name, info.size, refused))
        _read_to_end(archive)
    return members


def _read_to_end(archive: tarfile.TarFile) -> None:
    """The checksum of a gzipped file stands behind its last byte, which tarfile does not reach by itself."""
    while archive.fileobj is not None and archive.fileobj.read(CHUNK_BYTES):
        pass


def _tar_contents(path: Path, wanted: set[str]) -> Iterator[tuple[str, BinaryIO]]:
    with tarfile.open(path) as archive:
        for info in archive:
            stream = archive.extractfile(info) if info.isreg() and info.name in wanted else None
            if stream is not None:
                yield info.name, stream  # type: ignore[misc]  # it reads like any binary file


def _path_refusal(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in "".join(path.parts[:1]) or "\0" in name:
        return "has a path that leads out of the archive; pack it with paths below its own folder"
    return ""


def _chosen(path: Path, members: Sequence[Member], wanted: str | None) -> Member:
    tables = [one for one in members if one.name.lower().endswith(TABLES) and not _is_hidden(one.name)]
    if wanted is not None:
        found = next((one for one in members if one.name.removeprefix("./") == wanted), None)
        if found is None:
            near = suggestion(wanted, [one.name for one in members])
            raise RequestError(f"{path.name} has no {wanted!r}.{near} {_content(members)}")
        return found
    if len(tables) != 1:
        example = f"{path.name}{MEMBER_MARK}{tables[0].name if tables else 'rows.csv'}"
        many = f"{len(tables):,} tables" if tables else "no table"
        raise RequestError(f"{path.name} holds {many}; name the one you mean, such as {example!r}. {_content(members)}")
    return tables[0]


def _unpack(path: Path, archive: Archive, wanted: Sequence[Member], folder: Path) -> None:
    for one in wanted:
        if one.refused:
            raise DataError(f"{path.name}: {one.name!r} {one.refused}. Nothing was unpacked.")
    if len({one.name for one in wanted}) < len(wanted):
        raise DataError(f"{path.name} holds a file twice under one name. Pack it again.")
    sizes = {one.name: one.size for one in wanted}
    for name, stream in archive.contents(set(sizes)):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as out:
            size = _copy(stream, out, partial(_check_size, path, name, sizes[name]))
        if size < sizes[name]:
            raise DataError(f"{path.name}: {name!r} has {size:,} of {sizes[name]:,} bytes. Fetch or pack it again.")


def _check_size(path: Path, name: str, stated: int, size: int) -> None:
    if size > stated:
        raise DataError(f"{path.name}: {name!r} unpacks to more than the {stated:,} bytes it states. Pack it again.")


def _copy(stream: BinaryIO, out: BinaryIO, check: Callable[[int], None]) -> int:
    """Copy to the end, and check the size after each block; gives the size in bytes."""
    size = 0
    while block := stream.read(CHUNK_BYTES):
        size += len(block)
        check(size)
        out.write(block)
    return size


def _decompressor(suffix: str, packed: BinaryIO) -> BinaryIO:
    if suffix == ".gz":
        return gzip.GzipFile(fileobj=packed)  # type: ignore[return-value]  # it reads like any binary file
    if suffix == ".bz2":
        return bz2.BZ2File(packed)  # type: ignore[return-value]  # it reads like any binary file
    stream: BinaryIO = pa.CompressedInputStream(pa.PythonFile(packed, mode="r"), "zstd")
    return stream


def _target(cache: Path, path: Path, member: str) -> Path:
    """A folder of the cache for this state of the archive."""
    status = path.stat()
    told = f"{path.absolute()}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}\0{member}"
    return cache / hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _without_wrapping(folder: Path) -> Path:
    """The folder itself, or the only one in it while that holds folders and no files."""
    while True:
        inside = list(os.scandir(folder))
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        below = list(os.scandir(inside[0].path))
        if not below or any(one.is_file() for one in below):
            return folder
        folder = Path(inside[0].path)


def _is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in PICTURES and not _is_hidden(name)


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    hides = any(part.startswith(".") and part not in {".", ".."} for part in parts)
    return hides or parts[:1] == (FOLDER_OF_MAC,) or parts[-1].lower() in SYSTEM_FILES


def _content(members: Sequence[Member]) -> str:
    names = [one.name for one in members if not _is_hidden(one.name)]
    more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    return f"It holds {', '.join(names[:LISTED]) or 'no files'}{more}."
