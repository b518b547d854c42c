"""Whether a file is a picture that can be used: size limits before decoding, then a full decode."""

import contextlib
import io
import struct
import warnings
import zlib
from collections.abc import Iterator

from PIL import Image, UnidentifiedImageError

from ingestion.refusals import Refusal

MAX_PIXELS = 64_000_000
MAX_BYTES = 64 << 20
MEGA = 1_000_000
# EPS, PDF and the like run programs or fetch fonts when they are opened.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, EOFError,
    RuntimeError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
SIGNS_OF_TRUNCATION = ("truncated", "unexpected end", "end of file", "not enough", "incomplete")


@contextlib.contextmanager
def picture_limits() -> Iterator[None]:
    """Around checks in threads: Pillow's own warnings about broken files become refusals, not lines on stderr."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


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
    """A refusal for bytes that are no picture, too many pixels, or a picture that does not decode to its end."""
    if refusal := size_refusal(len(content)):
        return refusal
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                return _too_many_pixels(f"{width} x {height} pixels, {width * height / MEGA:.0f} megapixels")
            picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _too_many_pixels(f"more than {MAX_PIXELS / MEGA:.0f} megapixels")
    except UnidentifiedImageError:
        return Refusal("not_a_picture", f"the file is not one of {', '.join(FORMATS)}.")
    except DECODER_ERRORS as error:
        return _undecodable(error)
    return None


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
