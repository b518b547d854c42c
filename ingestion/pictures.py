"""Whether a file is a picture that can be used: limits before decoding, then one full decode of its first frame."""

import contextlib
import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from ingestion.refusals import Refusal, RowRefused

MAX_PIXELS = 64_000_000
MAX_BYTES = 64 << 20
MAX_FRAMES = 1_000
MEGA = 1_000_000
# EPS, PDF and the like run programs or fetch fonts when they are opened.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    zlib.error,
)
SIGNS_OF_TRUNCATION = ("truncated", "unexpected end", "end of file", "not enough", "incomplete")
ORIENTATION = 0x0112
GIF_HEADER, GIF_DESCRIPTOR = 13, 9
GIF_EXTENSION, GIF_FRAME = 0x21, 0x2C


@dataclass(frozen=True, kw_only=True)
class PictureFacts:
    """What a picture file says of itself. `orientation` is that of EXIF, 1 to 8; 1 is upright.

    `width` and `height` are as stored, before it is turned upright; of `frames` only the first is used.
    """

    format: str
    width: int
    height: int
    mode: str
    frames: int
    orientation: int


@contextlib.contextmanager
def picture_limits() -> Iterator[None]:
    """Around checks in threads: what Pillow says about broken files becomes refusals, not lines on stderr."""
    logger, unheard = logging.getLogger("PIL"), logging.NullHandler()
    logger.addHandler(unheard)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        logger.removeHandler(unheard)


def size_refusal(size: int) -> Refusal | None:
    """A refusal for a file of no bytes, or of too many."""
    if size == 0:
        return Refusal("picture_empty", "the picture has 0 bytes.")
    if size > MAX_BYTES:
        return Refusal(
            "picture_too_large",
            f"the picture has {size >> 20} MiB; the limit is {MAX_BYTES >> 20} MiB. Make it smaller.",
        )
    return None


def picture_refusal(content: bytes) -> Refusal | None:
    """A refusal for bytes that are no picture, over a limit, or a picture that does not decode to its end."""
    try:
        with _opened(content) as picture:
            picture.load()
    except RowRefused as refused:
        return refused.refusal
    except DECODER_ERRORS as error:
        return _undecodable(error)
    return None


def describe(content: bytes) -> PictureFacts:
    """A picture's facts from its header; no pixel is decoded.

    Raises:
        RowRefused: the bytes are no picture, or over a limit.
    """
    try:
        with _opened(content) as picture:
            return PictureFacts(
                format=str(picture.format),
                width=picture.width,
                height=picture.height,
                mode=picture.mode,
                frames=_frames(picture, content),
                orientation=_orientation(picture),
            )
    except DECODER_ERRORS as error:
        raise RowRefused(*_undecodable(error)) from error


def _opened(content: bytes) -> Image.Image:
    """The picture, not decoded yet, within all limits. Raises RowRefused."""
    if refusal := size_refusal(len(content)):
        raise RowRefused(*refusal)
    try:
        picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RowRefused(*_too_many_pixels(f"more than {MAX_PIXELS / MEGA:.0f} megapixels")) from None
    except UnidentifiedImageError:
        raise RowRefused("not_a_picture", f"the file is not one of {', '.join(FORMATS)}.") from None
    if refusal := _limit_refusal(picture, content):
        picture.close()
        raise RowRefused(*refusal)
    return picture


def _limit_refusal(picture: Image.Image, content: bytes) -> Refusal | None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        return _too_many_pixels(f"{width} x {height} pixels, {width * height / MEGA:.0f} megapixels")
    if _frames(picture, content) > MAX_FRAMES:
        return Refusal(
            "picture_too_many_frames",
            f"the picture has more than {MAX_FRAMES:,} frames; only the first would be used. Take the frames apart.",
        )
    return None


def _frames(picture: Image.Image, content: bytes) -> int:
    """How many frames there are, counted no further than one more than the limit."""
    if picture.format == "GIF":
        return _gif_frames(content)
    if picture.format == "TIFF":
        return _tiff_frames(picture)
    return int(getattr(picture, "n_frames", 1))


def _tiff_frames(picture: Image.Image) -> int:
    # One by one: asked for a page beyond the last, Pillow notes a wrong number of pages.
    frames = 1
    with contextlib.suppress(*DECODER_ERRORS):
        while frames <= MAX_FRAMES:
            picture.seek(frames)
            frames += 1
    picture.seek(0)
    return frames


def _gif_frames(content: bytes) -> int:
    # Pillow walks through all frames, and 64 MiB can hold millions.
    frames, place = 0, GIF_HEADER + _gif_colours(content[10])
    while place < len(content) and frames <= MAX_FRAMES:
        if content[place] == GIF_EXTENSION:
            place += 2
        elif content[place] == GIF_FRAME and place + GIF_DESCRIPTOR < len(content):
            frames += 1
            place += GIF_DESCRIPTOR + 2 + _gif_colours(content[place + GIF_DESCRIPTOR])
        else:
            break
        while place < len(content) and content[place]:
            place += content[place] + 1
        place += 1
    return max(frames, 1)


def _gif_colours(flags: int) -> int:
    """Bytes of the colour table that flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _orientation(picture: Image.Image) -> int:
    try:
        found = picture.getexif().get(ORIENTATION, 1)
    except DECODER_ERRORS:
        return 1
    return found if found in range(1, 9) else 1


def _too_many_pixels(what: str) -> Refusal:
    return Refusal(
        "picture_too_large",
        f"the picture has {what}; the limit is {MAX_PIXELS / MEGA:.0f} megapixels. Make it smaller.",
    )


def _undecodable(error: Exception) -> Refusal:
    said = str(error) or type(error).__name__
    if any(sign in said.lower() for sign in SIGNS_OF_TRUNCATION):
        return Refusal("picture_truncated", f"the picture ends too early: {said}.")
    return Refusal("picture_broken", f"the picture cannot be decoded: {said}.")
