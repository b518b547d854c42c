"""YOLO: beside each picture a text file, with `class x y width height` a line, as shares of the picture."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from ingestion.readers.folders import SUFFIXES, picture_files
from ingestion.readers.labelled_boxes import Box, BoxRow, Picture, measured
from ingestion.refusals import RowRefused, shown
from polyloom.errors import DataError

FOLDER_OF_PICTURES, FOLDER_OF_LABELS = "images", "labels"
FILES_OF_CLASSES = ("data.yaml", "data.yml", "dataset.yaml", "classes.txt", "obj.names")
NOT_LABELS = frozenset({"classes.txt", "train.txt", "valid.txt", "val.txt", "test.txt", "readme.txt"})
FIELDS = ("class", "x", "y", "width", "height")
MAX_LABEL_BYTES = 16 << 20


def yolo_rows(folder: Path, *, images: Path | None, classes: Path | None) -> Iterator[BoxRow]:
    """A row for each picture, whose labels lie in `labels` beside `images`, or beside it; one for each other label."""
    pictures = images or (folder / FOLDER_OF_PICTURES if (folder / FOLDER_OF_PICTURES).is_dir() else folder)
    labels = folder / FOLDER_OF_LABELS if (folder / FOLDER_OF_LABELS).is_dir() else folder
    names = _class_names(_file_of_classes(folder) if classes is None else classes)
    used = set()
    for relative in picture_files(pictures):
        if relative.suffix.lower() in SUFFIXES:
            file = (labels / _label_path(relative)).with_suffix(".txt")
            used.add(file)
            yield _row(file, pictures / relative, relative.as_posix(), folder, names)
    for file in sorted(labels.rglob("*.txt")):
        if file not in used and file.name.lower() not in NOT_LABELS:
            refused = RowRefused("picture_missing", f"there is no picture for these labels in {pictures}.")
            yield BoxRow(_shown_path(file, folder), 1, refused, content=_text(file))


def _label_path(relative: Path) -> Path:
    """Where the labels of `train/images/1.jpg` lie: `train/labels/1.txt`, the last `images` being replaced."""
    parts = list(relative.parts)
    for place in range(len(parts) - 2, -1, -1):
        if parts[place] == FOLDER_OF_PICTURES:
            parts[place] = FOLDER_OF_LABELS
            break
    return Path(*parts)


def _row(file: Path, picture_file: Path, path: str, folder: Path, names: Mapping[int, str]) -> BoxRow:
    if not file.is_file():
        # By YOLO's rule a picture without a label file shows none of the classes.
        return BoxRow(_shown_path(picture_file, folder), 1, _measured(picture_file, path))
    source, content = _shown_path(file, folder), _text(file)
    picture = _measured(picture_file, path)
    if isinstance(picture, RowRefused):
        return BoxRow(source, 1, picture, content=content)
    try:
        boxes = [_box(number, line, picture, names) for number, line in _filled_lines(content)]
    except RowRefused as refused:
        return BoxRow(source, 1, refused, content=content)
    return BoxRow(source, 1, picture, boxes, content)


def _measured(file: Path, path: str) -> Picture | RowRefused:
    try:
        return measured(file, path)
    except RowRefused as refused:
        return refused


def _filled_lines(content: str) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(content.split("\n"), start=1) if line.strip())


def _box(number: int, line: str, picture: Picture, names: Mapping[int, str]) -> Box:
    fields = line.split()
    if len(fields) != len(FIELDS):
        raise RowRefused(
            "ragged_row", f"line {number} has {len(fields)} fields; a box has {len(FIELDS)}: {' '.join(FIELDS)}."
        )
    try:
        kind, (x, y, width, height) = int(fields[0]), map(float, fields[1:])
    except ValueError:
        raise RowRefused(
            "wrong_type", f"line {number}, {shown(line.strip())}, is not a class and four numbers."
        ) from None
    if names and kind not in names:
        raise RowRefused(
            "not_allowed", f"line {number} has the class {kind}, which has no name. Known: {_listed(names)}."
        )
    return Box(
        names.get(kind, str(kind)),
        (x - width / 2) * picture.width,
        (y - height / 2) * picture.height,
        width * picture.width,
        height * picture.height,
    )


def _text(file: Path) -> str:
    with file.open("rb") as stream:
        return stream.read(MAX_LABEL_BYTES).decode("utf-8-sig", "replace")


def _shown_path(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name


def _file_of_classes(folder: Path) -> Path | None:
    places = (place / name for place in (folder, folder.parent) for name in FILES_OF_CLASSES)
    return next((place for place in places if place.is_file()), None)


def _class_names(file: Path | None) -> dict[int, str]:
    """Names by their number; none where there is no file of them."""
    if file is None:
        return {}
    if file.suffix.lower() not in {".yaml", ".yml"}:
        return dict(enumerate(line.strip() for line in _text(file).splitlines() if line.strip()))
    try:
        content = yaml.safe_load(_text(file))
    except yaml.YAMLError as error:
        raise DataError(f"{file.name} cannot be read: {' '.join(str(error).split())}. Repair it.") from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        return {number: str(name) for number, name in enumerate(names)}
    if isinstance(names, dict) and all(isinstance(number, int) for number in names):
        return {number: str(name) for number, name in names.items()}
    raise DataError(f"{file.name} has no `names`: a list of the classes, or their numbers with their names. Add them.")


def _listed(names: Mapping[int, str]) -> str:
    return ", ".join(f"{number} {name}" for number, name in sorted(names.items())[:20])
