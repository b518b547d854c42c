"""Findings about the classes of a target: how even they are, and which are missing where."""

import math
from collections.abc import Iterator

import numpy as np

from ingestion.examination.examined_table import ExaminedTable
from ingestion.examination.findings import MAX_EXAMPLES, Example, Finding
from ingestion.examination.labels import Classes, classes_of
from ingestion.sources import SPLITS

FEW = 5
UNEVEN = 20
LEAST_EVENNESS = 0.7
NAMED = 5


def balance_findings(table: ExaminedTable) -> Iterator[Finding]:
    """What each target's classes give rise to; a target that is a number with many values has none."""
    for target in table.targets:
        classes = classes_of(table, target)
        if classes is None or classes.cut or len(classes.names) < 2:
            continue
        counts = _counts(table, classes)
        yield _facts(table, target, classes, counts)
        yield from _few(table, target, classes, counts)
        yield from _missing(table, target, classes, counts)


def evenness(counts: np.ndarray) -> float:
    """Entropy of the classes divided by its maximum: 1 when all are equally frequent."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum() / math.log(len(counts))) if len(counts) > 1 else 1.0


def _counts(table: ExaminedTable, classes: Classes) -> np.ndarray:
    """Rows of each class in each split: [classes, splits]."""
    labelled = classes.codes >= 0
    cells = classes.codes[labelled] * len(SPLITS) + table.split[labelled]
    return np.bincount(cells, minlength=len(classes.names) * len(SPLITS)).reshape(-1, len(SPLITS))


def _facts(table: ExaminedTable, target: str, classes: Classes, counts: np.ndarray) -> Finding:
    whole = counts.sum(axis=1)
    rarest, most = int(whole.argmin()), int(whole.argmax())
    even = evenness(whole)
    uneven = even < LEAST_EVENNESS or whole[most] > UNEVEN * whole[rarest]
    advice = (
        " Read the scores of each class, not only the accuracy, and weigh or gather the rare ones." if uneven else ""
    )
    return Finding(
        code="uneven_classes" if uneven else "classes",
        severity="warning" if uneven else "info",
        table=table.name,
        column=target,
        message=f"{target!r} has {len(whole):,} classes, from {whole[rarest]:,} rows ({classes.names[rarest]!r}) to "
        f"{whole[most]:,} ({classes.names[most]!r}); evenness {even:.2f} of 1.{advice}",
        rows=int(whole.sum()),
        figures={
            "classes": len(whole),
            "rarest": int(whole[rarest]),
            "most_frequent": int(whole[most]),
            "evenness": even,
        },
    )


def _few(table: ExaminedTable, target: str, classes: Classes, counts: np.ndarray) -> Iterator[Finding]:
    few = np.flatnonzero((counts[:, 0] < FEW) & (counts[:, 0] > 0))
    if len(few):
        yield Finding(
            code="few_examples",
            severity="warning",
            table=table.name,
            column=target,
            message=f"{len(few):,} classes of {target!r} have fewer than {FEW} rows to train on "
            f"({_named(classes, few)}). Gather more, or join them with a class that is near.",
            rows=int(counts[few].sum()),
            examples=_of_classes(table, target, classes, few),
        )


def _missing(table: ExaminedTable, target: str, classes: Classes, counts: np.ndarray) -> Iterator[Finding]:
    for split, name in enumerate(SPLITS):
        if not counts[:, split].any():
            continue
        missing = np.flatnonzero(counts[:, split] == 0)
        if not len(missing):
            continue
        unseen = name == "train"
        what = "can never be predicted" if unseen else "are not judged there"
        yield Finding(
            code="class_missing",
            severity="serious" if unseen else "warning",
            table=table.name,
            column=target,
            message=f"{len(missing):,} classes of {target!r} have no row in {name} ({_named(classes, missing)}): they "
            f"{what}. Split stratified by {target!r}, or gather rows of them.",
            rows=int(counts[missing].sum()),
            examples=_of_classes(table, target, classes, missing),
            figures={"classes": len(missing)},
        )


def _named(classes: Classes, some: np.ndarray) -> str:
    names = ", ".join(repr(classes.names[code]) for code in some[:NAMED])
    return f"{names}, …" if len(some) > NAMED else names


def _of_classes(table: ExaminedTable, target: str, classes: Classes, some: np.ndarray) -> tuple[Example, ...]:
    rows = np.flatnonzero(np.isin(classes.codes, some))[:MAX_EXAMPLES]
    return tuple(table.example(int(row), target=target) for row in rows)
