"""What the three layouts of boxes share: a picture with its size, its boxes, and when they are refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from ingestion.pictures import DECODER_ERRORS, FORMATS, MAX_PIXELS, MEGA, size_refusal
from ingestion.refusals import RowRefused, shown

BOXES_COLUMN = "boxes"
PATH_COLUMN = "path"
ORIENTATION_TAG = 274
LYING_ORIENTATIONS = frozenset({5, 6, 7, 8})
ROUNDING_PIXELS = 1.0
FOLDERS_OF_PICTURES = ("images", "JPEGImages", "Images")


class Box(NamedTuple):
    """One object in a picture, in pixels from its upper left corner."""

    label: str
    x: float
    y: float
    width: float
    height: float


class Picture(NamedTuple):
    """A picture file, its path below the folder of pictures, and its size in pixels as it is shown."""

    file: Path
    path: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class BoxRow:
    """A picture with its boxes as they were read; a refusal where there is no such picture, or no readable label."""

    source: str
    number: int
    picture: Picture | RowRefused
    boxes: Sequence[Box] = ()
    content: str = ""


class Pictures:
    """Finds pictures in `folder`, or where it is not given, beside their labels."""

    def __init__(self, folder: Path | None, *, beside: Path) -> None:
        places = [beside / name for name in FOLDERS_OF_PICTURES] if folder is None else []
        self._folders = [place for place in places if place.is_dir()] + [beside if folder is None else folder]

    def find(self, name: str, *, stated: tuple[int, int] | None = None) -> Picture:
        """The picture that is called `name`. Raises RowRefused: it is missing, unreadable or not of the stated size."""
        path = PurePosixPath(name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise RowRefused(
                "picture_missing", f"the picture {shown(name)} is not a path below the folder of pictures."
            )
        for folder in self._folders:
            if (folder / path).is_file():
                return measured(folder / path, path.as_posix(), stated=stated)
        raise RowRefused("picture_missing", f"there is no picture {shown(name, limit=200)} in {self._folders[0]}.")


def measured(file: Path, path: str, *, stated: tuple[int, int] | None = None) -> Picture:
    """A picture with its size, from the file's header only."""
    if refusal := size_refusal(file.stat().st_size):
        raise RowRefused(*refusal)
    try:
        with Image.open(file, formats=FORMATS) as picture:
            width, height = picture.size
            lies = picture.getexif().get(ORIENTATION_TAG) in LYING_ORIENTATIONS
            if lies and picture.format == "TIFF":
                # Pillow tells its size turned upright already; labels are for it as it is stored.
                width, height = height, width
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        told = f"{shown(path, limit=200)} has too many pixels; the limit is {MAX_PIXELS / MEGA:.0f} megapixels."
        raise RowRefused("picture_too_large", told) from None
    except UnidentifiedImageError:
        told = f"{shown(path, limit=200)} is not one of {', '.join(FORMATS)}."
        raise RowRefused("not_a_picture", told) from None
    except DECODER_ERRORS as error:
        raise RowRefused("picture_broken", f"the picture {shown(path, limit=200)} cannot be opened: {error}.") from None
    if stated and (width, height) != stated:
        raise RowRefused(
            "out_of_range",
            f"the labels of {shown(path, limit=200)} are for {stated[0]} x {stated[1]} pixels, the picture has "
            f"{width} x {height}.",
        )
    return Picture(file, path, height if lies else width, width if lies else height)


def checked_boxes(boxes: Sequence[Box], picture: Picture) -> list[dict[str, object]]:
    """Boxes as they are kept. Raises RowRefused for one outside the picture, or without area."""
    return [_checked(number, box, picture) for number, box in enumerate(boxes, start=1)]


def _checked(number: int, box: Box, picture: Picture) -> dict[str, object]:
    left, top = max(box.x, 0.0), max(box.y, 0.0)
    right, bottom = min(box.x + box.width, picture.width), min(box.y + box.height, picture.height)
    cut = max(left - box.x, top - box.y, box.x + box.width - right, box.y + box.height - bottom)
    # Written so that NaN is refused too.
    if not cut <= ROUNDING_PIXELS:
        raise RowRefused("out_of_range", f"box {number} ({_place(box)}) leaves the picture, {_size(picture)}.")
    if not (right > left and bottom > top):
        raise RowRefused("out_of_range", f"box {number} ({_place(box)}) has no area.")
    return {"label": box.label, "x": left, "y": top, "width": right - left, "height": bottom - top}


def _place(box: Box) -> str:
    return f"{shown(box.label)}: x {box.x:g}, y {box.y:g}, width {box.width:g}, height {box.height:g}"


def _size(picture: Picture) -> str:
    return f"{picture.width} x {picture.height} pixels"
