"""Pictures with boxes: COCO, Pascal VOC and YOLO; a row is a picture with the list of its boxes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from ingestion.readers.coco_boxes import coco_rows
from ingestion.readers.labelled_boxes import BOXES_COLUMN, PATH_COLUMN, BoxRow, Pictures, checked_boxes
from ingestion.readers.reader import RawRow, refused_row
from ingestion.readers.voc_boxes import voc_rows
from ingestion.readers.yolo_boxes import yolo_rows
from ingestion.refusals import RowRefused
from polyloom.errors import DataError, RequestError

Layout = Literal["coco", "voc", "yolo"]


class BoxesReader:
    """The pictures of one folder (VOC, YOLO) or of one JSON file (COCO).

    Columns: the picture (an absolute path), `boxes` and `path`, the picture's path below its folder. A box is a dict
    of `label`, `x`, `y`, `width`, `height` in pixels from the upper left corner of the picture as it is shown. One that
    leaves the picture by at most a pixel, as rounding makes it, is cut; else its row is refused. VOC's xmin to xmax
    are read as edges. `images` is the folder of the pictures; without it, it is looked for where the layout puts it.
    `classes` is YOLO's list of names, a text file or data.yaml; where there is none, the numbers are the labels.
    """

    def __init__(
        self,
        path: Path,
        *,
        layout: Layout,
        images: Path | None = None,
        classes: Path | None = None,
        image: str = "image",
    ) -> None:
        if layout not in {"coco", "voc", "yolo"}:
            raise RequestError(f"layout: {layout!r} is not known. Allowed are coco, voc and yolo.")
        if layout == "coco" and path.is_dir():
            raise RequestError(f"path: {path} is a folder; `layout: coco` needs the JSON file in it.")
        if layout != "coco" and not path.is_dir():
            raise RequestError(f"path: {path} is a file; `layout: {layout}` needs the folder of its labels.")
        if image in {BOXES_COLUMN, PATH_COLUMN}:
            raise RequestError(f"image: {image!r} is the name of another column of this source. Choose another name.")
        self._path = path
        self._layout = layout
        self._images = images
        self._classes = classes
        self._image = image

    def header(self) -> frozenset[str]:
        """The picture, its boxes and its path."""
        return frozenset({self._image, BOXES_COLUMN, PATH_COLUMN})

    def rows(self) -> Iterator[RawRow]:
        """A row for each picture, with boxes or without, and for each label file or entry without a picture."""
        rows = self._found()
        first = next(rows, None)
        if first is None:
            raise DataError(f"{self._path.name} holds no pictures with boxes. Check `path`, `layout` and `images`.")
        yield self._row(first)
        yield from map(self._row, rows)

    def _found(self) -> Iterator[BoxRow]:
        if self._layout == "coco":
            return coco_rows(self._path, Pictures(self._images, beside=self._path.parent))
        if self._layout == "voc":
            return voc_rows(self._path, images=self._images)
        return yolo_rows(self._path, images=self._images, classes=self._classes)

    def _row(self, row: BoxRow) -> RawRow:
        if isinstance(row.picture, RowRefused):
            return refused_row(row.source, row.number, row.picture.refusal, row.content)
        try:
            boxes = checked_boxes(row.boxes, row.picture)
        except RowRefused as refused:
            return refused_row(row.source, row.number, refused.refusal, row.content)
        values = {self._image: str(row.picture.file), BOXES_COLUMN: boxes, PATH_COLUMN: row.picture.path}
        return RawRow(row.source, row.number, values, content=row.content)
