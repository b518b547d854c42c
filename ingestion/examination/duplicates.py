"""Findings about rows that are the same, or nearly: repeats, leaks from one split into another, label conflicts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ingestion.examination.examined_table import ExaminedTable
from ingestion.examination.findings import MAX_EXAMPLES, Example, Finding
from ingestion.examination.labels import classes_of
from ingestion.examination.near_texts import Pairs
from ingestion.sources import SPLITS

MUCH = 0.01
COPIED = {"text": "copied with a sign or a word changed", "picture": "resized, recompressed or made brighter"}
Place = tuple[int, int | None]
"""A content, and the split in which to look for a row that has it (None: any)."""


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """Which rows hold the same content (-1: none), and which contents are nearly the same.

    `looked` is a phrase on how many rows the near ones come from, when not all.
    """

    noun: Literal["text", "picture"]
    table: ExaminedTable
    contents: np.ndarray
    near: Pairs
    looked: str = ""

    @cached_property
    def in_split(self) -> np.ndarray:
        """How many rows of each split have each content: [contents, splits]."""
        there = self.contents >= 0
        cells = self.contents[there] * len(SPLITS) + self.table.split[there]
        count = int(self.contents.max(initial=-1)) + 1
        return np.bincount(cells, minlength=count * len(SPLITS)).reshape(count, len(SPLITS))

    @property
    def is_partial(self) -> bool:
        """Whether rows with one text may still differ in their pictures."""
        return self.noun == "text" and self.table.picture is not None

    def examples(self, groups: Sequence[Sequence[Place]], *, target: str | None = None) -> tuple[Example, ...]:
        """One row for each place of each group, as many groups as there is room for."""
        found: list[Example] = []
        for number, places in enumerate(groups, start=1):
            rows = self._rows(places)
            if len(found) + len(rows) > MAX_EXAMPLES:
                break
            found += [self.table.example(row, group=number, target=target) for row in rows]
        return tuple(found)

    def _rows(self, places: Sequence[Place]) -> list[int]:
        rows: list[int] = []
        for content, split in places:
            there = (self.contents == content) & (split is None or self.table.split == split)
            rows += [row for row in np.flatnonzero(there)[:MAX_EXAMPLES].tolist() if row not in rows][:1]
        return rows


def duplicate_findings(likeness: Likeness) -> Iterator[Finding]:
    """Everything that equal and nearly equal contents of a table give rise to."""
    yield from _repeats(likeness)
    yield from _near_repeats(likeness)
    yield from _leaks(likeness)
    yield from _near_leaks(likeness)
    for target in likeness.table.targets:
        yield from _conflicts(likeness, target)
        yield from _near_conflicts(likeness, target)


def _repeats(like: Likeness) -> Iterator[Finding]:
    extra = np.maximum(like.in_split - 1, 0)
    if not extra.any():
        return
    groups = np.argwhere(extra > 0)
    rows = int(extra.sum())
    share = rows / like.table.rows.num_rows
    shown = groups[np.argsort(-extra[groups[:, 0], groups[:, 1]], kind="stable")[:MAX_EXAMPLES]].tolist()
    yield Finding(
        code=f"repeated_{like.noun}",
        severity="warning" if share >= MUCH else "info",
        table=like.table.name,
        message=f"{rows:,} rows ({share:.1%}) repeat the {like.noun} of another row of their split. "
        "Remove them from the source where the repetition says nothing, or they weigh double.",
        rows=rows,
        examples=_twins(like, shown),
        figures={"groups": len(groups), "share": share},
    )


def _twins(like: Likeness, groups: Sequence[Sequence[int]]) -> tuple[Example, ...]:
    found: list[Example] = []
    for number, (content, split) in enumerate(groups[: MAX_EXAMPLES // 2], start=1):
        rows = np.flatnonzero((like.contents == content) & (like.table.split == split))[:2]
        found += [like.table.example(int(row), group=number) for row in rows]
    return tuple(found)


def _near_repeats(like: Likeness) -> Iterator[Finding]:
    first, second = (like.in_split[like.near.positions[:, side]] for side in (0, 1))
    together = (first > 0) & (second > 0)
    pairs = np.flatnonzero(together.any(axis=1))
    if not len(pairs):
        return
    contents = np.unique(like.near.positions[pairs])
    rows = int(like.in_split[contents].sum())
    groups = [
        [(int(content), int(together[pair].argmax())) for content in like.near.positions[pair]]
        for pair in _most_alike(like, pairs)
    ]
    yield Finding(
        code=f"near_{like.noun}",
        severity="info",
        table=like.table.name,
        message=f"{rows:,} rows have a {like.noun} that is nearly that of another row of their split{like.looked}. "
        f"Look at the examples: remove what was only {COPIED[like.noun]}.",
        rows=rows,
        examples=like.examples(groups),
        figures={"pairs": len(pairs), "median_likeness": float(np.median(like.near.likeness[pairs]))},
    )


def _leaks(like: Likeness) -> Iterator[Finding]:
    leaked = _earlier(like.in_split) & (like.in_split > 0)
    counts = np.where(leaked, like.in_split, 0).sum(axis=0)
    if not counts.any():
        return
    groups = [
        [(int(content), int(like.in_split[content].astype(bool).argmax())), (int(content), int(split))]
        for content, split in np.argwhere(leaked)[: MAX_EXAMPLES // 2]
    ]
    yield _leak(like, f"leaked_{like.noun}", "the very", counts, like.examples(groups))


def _near_leaks(like: Likeness) -> Iterator[Finding]:
    exact = _earlier(like.in_split) & (like.in_split > 0)
    leaked = np.zeros_like(exact)
    groups: list[list[Place]] = []
    for pair in _most_alike(like, np.arange(len(like.near.likeness)), all_of_them=True):
        one, other = (int(content) for content in like.near.positions[pair])
        for held, known in ((one, other), (other, one)):
            for split in np.flatnonzero(_earlier(like.in_split[[known]])[0] & (like.in_split[held] > 0) & ~exact[held]):
                if not leaked[held, split]:
                    groups.append([(known, int(np.flatnonzero(like.in_split[known])[0])), (held, int(split))])
                leaked[held, split] = True
    counts = np.where(leaked, like.in_split, 0).sum(axis=0)
    if counts.any():
        yield _leak(like, f"near_leaked_{like.noun}", "nearly the", counts, like.examples(groups))


def _leak(like: Likeness, code: str, how: str, counts: np.ndarray, examples: tuple[Example, ...]) -> Finding:
    whole = np.bincount(like.table.split, minlength=len(SPLITS))
    shares = {f"{split}_share": counts[at] / whole[at] for at, split in enumerate(SPLITS) if counts[at]}
    where = " and ".join(
        f"{counts[at]:,} of {whole[at]:,} {split} rows" for at, split in enumerate(SPLITS) if counts[at]
    )
    return Finding(
        code=code,
        severity="warning" if like.is_partial else "serious",
        table=like.table.name,
        message=f"{where} have {how} {like.noun} of a row in an earlier split{like.looked if 'near' in code else ''}: "
        "scores on them are too good. Remove them from the source, or split by group so that such rows stay together.",
        rows=int(counts.sum()),
        examples=examples,
        figures=shares,
    )


def _conflicts(like: Likeness, target: str) -> Iterator[Finding]:
    classes = classes_of(like.table, target)
    if classes is None or classes.cut:
        return
    usable = (like.contents >= 0) & (classes.codes >= 0)
    pairs = np.unique(np.stack([like.contents[usable], classes.codes[usable]], axis=1), axis=0)
    contents, labels = np.unique(pairs[:, 0], return_counts=True)
    torn = contents[labels > 1]
    if not len(torn):
        return
    rows = np.flatnonzero(usable & np.isin(like.contents, torn))
    share = len(rows) / like.table.rows.num_rows
    yield Finding(
        code=f"label_conflict_{like.noun}",
        severity="serious" if share >= MUCH and not like.is_partial else "warning",
        table=like.table.name,
        column=target,
        message=f"{len(rows):,} rows share their {like.noun} with a row that has another {target!r}: no model can be "
        "right on all of them. Decide which label is right, or give the rows what tells them apart.",
        rows=len(rows),
        examples=_torn(like, target, classes.codes, torn),
        figures={"groups": len(torn), "share": share},
    )


def _torn(like: Likeness, target: str, codes: np.ndarray, contents: np.ndarray) -> tuple[Example, ...]:
    found: list[Example] = []
    for number, content in enumerate(contents[: MAX_EXAMPLES // 2].tolist(), start=1):
        rows = np.flatnonzero((like.contents == content) & (codes >= 0))
        _, firsts = np.unique(codes[rows], return_index=True)
        found += [like.table.example(int(row), group=number, target=target) for row in rows[np.sort(firsts)[:2]]]
    return tuple(found)


def _near_conflicts(like: Likeness, target: str) -> Iterator[Finding]:
    classes = classes_of(like.table, target)
    if classes is None or classes.cut:
        return
    label = _label_of_content(like, classes.codes)
    first, second = (label[like.near.positions[:, side]] for side in (0, 1))
    pairs = np.flatnonzero((first >= 0) & (second >= 0) & (first != second))
    if not len(pairs):
        return
    rows = int(like.in_split[np.unique(like.near.positions[pairs])].sum())
    groups = [[(int(content), None) for content in like.near.positions[pair]] for pair in _most_alike(like, pairs)]
    yield Finding(
        code=f"near_label_conflict_{like.noun}",
        severity="warning",
        table=like.table.name,
        column=target,
        message=f"{rows:,} rows have a {like.noun} nearly that of a row with another {target!r}{like.looked}. "
        "Look at the examples: one of the two labels may be wrong.",
        rows=rows,
        examples=like.examples(groups, target=target),
        figures={"pairs": len(pairs)},
    )


def _label_of_content(like: Likeness, codes: np.ndarray) -> np.ndarray:
    """The one label of each content; -1 where it has none or several."""
    lowest, highest = (np.full(len(like.in_split), start) for start in (np.iinfo(np.int64).max, -1))
    usable = (like.contents >= 0) & (codes >= 0)
    np.minimum.at(lowest, like.contents[usable], codes[usable])
    np.maximum.at(highest, like.contents[usable], codes[usable])
    return np.where(lowest == highest, highest, -1)


def _most_alike(like: Likeness, pairs: np.ndarray, *, all_of_them: bool = False) -> list[int]:
    ordered = pairs[np.argsort(-like.near.likeness[pairs], kind="stable")]
    return [int(pair) for pair in (ordered if all_of_them else ordered[: MAX_EXAMPLES // 2])]


def _earlier(in_split: np.ndarray) -> np.ndarray:
    """Whether a content is in a split before each one: [contents, splits]."""
    there = (in_split > 0).astype(np.int64)
    return np.asarray(np.cumsum(there, axis=1) - there > 0)
