"""A watched folder, or a glob: the files of one kind that are there now, in an order that does not change."""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from polyloom.errors import RequestError

GLOB_SIGNS = frozenset("*?[")
UNFINISHED = (".part", ".partial", ".tmp", ".crdownload", "~")
LISTED = 5


def is_glob(path: str) -> bool:
    """Whether a path means several files, such as `logs/*.jsonl`. A file that is really called so is not meant."""
    return not GLOB_SIGNS.isdisjoint(path) and not Path(path).exists()


def watched_files(path: Path, *, pattern: str = "*") -> list[Path]:
    """The files below a folder whose names match `pattern`, or those that a glob means; sorted by their path.

    Hidden files, and those that a download has not finished, are left out.

    Raises:
        RequestError: there is no such folder, no such file, or the files are of more than one kind.
    """
    if is_glob(str(path)):
        root = next(parent for parent in path.parents if not is_glob(str(parent)))
        matches = root.glob(str(path.relative_to(root)))
        found = [file for file in matches if file.is_file() and is_meant(file.relative_to(root))]
        shown = str(path)
    else:
        if not path.is_dir():
            raise RequestError(f"path: there is no folder {path}. Check the path, or make the folder.")
        found = [file for file in _below(path) if fnmatchcase(file.name, pattern)]
        shown = str(path / pattern)
    if not found:
        raise RequestError(f"path: no file matches {shown}. Check the pattern, or put a file there.")
    files = sorted(found, key=lambda file: file.as_posix())
    _check_one_kind(files, shown)
    return files


def is_meant(below: Path) -> bool:
    """Whether a file at this place below a folder is neither hidden nor unfinished."""
    return all(map(_counts, below.parts))


def _below(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(where, name) for name in names if _counts(name))


def _counts(name: str) -> bool:
    return not name.startswith((".", "~$")) and not name.endswith(UNFINISHED)


def _check_one_kind(files: list[Path], shown: str) -> None:
    first = {file.suffix.lower(): file for file in reversed(files)}
    if len(first) > 1:
        examples = ", ".join(sorted(file.name for file in first.values())[:LISTED])
        raise RequestError(
            f"path: {shown} matches files of more than one kind: {examples}. Narrow the pattern, such as "
            f"{'*' + files[0].suffix!r}."
        )
