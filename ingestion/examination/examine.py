"""The examination of a snapshot: what is wrong or worth knowing about the data itself."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from ingestion.examination.balance import balance_findings
from ingestion.examination.columns import column_findings
from ingestion.examination.drift import drift_findings
from ingestion.examination.duplicates import Likeness, duplicate_findings
from ingestion.examination.examined_table import MAX_SAMPLED_ROWS, ExaminedTable, Readable, examined_table
from ingestion.examination.findings import SEVERITIES, Finding
from ingestion.examination.labels import encoded
from ingestion.examination.near_pictures import near_pictures
from ingestion.examination.near_texts import Pairs, near_texts
from ingestion.examination.picture_facts import picture_findings
from ingestion.examination.pictures import looks
from ingestion.examination.shared_values import shared_value_findings
from ingestion.examination.target_leakage import target_leakage_findings
from ingestion.examination.text_facts import text_findings
from ingestion.splits import unit_interval
from polyloom.errors import RequestError, suggestion
from polyloom.progress import SILENT, Progress

MAX_PICTURES = 20_000


def examine(
    snapshot: Readable,
    *,
    targets: Mapping[str, Sequence[str]],
    blobs: Path,
    progress: Progress = SILENT,
    max_texts: int = MAX_SAMPLED_ROWS,
    max_pictures: int = MAX_PICTURES,
    remembered: Path | None = None,
) -> list[Finding]:
    """Findings about every table, the serious ones first. `targets` maps a table to the columns its tasks predict.

    Near duplicates and facts about texts and pictures come from at most `max_texts` rows and `max_pictures`
    pictures, drawn by a hash; everything else, exact duplicates too, from all rows. `remembered` is a folder that keeps
    the signatures of texts for the next time.

    Raises:
        RequestError: a target names a table or a column that the snapshot does not have.
        IntegrityError: a picture is gone or damaged.
    """
    tables = snapshot.manifest["tables"]
    _check_targets(targets, {name: tuple(table["columns"]) for name, table in tables.items()})
    found: list[Finding] = []
    for name, described in tables.items():
        if described["rows_kept"]:
            table = examined_table(snapshot, name, targets=targets.get(name, ()), sample=max_texts)
            signatures = remembered / f"{name}.parquet" if remembered else None
            found += _of_table(table, blobs, progress, max_pictures, signatures)
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def _check_targets(targets: Mapping[str, Sequence[str]], known: Mapping[str, Sequence[str]]) -> None:
    for table, columns in targets.items():
        if table not in known:
            raise RequestError(
                f"targets: the snapshot has no table {table!r}. Tables there: {', '.join(known)}."
                f"{suggestion(table, known)}"
            )
        for column in columns:
            if column not in known[table]:
                raise RequestError(
                    f"targets.{table}: no column {column!r}. Columns there: {', '.join(known[table])}."
                    f"{suggestion(column, known[table])}"
                )


def _of_table(
    table: ExaminedTable, blobs: Path, progress: Progress, max_pictures: int, signatures: Path | None
) -> Iterator[Finding]:
    yield from column_findings(table)
    yield from balance_findings(table)
    yield from drift_findings(table)
    yield from target_leakage_findings(table)
    yield from shared_value_findings(table)
    if table.texts:
        yield from text_findings(table)
        yield from duplicate_findings(_text_likeness(table, progress, signatures))
    if table.picture:
        yield from _about_pictures(table, table.picture, blobs, progress, max_pictures)


def _text_likeness(table: ExaminedTable, progress: Progress, signatures: Path | None) -> Likeness:
    numbers = table.same_text[table.sampled]
    different, firsts = np.unique(numbers, return_index=True)
    firsts = firsts[different >= 0]
    texts = [table.joined[place] for place in firsts]
    with progress.stage(f"near duplicates among texts of {table.name}", total=len(texts), unit="texts") as bar:
        near = near_texts(texts, bar=bar, remembered=signatures)
    of_text = numbers[firsts]
    return Likeness(
        noun="text",
        table=table,
        contents=table.same_text,
        near=Pairs(of_text[near.positions].reshape(-1, 2), near.likeness),
        looked=table.of_sample(),
    )


def _about_pictures(
    table: ExaminedTable, column: str, blobs: Path, progress: Progress, max_pictures: int
) -> Iterator[Finding]:
    pictures = encoded(table.rows[column])
    drawn = list(range(len(pictures.names)))
    if len(drawn) > max_pictures:
        ranked = sorted(drawn, key=lambda number: unit_interval(0, "examine", pictures.names[number]))
        drawn = sorted(ranked[:max_pictures])
    looked = "" if len(drawn) == len(pictures.names) else f" in a sample of {len(drawn):,} of {len(pictures.names):,}"
    with progress.stage(f"look at pictures of {table.name}", total=len(drawn), unit="pictures") as bar:
        seen = looks([pictures.names[number] for number in drawn], blobs=blobs, bar=bar)
    numbers = np.array(drawn, np.int64)
    place = np.full(len(pictures.names) + 1, -1)
    place[numbers] = np.arange(len(numbers))
    yield from picture_findings(table, seen, place[pictures.codes], looked=looked)
    near = near_pictures(seen)
    pairs = Pairs(numbers[near.positions].reshape(-1, 2), near.likeness)
    yield from duplicate_findings(
        Likeness(noun="picture", table=table, contents=pictures.codes, near=pairs, looked=looked)
    )
