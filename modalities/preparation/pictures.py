"""Pictures to pixels: decoded, turned upright, resized, cropped to the centre, normalised."""

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from modalities.preparation.protocol import Arrays
from polyloom.durable import read_json, write_json

RESAMPLING = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}


class PicturePreparation:
    """`pixels` [batch, 3, size, size], float32: `(value / 255 - mean) / deviation` per channel.

    The shorter side is resized to `size / crop`, then the centre is cut out. A value is the picture
    file's bytes or its path.
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
    ) -> None:
        self.column = column
        self.size = size
        self.mean = tuple(mean)
        self.deviation = tuple(deviation)
        self.crop = crop
        self.interpolation = interpolation

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
        source = io.BytesIO(value) if isinstance(value, bytes) else str(value)
        with Image.open(source) as picture:
            upright = as_rgb(ImageOps.exif_transpose(picture))
        side = min(upright.size) * self.crop
        left, top = ((length - side) / 2 for length in upright.size)
        box = (left, top, left + side, top + side)
        # Cut and resized in one step: a long thin strip would otherwise become a picture of gigabytes first.
        return np.asarray(upright.resize((self.size, self.size), RESAMPLING[self.interpolation], box=box))


def as_rgb(picture: Image.Image) -> Image.Image:
    """Any picture as RGB: 16-bit greys keep their brightness, transparent parts become white."""
    if picture.mode.startswith("I"):
        greys = np.asarray(picture, dtype=np.float64).clip(min=0.0)
        return Image.fromarray((greys / max(greys.max(), 65535.0) * 255).round().astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layered = picture.convert("RGBA")
    white = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(white, layered).convert("RGB")
