"""Picture folders: one folder a class; a row is a file, its key the path below the root."""

import os
from collections.abc import Iterator
from pathlib import Path

from ingestion.readers.reader import RawRow

SUFFIXES = frozenset({".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini"})
PATH_COLUMN = "path"
LABEL_COLUMN = "label"


class FolderReader:
    """The pictures below one folder, with the name of the topmost folder as their label."""

    def __init__(self, root: Path, *, image: str) -> None:
        self._root = root
        self._image = image

    def header(self) -> frozenset[str]:
        """The picture, its label and its path."""
        return frozenset({self._image, LABEL_COLUMN, PATH_COLUMN})

    def rows(self) -> Iterator[RawRow]:
        """A row for each file in a class folder, and for each picture beside them, which has no label."""
        for number, relative in enumerate(picture_files(self._root), start=1):
            path = relative.as_posix()
            label = relative.parts[0] if len(relative.parts) > 1 else None
            values = {self._image: str(self._root / relative), LABEL_COLUMN: label, PATH_COLUMN: path}
            yield RawRow(path, number, values)


def picture_files(root: Path) -> list[Path]:
    """Paths below `root`, sorted; no hidden files, and of those beside the class folders only pictures."""
    found: list[Path] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = Path(folder).relative_to(root)
        found += [below / name for name in files if _counts(name, in_class=below != Path())]
    return sorted(found)


def _counts(name: str, *, in_class: bool) -> bool:
    if name.startswith(".") or name.lower() in SYSTEM_FILES:
        return False
    return in_class or Path(name).suffix.lower() in SUFFIXES
