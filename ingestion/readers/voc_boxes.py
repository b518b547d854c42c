"""Pascal VOC: one XML file a picture."""

import math
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from ingestion.readers.labelled_boxes import Box, BoxRow, Pictures
from ingestion.refusals import RowRefused, shown

MAX_XML_BYTES = 16 << 20
FOLDER_OF_LABELS = "Annotations"
EDGES = ("xmin", "ymin", "xmax", "ymax")


def voc_rows(folder: Path, *, images: Path | None) -> Iterator[BoxRow]:
    """A row for each XML file below `folder`, or below its `Annotations` where it has such."""
    labels = folder / FOLDER_OF_LABELS if (folder / FOLDER_OF_LABELS).is_dir() else folder
    beside = labels.parent if labels.name == FOLDER_OF_LABELS else labels
    pictures = Pictures(images, beside=beside)
    for file in sorted(labels.rglob("*.xml")):
        yield _row(file, file.relative_to(folder).as_posix(), pictures)


def _row(file: Path, source: str, pictures: Pictures) -> BoxRow:
    content = ""
    try:
        written = _content(file)
        content = written.decode("utf-8", "replace")
        root = _parsed(written)
        boxes = [_box(one) for one in root.iterfind("object")]
        picture = pictures.find(_text(root, "filename") or f"{file.stem}.jpg", stated=_size(root))
    except RowRefused as refused:
        return BoxRow(source, 1, refused, content=content)
    return BoxRow(source, 1, picture, boxes, content)


def _content(file: Path) -> bytes:
    if file.stat().st_size > MAX_XML_BYTES:
        raise RowRefused("field_too_large", f"the file has more than {MAX_XML_BYTES >> 20} MiB.")
    return file.read_bytes()


def _parsed(written: bytes) -> Element:
    try:
        root: Element = ElementTree.fromstring(written, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise RowRefused("wrong_type", f"the file is not XML that can be read: {error}.") from None
    return root


def _box(element: Element) -> Box:
    edges = element.find("bndbox")
    label = _text(element, "name")
    if edges is None or not label:
        raise RowRefused("missing_value", "an <object> has no <name> or no <bndbox>.")
    left, top, right, bottom = (_number(edges, name) for name in EDGES)
    return Box(label, left, top, right - left, bottom - top)


def _size(root: Element) -> tuple[int, int] | None:
    """The stated width and height; tools write zeros where they did not know."""
    size = root.find("size")
    if size is None:
        return None
    width, height = _number(size, "width"), _number(size, "height")
    return (int(width), int(height)) if width > 0 and height > 0 else None


def _number(element: Element, name: str) -> float:
    text = _text(element, name)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise RowRefused("wrong_type", f"<{element.tag}> has {shown(text)} as <{name}>, not a number.")
    return number


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()
