"""How much a compressed file may unpack to: a small file must not fill a disk."""

import zipfile
from pathlib import Path

from polyloom.errors import DataError

MAX_UNPACKED_BYTES = 32 << 30
MAX_RATIO = 250
RATIO_COUNTS_FROM_BYTES = 100 << 20
MAX_MEMBERS = 2_000_000


def check_zip(path: Path) -> None:
    """Refuse a zip file by what it says it unpacks to. Raises BadZipFile where it is none."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_unpacked(path.name, sum(member.file_size for member in members), packed=path.stat().st_size)
        check_members(path.name, len(members))


def check_unpacked(name: str, unpacked: int, *, packed: int) -> None:
    """Refuse a size in bytes after unpacking, or a ratio of it to the size before, that no honest table has."""
    if unpacked > MAX_UNPACKED_BYTES:
        raise DataError(
            f"{name} unpacks to more than {MAX_UNPACKED_BYTES >> 30} GiB. "
            f"Unpack it yourself, and give the table's path."
        )
    if unpacked > RATIO_COUNTS_FROM_BYTES and unpacked > MAX_RATIO * packed:
        raise DataError(
            f"{name} unpacks to more than {MAX_RATIO} times its size, like a zip bomb. "
            f"If you trust it, unpack it yourself, and give the table's path."
        )


def check_members(name: str, count: int) -> None:
    """Refuse more files than a data set has."""
    if count > MAX_MEMBERS:
        raise DataError(
            f"{name} holds more than {MAX_MEMBERS:,} files. Unpack it yourself, and give the folder's path."
        )
