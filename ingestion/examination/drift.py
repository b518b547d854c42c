"""Findings about columns that are distributed differently in the splits."""

import math
from collections.abc import Iterator

import numpy as np

from ingestion.examination.buckets import buckets
from ingestion.examination.examined_table import ExaminedTable
from ingestion.examination.findings import Finding
from ingestion.sources import SPLITS

PARTS = 10
MOST_CATEGORIES = 50
MOST_DISTINCT = 1_000
BOUND = 0.2
FEWEST_ROWS = 50
DEVIATIONS = 4.0


def drift_findings(table: ExaminedTable) -> Iterator[Finding]:
    """Columns, targets too, whose stability index against `train` is above 0.2 and above what chance gives."""
    train = table.split == 0
    for column, kind in table.kinds.items():
        if kind not in {"number", "category", "time"}:
            continue
        bucket = _few(buckets(table, column, parts=PARTS, fitted=train), train)
        if bucket is None:
            continue
        for split in range(1, len(SPLITS)):
            here = table.split == split
            if min(train.sum(), here.sum()) >= FEWEST_ROWS:
                yield from _drift(table, column, kind, split, bucket[train], bucket[here])


def stability_index(expected: np.ndarray, found: np.ndarray) -> float:
    """The population stability index of two histograms over the same buckets, half a row added to each bucket."""
    first = (expected + 0.5) / (expected + 0.5).sum()
    second = (found + 0.5) / (found + 0.5).sum()
    return float(((first - second) * np.log(first / second)).sum())


def chance_bound(parts: int, expected: int, found: int) -> float:
    """The index that two draws from one distribution stay under: a chi-square's mean and four deviations."""
    freedom = max(1, parts - 1)
    return (freedom + DEVIATIONS * math.sqrt(2 * freedom)) * (1 / expected + 1 / found)


def _few(bucket: np.ndarray, train: np.ndarray) -> np.ndarray | None:
    """At most 50 buckets, the rare ones in one; None for a column of names, such as a key."""
    counts = np.bincount(bucket[train], minlength=int(bucket.max(initial=0)) + 1)
    if len(counts) > MOST_DISTINCT or (counts > 0).sum() > train.sum() / 2:
        return None
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.asarray(np.minimum(rank, MOST_CATEGORIES)[bucket])


def _drift(
    table: ExaminedTable, column: str, kind: str, split: int, before: np.ndarray, here: np.ndarray
) -> Iterator[Finding]:
    parts = int(max(before.max(), here.max())) + 1
    counts = [np.bincount(side, minlength=parts) for side in (before, here)]
    index = stability_index(*counts)
    bound = max(BOUND, chance_bound(parts, len(before), len(here)))
    if index <= bound:
        return
    by_time = kind == "time"
    advice = (
        "That is right for a split by time; else split anew."
        if by_time
        else "Find out how the splits were made: scores may not carry over. A random or stratified split would not do "
        "this."
    )
    yield Finding(
        code="split_drift",
        severity="info" if by_time else "warning",
        table=table.name,
        column=column,
        message=f"{column!r} is distributed differently in {SPLITS[split]} than in train (stability index {index:.2f}, "
        f"bound {bound:.2f}). {advice}",
        rows=len(here),
        figures={"index": index, "bound": bound},
    )
