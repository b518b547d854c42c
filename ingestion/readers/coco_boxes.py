"""COCO: one JSON file with images, annotations and categories, read as a stream; only the numbers of boxes are held."""

import json
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path

import ijson  # type: ignore[import-untyped]  # it brings no types
import numpy as np

from ingestion.readers.json_array import arrays_of, opened_json, without_decimals
from ingestion.readers.labelled_boxes import Box, BoxRow, Pictures
from ingestion.refusals import RowRefused, shown
from polyloom.errors import DataError

PARTS = ("images", "annotations", "categories")
NEEDS = "A COCO file has `images`, `annotations` and `categories`."


class Annotations:
    """Boxes by the position of their image; `broken` says of an image why its boxes cannot be read."""

    def __init__(self) -> None:
        self._images = array("q")
        self._categories = array("q")
        self._numbers = array("d")
        self._places = self._sorted = np.empty(0, np.int64)
        self.broken: dict[int, RowRefused] = {}

    def add(self, image: int, category: int, box: list[float]) -> None:
        """One box: left, top, width, height."""
        self._images.append(image)
        self._categories.append(category)
        self._numbers.extend(box)

    def finish(self) -> None:
        """Sort by image; the boxes of one image stay in their order."""
        images = np.array(self._images, np.int64)
        self._places = np.argsort(images, kind="stable")
        self._sorted = images[self._places]

    def boxes(self, image: int, names: list[str]) -> list[Box]:
        """The boxes of an image; `names` are the categories by position. Raises RowRefused for a broken one."""
        if image in self.broken:
            raise self.broken[image]
        start, end = np.searchsorted(self._sorted, [image, image + 1])
        places = self._places[start:end].tolist()
        return [Box(names[self._categories[one]], *self._numbers[one * 4 : one * 4 + 4]) for one in places]


def coco_rows(path: Path, pictures: Pictures) -> Iterator[BoxRow]:
    """A row for each image, numbered as it stands in `images`; then one for each annotation of no image."""
    if not path.stat().st_size:
        raise DataError(f"{path.name} is empty. {NEEDS}")
    missing = [name for name in PARTS if name not in (arrays_of(path) or ())]
    if missing:
        raise DataError(f"{path.name} has no list {missing[0]!r}. {NEEDS}")
    names = {_identity(one, "id"): str(one.get("name")) for one in _objects(path, "categories")}
    positions: dict[object, int] = {}
    for position, image in enumerate(_objects(path, "images")):
        positions.setdefault(_identity(image, "id"), position)
    annotations = Annotations()
    strays = list(_strays(path, annotations, positions, {identity: place for place, identity in enumerate(names)}))
    annotations.finish()
    for position, image in enumerate(_objects(path, "images")):
        yield _row(path.name, position, image, positions, annotations, list(names.values()), pictures)
    yield from strays


def _strays(
    path: Path, annotations: Annotations, positions: Mapping[object, int], categories: Mapping[object, int]
) -> Iterator[BoxRow]:
    """Take in each annotation; gives a refused row for each that belongs to no image."""
    for number, one in enumerate(_objects(path, "annotations"), start=1):
        identity = _identity(one, "image_id")
        image = None if identity is None else positions.get(identity)
        if image is None:
            refused = RowRefused("unknown_reference", f"no image has the id {shown(one.get('image_id'))}.")
            yield BoxRow(f"{path.name}, annotations", number, refused, content=json.dumps(one, ensure_ascii=False))
            continue
        try:
            annotations.add(image, _category(one, categories), _numbers(one))
        except RowRefused as refused:
            annotations.broken.setdefault(image, refused)


def _row(
    source: str,
    position: int,
    image: Mapping[str, object],
    positions: Mapping[object, int],
    annotations: Annotations,
    names: list[str],
    pictures: Pictures,
) -> BoxRow:
    content = json.dumps(image, ensure_ascii=False)
    try:
        _check_first(position, image, positions)
        boxes = annotations.boxes(position, names)
        picture = pictures.find(str(image.get("file_name") or ""), stated=_size(image))
    except RowRefused as refused:
        return BoxRow(source, position + 1, refused, content=content)
    return BoxRow(source, position + 1, picture, boxes, content)


def _check_first(position: int, image: Mapping[str, object], positions: Mapping[object, int]) -> None:
    identity = _identity(image, "id")
    if identity is None:
        raise RowRefused("missing_value", "the image has no id.")
    if positions[identity] != position:
        raise RowRefused("duplicate_key", f"the id {shown(identity)} stands in an image above already.")


def _identity(element: Mapping[str, object], name: str) -> int | str | None:
    value = element.get(name)
    return value if isinstance(value, int | str) else None


def _size(image: Mapping[str, object]) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) and width and height else None


def _category(annotation: Mapping[str, object], categories: Mapping[object, int]) -> int:
    category = _identity(annotation, "category_id")
    if category not in categories:
        named = shown(annotation.get("category_id"))
        raise RowRefused("not_allowed", f"an annotation has the category {named}, which has no name.")
    return categories[category]


def _numbers(annotation: Mapping[str, object]) -> list[float]:
    box = annotation.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(isinstance(number, int | float) for number in box):
        raise RowRefused("wrong_type", f"an annotation has the bbox {shown(box)}, not left, top, width and height.")
    try:
        return [float(number) for number in box]
    except OverflowError:
        raise RowRefused("wrong_type", f"an annotation has the bbox {shown(box)}: a number is too large.") from None


def _objects(path: Path, name: str) -> Iterator[dict[str, object]]:
    with opened_json(path) as stream:
        for number, element in enumerate(ijson.items(stream, f"{name}.item"), start=1):
            if not isinstance(element, dict):
                raise DataError(f"{path.name}: element {number} of `{name}` is no object. {NEEDS}")
            yield {key: without_decimals(value) for key, value in element.items() if key != "segmentation"}
