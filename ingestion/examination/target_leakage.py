"""Findings about columns that give the target away: a rule on that column alone is judged on held-out rows."""

import re
from collections.abc import Iterator

import numpy as np

from ingestion.examination.buckets import buckets
from ingestion.examination.examined_table import ExaminedTable
from ingestion.examination.findings import MAX_EXAMPLES, Finding
from ingestion.examination.judgement import interval, nearly_perfect
from ingestion.examination.labels import Classes, classes_of
from ingestion.examination.shingles import HAN
from ingestion.sources import SPLITS

FEWEST_HELD_OUT = 40
MOST_TEXTS = 20_000
MOST_LABELS = 1_000
SHORTEST_LABEL = 3
NAMED_LABEL_SHARE = 0.9


def target_leakage_findings(table: ExaminedTable) -> Iterator[Finding]:
    """Columns, and texts, from which a target can be read off."""
    for target in table.targets:
        classes = classes_of(table, target)
        if classes is None or len(classes.names) < 2:
            continue
        fitted, held = _held_out(table, classes)
        if held.sum() < FEWEST_HELD_OUT:
            continue
        for column in table.columns("number", "category", "time"):
            yield from _column(table, target, column, classes, fitted, held)
        yield from _verbatim(table, target, classes)


def _held_out(table: ExaminedTable, classes: Classes) -> tuple[np.ndarray, np.ndarray]:
    """Rows to fit the rule on, and rows to judge it on: test, else validation, else every fourth."""
    labelled = classes.codes >= 0
    for split in (SPLITS.index("test"), SPLITS.index("validation")):
        held = labelled & (table.split == split)
        if held.sum() >= FEWEST_HELD_OUT:
            return labelled & (table.split == 0), held
    fourth = np.arange(len(labelled)) % 4 == 0
    return labelled & ~fourth, labelled & fourth


def _column(
    table: ExaminedTable, target: str, column: str, classes: Classes, fitted: np.ndarray, held: np.ndarray
) -> Iterator[Finding]:
    bucket = buckets(table, column, parts=0, fitted=fitted)
    majority = int(np.bincount(classes.codes[fitted], minlength=1).argmax())
    rule = _one_rule(bucket[fitted], classes.codes[fitted], majority, size=int(bucket.max()) + 1)
    truth = classes.codes[held]
    right, by_majority = int((rule[bucket[held]] == truth).sum()), float((truth == majority).mean())
    low, high = interval(right, len(truth))
    if not nearly_perfect(low, by_majority):
        return
    yield Finding(
        code="target_leak",
        severity="serious",
        table=table.name,
        column=column,
        message=f"{column!r} alone gives {target!r} on {right / len(truth):.1%} of {len(truth):,} held-out rows "
        f"(95% interval {low:.1%} to {high:.1%}; always the most frequent: {by_majority:.1%}). "
        "If it is not known when the model is asked, take it out of the inputs.",
        rows=right,
        examples=tuple(table.example(int(row), target=target) for row in np.flatnonzero(held)[:MAX_EXAMPLES]),
        figures={
            "accuracy": right / len(truth),
            "low": low,
            "high": high,
            "majority": by_majority,
            "information": shared_information(bucket[held], truth),
        },
    )


def _one_rule(bucket: np.ndarray, codes: np.ndarray, otherwise: int, *, size: int) -> np.ndarray:
    """The most frequent class of each bucket (Holte 1993); `otherwise` for a bucket that was never seen."""
    cells, counts = np.unique(np.stack([bucket, codes], axis=1), axis=0, return_counts=True)
    order = np.argsort(counts, kind="stable")
    rule = np.full(size, otherwise)
    rule[cells[order, 0]] = cells[order, 1]
    return rule


def shared_information(first: np.ndarray, second: np.ndarray) -> float:
    """Mutual information as a share of the entropy of `second`: 0 independent, 1 determined."""
    joint = np.unique(np.stack([first, second], axis=1), axis=0, return_counts=True)[1] / len(first)
    entropies = [_entropy(np.unique(side, return_counts=True)[1] / len(side)) for side in (first, second)]
    return float((sum(entropies) - _entropy(joint)) / entropies[1]) if entropies[1] else 0.0


def _entropy(shares: np.ndarray) -> float:
    return float(-(shares * np.log(shares)).sum())


def _verbatim(table: ExaminedTable, target: str, classes: Classes) -> Iterator[Finding]:
    names = [_plain(name) for name in classes.names]
    if not table.texts or len(names) > MOST_LABELS or any(_is_short(name) for name in names) or classes.cut:
        return
    pattern = re.compile("|".join(_bounded(name) for name in sorted(names, key=len, reverse=True)))
    rows = [(place, row) for place, row in enumerate(table.sampled[:MOST_TEXTS].tolist()) if classes.codes[row] >= 0]
    given = [
        row for place, row in rows if set(pattern.findall(_plain(table.joined[place]))) == {names[classes.codes[row]]}
    ]
    low, _ = interval(len(given), len(rows))
    if rows and nearly_perfect(low, 0.0, least=NAMED_LABEL_SHARE):
        yield Finding(
            code="label_in_text",
            severity="serious",
            table=table.name,
            column=target,
            message=f"the text of {len(given):,} of {len(rows):,} rows holds the name of its {target!r} and "
            "of no other. Unless texts will name it in use too, take it out of the text.",
            rows=len(given),
            examples=tuple(table.example(row, target=target) for row in given[:MAX_EXAMPLES]),
            figures={"share": len(given) / len(rows), "low": low},
        )


def _plain(text: str) -> str:
    return text.casefold().replace("_", " ")


def _is_short(name: str) -> bool:
    return len(name) < (2 if re.search(f"[{HAN}]", name) else SHORTEST_LABEL)


def _bounded(name: str) -> str:
    return re.escape(name) if re.search(f"[{HAN}]", name) else rf"\b{re.escape(name)}\b"
