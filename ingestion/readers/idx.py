"""IDX, the format of MNIST: a big-endian header, then one byte a pixel; plain or gzipped."""

import gzip
import io
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from PIL import Image

from ingestion.readers.picture_values import PictureBytes
from ingestion.readers.reader import RawRow
from polyloom.errors import DataError, RequestError

IDX_IMAGES, IDX_LABELS, IDX_COLOUR_IMAGES = 0x0803, 0x0801, 0x0804
BYTES_ONLY = 0x08
MAX_ITEM_BYTES = 64 << 20
DAMAGE = (OSError, EOFError, zlib.error, struct.error)


class Bytes(Protocol):
    """What can be read."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes."""


class IdxHeader(NamedTuple):
    """What an IDX file starts with: its magic number, how many items there are, and the shape of one."""

    magic: int
    items: int
    shape: tuple[int, ...]


class IdxReader:
    """The pictures of one IDX file, as PNG, with the numbers of another one as their labels."""

    def __init__(self, path: Path, *, labels: Path | None = None, image: str = "image", label: str = "label") -> None:
        if image == label:
            raise RequestError(f"image: {image!r} is the name of the label too. Give the picture another name.")
        if labels is not None and not labels.is_file():
            raise RequestError(f"labels: there is no {labels}. Check the path, or leave the labels out.")
        self._path = path
        self._labels = labels
        self._image = image
        self._label = label

    def header(self) -> frozenset[str]:
        """The picture, and its label where there are labels."""
        return frozenset({self._image, self._label} if self._labels else {self._image})

    def rows(self) -> Iterator[RawRow]:
        """A row for each picture, numbered from 1."""
        labels = self._read_labels()
        with opened_idx(self._path) as stream:
            header = read_header(stream)
            self._check(header, labels)
            for number in range(1, header.items + 1):
                picture = PictureBytes(png(read_array(stream, header.shape)))
                values: dict[str, object] = {self._image: picture}
                if labels is not None:
                    values[self._label] = labels[number - 1]
                yield RawRow(self._path.name, number, values)
            if stream.read(1):
                raise DataError(
                    f"{self._path.name} goes on after its {header.items:,} pictures. Fetch or write it again."
                )

    def _read_labels(self) -> list[int] | None:
        if self._labels is None:
            return None
        with opened_idx(self._labels) as stream:
            header = read_header(stream)
            if header.magic != IDX_LABELS:
                raise DataError(
                    f"{self._labels.name} starts with {header.magic:#06x}; a file of labels starts with "
                    f"{IDX_LABELS:#06x}. Are the files of pictures and labels exchanged?"
                )
            content = read_whole(stream, header.items)
        return list(content)

    def _check(self, header: IdxHeader, labels: list[int] | None) -> None:
        if header.magic not in {IDX_IMAGES, IDX_COLOUR_IMAGES}:
            raise DataError(
                f"{self._path.name} starts with {header.magic:#06x}; a file of pictures starts with {IDX_IMAGES:#06x}."
            )
        if header.magic == IDX_COLOUR_IMAGES and header.shape[-1] != 3:
            raise DataError(f"{self._path.name} holds {header.shape[-1]} colours a pixel; 3 can be read.")
        if labels is not None and len(labels) != header.items:
            raise DataError(
                f"{self._path.name} holds {header.items:,} pictures but {self._labels and self._labels.name} "
                f"{len(labels):,} labels. Give the two files that belong together."
            )


@contextmanager
def opened_idx(path: Path) -> Iterator[Bytes]:
    """An IDX file's bytes, unzipped. Raises DataError when it proves to be damaged while it is open."""
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not zipped:
                yield raw
                return
            with gzip.GzipFile(fileobj=raw) as stream:
                yield stream
    except DAMAGE as error:
        raise DataError(f"{path.name} is not a whole IDX file: {error}. Fetch or write it again.") from error


def read_header(stream: Bytes) -> IdxHeader:
    """The header. Raises EOFError or OSError where there is none."""
    (magic,) = struct.unpack(">I", read_whole(stream, 4))
    if magic >> 8 != BYTES_ONLY or not magic & 0xFF:
        raise OSError(f"it starts with {magic:#010x}, and IDX files of bytes with 0x000008")
    count, *shape = struct.unpack(f">{magic & 0xFF}I", read_whole(stream, 4 * (magic & 0xFF)))
    if math.prod(shape) == 0 or math.prod(shape) > MAX_ITEM_BYTES:
        raise OSError(f"an item of it is said to have {math.prod(shape):,} bytes")
    return IdxHeader(magic, count, tuple(shape))


def read_array(stream: Bytes, shape: tuple[int, ...]) -> np.ndarray:
    """The next bytes as an array. Raises EOFError where the file ends before it does."""
    return np.frombuffer(read_whole(stream, math.prod(shape)), np.uint8).reshape(shape)


def read_whole(stream: Bytes, size: int) -> bytes:
    """Exactly `size` bytes. Raises EOFError where there are fewer."""
    content = stream.read(size)
    if len(content) < size:
        raise EOFError("it ends too early")
    return content


def png(image: np.ndarray) -> bytes:
    """A picture of bytes as a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return buffer.getvalue()
