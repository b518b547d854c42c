"""What ingestion is told about one source of rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ingestion.cleaning import Cleaning
from ingestion.datasets import locate
from ingestion.readers.archives import MEMBER_MARK, split_member
from ingestion.remote import fetch, is_address
from ingestion.rules import Rules
from ingestion.watched import is_glob
from polyloom.errors import RequestError
from polyloom.home import home

Kind = Literal[
    "table",
    "pictures",
    "sql",
    "conll",
    "semeval",
    "squad",
    "idx",
    "boxes",
    "hf",
    "folder",
    "log",
    "documents",
    "feedback",
]
SPLITS = ("train", "validation", "test")
UNSPLIT = ""
# Rows that are learned from whatever shares of the table are cut off for judging.
TRAIN_ONLY = "train only"


@dataclass(frozen=True, kw_only=True)
class TableSource:
    """One table of a scenario: where its rows come from and what its columns mean.

    `paths` maps a split to an absolute path; the split `""` stands for one source whose rows are split by
    their key, or by the column `split`. `columns` maps a name to number, category, labels, text, time or boxes.
    `weight` is the column that holds the kind of an event. `group` keeps rows with the same value in one split,
    `time_split` gives the newest rows to test and the next newest to validation. `mask` names the kinds of personal
    data that are masked in texts. `options` are what a kind needs beside its path.
    """

    name: str
    paths: Mapping[str, Path]
    kind: Kind = "table"
    key: str | None = None
    text: tuple[str, ...] = ()
    image: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    user: str | None = None
    item: str | None = None
    time: str | None = None
    weight: str | None = None
    encoding: str = "utf-8"
    separator: str | None = None
    split: str | None = None
    sample: Mapping[str, int] = field(default_factory=dict)
    rules: Rules | None = None
    cleaning: Cleaning | None = None
    group: str | None = None
    time_split: str | None = None
    mask: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what no source can mean."""
        unknown = [split for split in self.paths if split not in {*SPLITS, UNSPLIT}]
        if unknown or not self.paths or (UNSPLIT in self.paths and len(self.paths) > 1):
            raise RequestError(
                f"data.{self.name}.path: {sorted(self.paths)} is not a set of splits. "
                f"Give one path, or one for each of {', '.join(SPLITS)}."
            )

    def ordered_paths(self) -> list[tuple[str, Path]]:
        """Split and path, in the order in which they are read: train, validation, test."""
        return [(split, self.paths[split]) for split in (UNSPLIT, *SPLITS) if split in self.paths]


def resolve_paths(path: str | Mapping[str, str], *, beside: Path) -> dict[str, Path]:
    """The absolute paths of a scenario's `path`, by split (`""` where there is one path for all)."""
    given = {UNSPLIT: path} if isinstance(path, str) else path
    return {split: _resolved(one, beside=beside) for split, one in given.items()}


def _resolved(path: str, *, beside: Path) -> Path:
    """Where a path leads: into the cache for an address, to the first folder of a pattern, to an archive's member."""
    if is_address(path):
        return fetch(path, cache=home() / "cache" / "remote")
    if is_glob(path):
        fixed = next(parent for parent in Path(path).parents if not is_glob(str(parent)))
        return locate(str(fixed), beside=beside) / Path(path).relative_to(fixed)
    outer, member = split_member(path)
    found = locate(outer, beside=beside)
    return found if member is None else found.with_name(f"{found.name}{MEMBER_MARK}{member}")
