"""Members of a tar as `polyloom bundle export` writes them: plain files, each with the only header that it can have.

A reader that knows what comes next needs no trust in what a header says: links, devices, paths that lead elsewhere,
extensions of tar and sizes that nobody announced differ from what is expected, and are named.
"""

import hashlib
import io
import tarfile
from pathlib import Path
from typing import BinaryIO

from polyloom.durable import CHUNK_BYTES
from polyloom.errors import IntegrityError, RequestError

# What is read into memory before anything is known of its size.
LONGEST_RECORD = 64 * 2**20
AGAIN = "Nothing was taken from it. Carry the file over again, or export it again: polyloom bundle export"


class Members:
    """The members of an archive one after another: each must be the one that is expected, and nothing else."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self.stream = stream
        self.path = path

    def whole(self, name: str) -> bytes:
        """The content of a small member whose size only its header tells."""
        block = self._exactly(tarfile.BLOCKSIZE, name)
        size = self._size(block, name)
        if size > LONGEST_RECORD:
            raise self._refused(name, f"has {size:,} bytes, at most {LONGEST_RECORD:,} are read")
        self._check(block, name, size)
        content = io.BytesIO()
        self._content(name, size, content)
        return content.getvalue()

    def file(self, name: str, *, size: int, sha256: str, into: Path | None) -> None:
        """Check a member of a known size and content, and write it below `into`."""
        self._check(self._exactly(tarfile.BLOCKSIZE, name), name, size)
        if into is None:
            found = self._content(name, size, None)
        else:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            with (into / name).open("xb") as target:
                found = self._content(name, size, target)
        if found != sha256:
            raise self._refused(name, "is not what was exported: its bytes were changed")

    def end(self) -> None:
        """Raises IntegrityError when anything but the end of an archive follows."""
        block = self._exactly(tarfile.BLOCKSIZE, "its end")
        if any(block):
            raise self._refused(_told_name(block), "is one file more than the release has")
        if self._exactly(tarfile.BLOCKSIZE, "its end") != bytes(tarfile.BLOCKSIZE) or self.stream.read(1):
            raise IntegrityError(f"{self.path} goes on after its end. {AGAIN}")

    def _check(self, block: bytes, name: str, size: int) -> None:
        """Hold a header against the only one that there can be."""
        if block == header(name, size):
            return
        raise self._refused(_told_name(block), _why_not(block, name, size))

    def _size(self, block: bytes, name: str) -> int:
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "replace").size
        except tarfile.HeaderError:
            raise IntegrityError(
                f"{self.path} is no release: it does not begin as one ({name} is expected). {AGAIN}"
            ) from None

    def _content(self, name: str, size: int, target: BinaryIO | io.BytesIO | None) -> str:
        digest = hashlib.sha256()
        left = size
        while left:
            chunk = self._exactly(min(left, CHUNK_BYTES), name)
            digest.update(chunk)
            if target is not None:
                target.write(chunk)
            left -= len(chunk)
        if any(self._exactly(-size % tarfile.BLOCKSIZE, name)):
            raise self._refused(name, "is followed by bytes that belong to nothing")
        return digest.hexdigest()

    def _exactly(self, count: int, name: str) -> bytes:
        content = self.stream.read(count)
        if len(content) < count:
            raise IntegrityError(f"{self.path} is cut short: it ends within {name}. {AGAIN}")
        return content

    def _refused(self, name: str, why: str) -> IntegrityError:
        return IntegrityError(f"{self.path}: {name!r} {why}. {AGAIN}")


def header(name: str, size: int) -> bytes:
    """The 512 bytes before a file's content. Raises RequestError for what a tar has no place for."""
    info = tarfile.TarInfo(name)
    info.size = size
    try:
        return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")
    except ValueError as error:
        raise RequestError(
            f"{name!r} with {size:,} bytes cannot be put into an archive ({error}): names have at most 255 bytes, "
            f"files at most 8 GiB. Carry the bundle's folder as it is, and look at it with `polyloom bundle verify`."
        ) from error


def _why_not(block: bytes, expected: str, size: int) -> str:
    """What is wrong with a header that is not the expected one."""
    if not any(block):
        return f"is missing: the archive ends before {expected!r}"
    try:
        return _difference(tarfile.TarInfo.frombuf(block, "utf-8", "replace"), expected, size)
    except tarfile.HeaderError:
        return f"has a damaged header, where {expected!r} should be"


def _difference(info: tarfile.TarInfo, expected: str, size: int) -> str:
    if info.issym() or info.islnk():
        return "is a link, and a release holds plain files only"
    if info.type != tarfile.REGTYPE:
        return "is a folder, a device or an extension of tar, and a release holds plain files only"
    if info.name != expected:
        return f"is not expected here: {expected!r} is the next file of the release, each comes once and in order"
    if info.size != size:
        return f"has {info.size:,} bytes, the manifest says {size:,}"
    return "has times, owners or rights that `polyloom bundle export` never writes"


def _told_name(block: bytes) -> str:
    """The name in a header, as far as it can be read."""
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "replace").name
    except tarfile.HeaderError:
        return block[:100].rstrip(b"\0").decode("utf-8", "replace")
