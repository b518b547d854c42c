"""Pictures to pixels: decoded, turned upright, resized, cropped to the centre, normalised."""

import io
import struct
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from modalities.preparation.protocol import Arrays
from polyloom.durable import read_json, write_json

RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}
# By EXIF orientation; Pillow's own way also rewrites the EXIF block, and fails where that is damaged.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ORIENTATION = 0x0112
LYING = frozenset({5, 6, 7, 8})
EXIF_ERRORS = (SyntaxError, ValueError, TypeError, LookupError, EOFError, OSError, struct.error)


class PicturePreparation:
    """`pixels` [batch, 3, size, size], float32: `(value / 255 - mean) / deviation` per channel.

    The shorter side is resized to `size / crop`, then the centre is cut out; `whole` squeezes the whole picture into
    the square instead, so that shares of the picture stay what they are. A value is the picture file's bytes or its
    path.
    """

    kind = "image"

    def __init__(
        self,
        *,
        column: str,
        size: int,
        mean: Sequence[float],
        deviation: Sequence[float],
        crop: float = 1.0,
        interpolation: str = "bicubic",
        whole: bool = False,
    ) -> None:
        self.column = column
        self.size = size
        self.mean = tuple(mean)
        self.deviation = tuple(deviation)
        self.crop = crop
        self.interpolation = interpolation
        self.whole = whole

    def value(self, row: Mapping[str, object]) -> object | None:
        """The row's picture: bytes, or a path."""
        return row.get(self.column)

    def __call__(self, values: Sequence[object]) -> Arrays:
        """Normalised pixels of a batch of pictures."""
        return {"pixels": self.normalise(self.decode(values))}

    def decode(self, values: Sequence[object]) -> np.ndarray:
        """Upright, resized and cropped pictures, uint8 [batch, size, size, 3]."""
        if len(values) < 8:
            return self._stack([self._square(value) for value in values])
        with ThreadPoolExecutor(max_workers=2) as threads:
            return self._stack(list(threads.map(self._square, values, chunksize=16)))

    def normalise(self, pictures: np.ndarray) -> np.ndarray:
        """uint8 [batch, size, size, 3] to float32 [batch, 3, size, size]."""
        scale = np.float32(255.0) * np.asarray(self.deviation, dtype=np.float32)
        shift = np.asarray(self.mean, dtype=np.float32) / np.asarray(self.deviation, dtype=np.float32)
        return np.ascontiguousarray((pictures / scale - shift).transpose(0, 3, 1, 2), dtype=np.float32)

    def resized(self, size: int) -> "PicturePreparation":
        """The same preparation for pictures of another size."""
        settings = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        return PicturePreparation(**{**settings, "size": size})

    def save(self, folder: Path) -> None:
        """Write the settings."""
        settings = {name: value for name, value in vars(self).items() if not name.startswith("_")}
        write_json(folder / "preparation.json", {"kind": self.kind, **settings})

    @classmethod
    def load(cls, folder: Path) -> "PicturePreparation":
        """Read what `save` wrote."""
        settings = read_json(folder / "preparation.json")
        del settings["kind"]
        return cls(**settings)

    def _stack(self, pictures: list[np.ndarray]) -> np.ndarray:
        return np.stack(pictures) if pictures else np.zeros((0, self.size, self.size, 3), dtype=np.uint8)

    def _square(self, value: object) -> np.ndarray:
        with Image.open(source_of(value)) as picture:
            upright = turned_upright(as_rgb(picture), orientation(picture))
        if self.whole:
            return np.asarray(upright.resize((self.size, self.size), RESAMPLING[self.interpolation]))
        side = min(upright.size) * self.crop
        left, top = ((length - side) / 2 for length in upright.size)
        box = (left, top, left + side, top + side)
        # Cut and resized in one step: a long thin strip would otherwise become a picture of gigabytes first.
        return np.asarray(upright.resize((self.size, self.size), RESAMPLING[self.interpolation], box=box))


def source_of(value: object) -> io.BytesIO | str:
    """A picture file's bytes or its path, as Pillow opens it."""
    return io.BytesIO(value) if isinstance(value, bytes) else str(value)


def shown_size(value: object) -> tuple[int, int]:
    """Width and height in pixels of a picture as it is shown, turned upright; only the file's head is read."""
    with Image.open(source_of(value)) as picture:
        width, height = picture.size
        # Pillow tells a TIFF's size turned upright already.
        lies = picture.format != "TIFF" and orientation(picture) in LYING
        return (height, width) if lies else (width, height)


def as_rgb(picture: Image.Image) -> Image.Image:
    """Any picture as RGB: greys of more than 8 bits are scaled, not clipped; transparent parts become white."""
    if picture.mode.startswith(("I", "F")):
        return scaled_greys(picture).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    white = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(white, layered).convert("RGB")


def scaled_greys(picture: Image.Image) -> Image.Image:
    """Deep greys in 8 bits. White is the least of 1 and 255 (for fractions), 65535 and the brightest that holds all."""
    greys = np.nan_to_num(np.asarray(picture, dtype=np.float64), posinf=0.0).clip(min=0.0)
    brightest = float(greys.max(initial=0.0))
    whites = (1.0, 255.0, 65535.0) if picture.mode == "F" else (65535.0,)
    white = next((white for white in whites if brightest <= white), brightest)
    return Image.fromarray((greys / white * 255).round().astype(np.uint8))


def orientation(picture: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; upright (1) where there is none or it cannot be read."""
    try:
        return int(picture.getexif().get(ORIENTATION, 1))
    except EXIF_ERRORS:
        return 1


def turned_upright(picture: Image.Image, stored: int) -> Image.Image:
    """A picture turned from the orientation in which it is stored."""
    turn = TURNS.get(stored)
    return picture if turn is None else picture.transpose(turn)
