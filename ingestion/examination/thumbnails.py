"""Pictures small enough to lie inside a page."""

import base64
import io
from pathlib import Path

from PIL import Image, ImageOps

from ingestion.blobs import blob_path
from ingestion.examination.pictures import in_eight_bits
from ingestion.pictures import DECODER_ERRORS, FORMATS, picture_limits

SIDE = 112


class Thumbnails:
    """Data addresses of blobs, at most `limit` of them in all; empty for one more, and for a blob that is gone."""

    def __init__(self, blobs: Path, *, limit: int = 160) -> None:
        self._blobs = blobs
        self._limit = limit
        self._made: dict[str, str] = {}

    def address(self, name: str | None) -> str:
        """A `data:` address of a JPEG of at most 112 x 112 pixels."""
        if name is None or (name not in self._made and len(self._made) >= self._limit):
            return ""
        if name not in self._made:
            self._made[name] = _address(blob_path(self._blobs, name))
        return self._made[name]


def _address(path: Path) -> str:
    buffer = io.BytesIO()
    try:
        with picture_limits(), Image.open(path, formats=FORMATS) as picture:
            picture.draft("RGB", (2 * SIDE, 2 * SIDE))
            _shown(ImageOps.exif_transpose(picture)).save(buffer, format="JPEG", quality=80)
    except DECODER_ERRORS:
        return ""
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _shown(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        picture = in_eight_bits(picture)
    coloured = picture.convert("RGBA")
    shown = Image.alpha_composite(Image.new("RGBA", coloured.size, "white"), coloured).convert("RGB")
    shown.thumbnail((SIDE, SIDE))
    return shown
