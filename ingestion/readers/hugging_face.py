"""Hugging Face: a folder that `save_to_disk` of the library `datasets` wrote, of one data set or of several splits."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from ingestion.readers.arrow_file import check_column
from ingestion.readers.parquet import numbered, python_values
from ingestion.readers.picture_values import PictureBytes
from ingestion.readers.reader import RawRow
from polyloom.durable import read_json
from polyloom.errors import DataError, RequestError, suggestion

if TYPE_CHECKING:
    from datasets import Dataset  # type: ignore[import-untyped]  # it brings no types

SPLIT_COLUMN = "split"
ROWS_PER_BATCH = 1000
PICTURES_PER_BATCH = 64
DICT_FILE = "dataset_dict.json"
MARKS = (DICT_FILE, "state.json")

Reading = Callable[[object], object]


class HuggingFaceReader:
    """The rows of one data set, or of all splits of several with the column `split`.

    `split` chooses one. Class labels come as their names, pictures as bytes or paths; nothing is decoded.
    """

    def __init__(self, folder: Path, *, split: str | None = None) -> None:
        if not any((folder / mark).is_file() for mark in MARKS):
            raise DataError(
                f"{folder.name} is empty or was not written by save_to_disk of the library `datasets`: it has none of "
                f"{', '.join(MARKS)}. Give the folder that was written."
            )
        self._folder = folder
        self._folders = self._chosen(split)

    def header(self) -> frozenset[str]:
        """The columns of the first split, and `split` where there may be several."""
        name, folder = next(iter(self._folders.items()))
        with _damage(folder):
            return frozenset({*_loaded(folder).features, *([SPLIT_COLUMN] if name else [])})

    def rows(self) -> Iterator[RawRow]:
        """Every row, numbered from 1 in its split."""
        for name, folder in self._folders.items():
            source = f"{self._folder.name}/{name}" if name else self._folder.name
            with _damage(folder):
                for row in _rows_of(_loaded(folder), source):
                    # A column of the data set's own that is called `split` stays.
                    yield RawRow(source, row.number, {SPLIT_COLUMN: name, **row.values}) if name else row

    def _chosen(self, split: str | None) -> dict[str, Path]:
        """The folders to read, by split; the split is empty for a data set that has none."""
        splits = self._splits()
        if split is None:
            return splits
        if split not in splits:
            raise RequestError(
                f"split: {self._folder.name} has no {split!r}.{suggestion(split, splits)} "
                f"It has {', '.join(filter(None, splits)) or 'no splits'}."
            )
        return {split: splits[split]}

    def _splits(self) -> dict[str, Path]:
        if not (self._folder / DICT_FILE).is_file():
            return {"": self._folder}
        with _damage(self._folder):
            names: list[str] = read_json(self._folder / DICT_FILE)["splits"]
        if not names:
            raise DataError(f"{self._folder.name} is empty: {DICT_FILE} names no splits.")
        return {name: self._folder / name for name in names}


def _rows_of(data: "Dataset", source: str) -> Iterator[RawRow]:
    readings = {name: _reading(feature) for name, feature in data.features.items()}
    size = PICTURES_PER_BATCH if _picture in readings.values() else ROWS_PER_BATCH
    first = 1
    for batch in data.with_format("arrow").iter(batch_size=size):
        for name in readings:
            for chunk in batch[name].chunks:
                check_column(chunk)
        columns = {
            name: [reading(value) for value in python_values(batch[name].combine_chunks())]
            for name, reading in readings.items()
        }
        yield from numbered(source, first, columns)
        first += batch.num_rows


def _reading(feature: object) -> Reading:
    """How a stored value of a feature is read."""
    from datasets import ClassLabel, Image, LargeList, List

    if isinstance(feature, Image):
        return _picture
    if isinstance(feature, ClassLabel):
        return partial(_label, feature.names)
    if isinstance(feature, List | LargeList):
        return partial(_each, _reading(feature.feature))
    return _as_it_is


def _picture(value: object) -> object:
    if not isinstance(value, dict):
        return value
    content = value.get("bytes")
    return PictureBytes(content) if isinstance(content, bytes) else value.get("path")


def _label(names: Sequence[str], value: object) -> object:
    """The name of a class; -1 stands for an unknown one."""
    if isinstance(value, int) and value < len(names):
        return names[value] if value >= 0 else None
    return value


def _each(reading: Reading, value: object) -> object:
    return [reading(one) for one in value] if isinstance(value, list) else value


def _as_it_is(value: object) -> object:
    return value


def _loaded(folder: Path) -> "Dataset":
    try:
        from datasets import load_from_disk
    except ImportError as error:
        raise RequestError(
            f"{folder.name}: folders of Hugging Face data sets need the library `datasets`. "
            f"Install polyloom[huggingface]."
        ) from error
    return load_from_disk(str(folder))


@contextmanager
def _damage(folder: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{folder.name} is not a whole data set: {error or type(error).__name__}. Write it again with save_to_disk."
        ) from error
