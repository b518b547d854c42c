"""What a table's texts are like: how long, in which script, empty or not; and what is personal in them."""

import re
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.examination.examined_table import ExaminedTable
from ingestion.examination.findings import MAX_EXAMPLES, Finding
from ingestion.examination.shingles import HAN
from ingestion.personal import Personal

MANY_EMPTY = 0.2
LETTERS = {"latin": "A-Za-zÀ-ɏ", "han": HAN}
ANY_LETTER = re.compile(r"[^\W\d_]")
TEXTS_FOR_SCRIPTS = 5_000


def text_findings(table: ExaminedTable) -> Iterator[Finding]:
    """Facts about each text column, empty texts, and personal data."""
    for column, values in table.texts.items():
        if len(values):
            yield _facts(table, column, values)
            yield from _personal(table, column, values)


def _facts(table: ExaminedTable, column: str, values: pa.Array) -> Finding:
    lengths = pc.fill_null(pc.utf8_length(values), 0).to_numpy(zero_copy_only=False)
    empty = int((lengths == 0).sum())
    scripts = script_shares([text for text in values.slice(0, TEXTS_FOR_SCRIPTS).to_pylist() if text])
    said = ", ".join(f"{share:.0%} {name}" for name, share in scripts.items() if share >= 0.005) or "no letters"
    low, middle, high = (
        (int(part) for part in np.quantile(lengths[lengths > 0], [0, 0.5, 1])) if empty < len(lengths) else (0, 0, 0)
    )
    many = empty / len(lengths) >= MANY_EMPTY
    return Finding(
        code="empty_texts" if many else "texts",
        severity="warning" if many else "info",
        table=table.name,
        column=column,
        message=f"{column!r}: {low:,} to {high:,} characters, half of the texts at most {middle:,}; letters {said}; "
        f"{empty:,} of {len(lengths):,} empty{table.of_sample()}."
        f"{' Fill them in the source, or leave the column out.' if many else ''}",
        rows=empty if many else len(lengths),
        figures={"empty": empty, "shortest": low, "median": middle, "longest": high, **scripts},
    )


def script_shares(texts: list[str]) -> dict[str, float]:
    """The share of Latin, of Han and of other letters."""
    whole = "".join(texts)
    counts = {name: len(re.findall(f"[{letters}]", whole)) for name, letters in LETTERS.items()}
    total = len(ANY_LETTER.findall(whole))
    counts["other"] = max(0, total - sum(counts.values()))
    return {name: count / total if total else 0.0 for name, count in counts.items()}


def _personal(table: ExaminedTable, column: str, values: pa.Array) -> Iterator[Finding]:
    masked, counts = Personal().mask(values)
    if not counts:
        return
    changed = np.flatnonzero(pc.fill_null(pc.not_equal(masked, values), False).to_numpy(zero_copy_only=False))  # noqa: FBT003
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
    yield Finding(
        code="personal_data",
        severity="warning",
        table=table.name,
        column=column,
        message=f"{len(changed):,} texts of {column!r} hold personal data ({kinds}){table.of_sample()}. "
        f"Mask it before it is stored: personal: {{mask: [{', '.join(counts)}]}}.",
        rows=len(changed),
        examples=tuple(table.example(int(table.sampled[place])) for place in changed[:MAX_EXAMPLES]),
        figures={kind: float(count) for kind, count in counts.items()},
    )
