"""What the checks know of each picture: its size and mode, how bright it is, and a small grey copy."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ingestion.blobs import blob_path
from ingestion.pictures import DECODER_ERRORS, FORMATS, picture_limits
from polyloom.errors import IntegrityError
from polyloom.progress import Bar

SIDE = 64
BLANK_DEVIATION = 2.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """One picture: width and height in pixels, mode, 64 bits of perceptual hash, grey copy uint8 [64, 64]."""

    width: int
    height: int
    mode: str
    perceptual: int
    grey: np.ndarray

    @property
    def is_blank(self) -> bool:
        """Whether it is black, white or one colour nearly everywhere."""
        return float(self.grey.std()) < BLANK_DEVIATION


def looks(names: Sequence[str], *, blobs: Path, bar: Bar) -> list[Look]:
    """A look at each blob, by threads. Raises IntegrityError for a blob that is gone or damaged."""

    def one(name: str) -> Look:
        look = look_at(blob_path(blobs, name))
        bar.advance()
        return look

    with picture_limits(), ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        return list(pool.map(one, names))


def look_at(path: Path) -> Look:
    """Decode a picture as small as its format allows. Raises IntegrityError when it cannot be decoded."""
    import imagehash

    try:
        with Image.open(path, formats=FORMATS) as picture:
            size, mode = picture.size, picture.mode
            picture.draft("L", (4 * SIDE, 4 * SIDE))
            grey = grey_copy(picture)
    except DECODER_ERRORS as error:
        raise IntegrityError(f"{path}: the picture can no longer be decoded ({error}). Ingest again.") from error
    bits = imagehash.phash(grey).hash.ravel()
    return Look(
        width=size[0],
        height=size[1],
        mode=mode,
        perceptual=int.from_bytes(np.packbits(bits).tobytes()),
        grey=np.asarray(grey, np.uint8),
    )


def grey_copy(picture: Image.Image) -> Image.Image:
    """A grey copy of 64 x 64, upright, and white where it is transparent."""
    upright = ImageOps.exif_transpose(picture)
    if upright.has_transparency_data:
        coloured = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured)
    if upright.mode.startswith(("I", "F")):
        upright = in_eight_bits(upright)
    return upright.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def in_eight_bits(picture: Image.Image) -> Image.Image:
    """A grey picture of 16 or 32 bits, its own range of values stretched over 0 to 255."""
    values = np.nan_to_num(np.asarray(picture, np.float64))
    low, high = float(values.min()), float(values.max())
    # Whole numbers that hardly differ are noise on a blank picture: stretched, it would look like one.
    span = max(high - low, 1e-9 if picture.mode.startswith("F") else 256.0)
    return Image.fromarray(((values - low) * (255 / span)).astype(np.uint8))
