"""A picture file without what is not its picture: places, owners, comments, previews, and bytes behind its end.

JPEG and PNG lose segments and keep every byte that decoding reads, so that no pixel changes. Any other format becomes
a PNG of what the model sees of it.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image

from ingestion.pictures import DECODER_ERRORS, FORMATS
from modalities.preparation.pictures import TURNS, as_rgb, orientation, turned_upright
from polyloom.errors import RequestError

JPEG_START, PNG_START = b"\xff\xd8", b"\x89PNG\r\n\x1a\n"
ANIMATION, EXIF, TEXTS = b"acTL", b"eXIf", {b"iTXt", b"tEXt", b"zTXt"}
PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
# JFIF's and Adobe's segments say how colours are stored, all other application segments are about the picture.
JFIF, APP1, ADOBE, COMMENT = 0xE0, 0xE1, 0xEE, 0xFE
APPLICATION = range(0xE0, 0xF0)
RESTARTS = range(0xD0, 0xD8)
START_OF_SCAN, END = 0xDA, 0xD9
JFIF_BYTES, ADOBE_BYTES = 14, 12


class _LayoutError(Exception):
    """The file is not laid out as its format says; whether it is a picture at all, Pillow must say."""


class Segment(NamedTuple):
    """A marker of a JPEG file with its content; the bytes of a `scan` stand behind that."""

    marker: int
    content: bytes
    scan: bytes = b""


def without_metadata(content: bytes) -> bytes:
    """The same picture, pixel for pixel and just as upright, in a file that says nothing else.

    The same file gives the same bytes, and a file that came from here comes back as it is.
    Raises: RequestError for what is no picture.
    """
    try:
        if content.startswith(JPEG_START):
            return _jpeg(content)
        if content.startswith(PNG_START):
            return _png(content)
    except _LayoutError:
        pass
    return _drawn_again(content)


def _jpeg(content: bytes) -> bytes:
    kept = [kept for segment in _segments(content) if (kept := _kept(segment)) is not None]
    turn = _orientation(content) if b"Orientation" in content or b"Exif" in content else 1
    # JFIF's segment must be the first.
    place = 1 if kept and kept[0].marker == JFIF else 0
    if turn != 1:
        kept.insert(place, Segment(APP1, b"Exif\0\0" + _exif(turn)))
    return JPEG_START + b"".join(map(_written, kept)) + bytes([0xFF, END])


def _segments(content: bytes) -> Iterator[Segment]:
    """The segments up to the end of the picture."""
    place = 2
    while True:
        if content[place : place + 1] != b"\xff":
            raise _LayoutError
        while content[place : place + 1] == b"\xff":
            place += 1
        marker = content[place] if place < len(content) else END
        place += 1
        if marker == END:
            return
        if marker in {0, 1} or marker in RESTARTS or place + 2 > len(content):
            raise _LayoutError
        end = place + int.from_bytes(content[place : place + 2])
        if end < place + 2 or end > len(content):
            raise _LayoutError
        after = _scan_end(content, end) if marker == START_OF_SCAN else end
        yield Segment(marker, content[place + 2 : end], content[end:after])
        place = after


def _scan_end(content: bytes, place: int) -> int:
    """Where the bytes of a scan end: at the first marker that is neither a stuffed byte nor a restart."""
    while True:
        place = content.find(b"\xff", place)
        if place < 0 or place + 1 >= len(content):
            return len(content)
        if content[place + 1] and content[place + 1] not in RESTARTS:
            return place
        place += 2


def _kept(segment: Segment) -> Segment | None:
    """A segment without what is about the picture; None where nothing is left of it."""
    marker, content, _ = segment
    if marker == JFIF and content.startswith(b"JFIF\0") and len(content) >= JFIF_BYTES:
        return Segment(marker, content[: JFIF_BYTES - 2] + b"\0\0")
    if marker == ADOBE and content.startswith(b"Adobe") and len(content) >= ADOBE_BYTES:
        return Segment(marker, content[:ADOBE_BYTES])
    return None if marker in APPLICATION or marker == COMMENT else segment


def _written(segment: Segment) -> bytes:
    marker, content, scan = segment
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content + scan


def _png(content: bytes) -> bytes:
    chunks = list(_chunks(content))
    names = {name for name, _ in chunks}
    if ANIMATION in names:
        raise _LayoutError
    turn = _orientation(content) if names & {EXIF, *TEXTS} else 1
    kept = [PNG_START]
    for name, chunk in chunks:
        if name == b"IDAT" and turn != 1:
            kept.append(_chunk(EXIF, _exif(turn)))
            turn = 1
        if name in PNG_KEPT:
            kept.append(chunk)
    return b"".join(kept)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The name of each chunk and its bytes, up to the end of the picture."""
    place = len(PNG_START)
    while place + 12 <= len(content):
        end = place + 12 + int.from_bytes(content[place : place + 4])
        name = content[place + 4 : place + 8]
        if end > len(content):
            raise _LayoutError
        yield name, content[place:end]
        if name == b"IEND":
            return
        place = end
    raise _LayoutError


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _exif(turn: int) -> bytes:
    """An EXIF block of one entry, the orientation."""
    return b"MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, turn, 0) + b"\0\0\0\0"


def _orientation(content: bytes) -> int:
    """How the picture is stored, as the preparation reads it; 1 where it would not be turned."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            turn = orientation(picture)
    except DECODER_ERRORS as error:
        raise _LayoutError from error
    return turn if turn in TURNS else 1


def _drawn_again(content: bytes) -> bytes:
    """A PNG of the upright picture as the model sees it."""
    drawn = io.BytesIO()
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            upright = turned_upright(as_rgb(picture), orientation(picture))
        # What the file said of itself would go with it otherwise.
        upright.info.clear()
        # Fast rather than small: it is done while somebody waits.
        upright.save(drawn, format="PNG", compress_level=1)
    except DECODER_ERRORS as error:
        raise RequestError(
            f"The picture cannot be read ({error}). Send a whole file of one of {', '.join(FORMATS)}."
        ) from error
    return drawn.getvalue()
