"""One source through every check: read, split, sample, pictures, keys, rare labels."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ingestion.ingested import IngestedTable
from ingestion.picture_intake import PictureIntake
from ingestion.readers.choice import open_reader
from ingestion.readers.folders import PATH_COLUMN
from ingestion.refusals import Refusal, RowRefused, shown
from ingestion.rows import KEY_DIGITS, Row, checked_row, content_hash
from ingestion.schema import Schema
from ingestion.sources import TableSource
from ingestion.splits import missing_fractions, named_split, split_of, stratified_sample
from polyloom.errors import DataError
from polyloom.progress import Progress

ROWS_PER_STEP = 1000


def ingest_table(
    source: TableSource,
    *,
    targets: Sequence[str],
    fractions: Mapping[str, float],
    seed: int,
    pictures: PictureIntake,
    progress: Progress,
) -> IngestedTable:
    """Read a source and decide for each row whether it is kept.

    `targets` are the columns that a task predicts: a row must have a value there, and no category may be alone.
    """
    schema = Schema.of(source, targets=targets)
    rows, ignored = _read(source, schema, progress)
    available = len(rows)
    _assign_splits(rows, source, fractions=fractions, seed=seed)
    if source.sample:
        rows = _sampled(rows, source.sample, stratum=targets[0] if targets else None, seed=seed)
    if source.image:
        pictures.take([row for row in rows if row.refusal is None], column=source.image, name=source.name)
    _finish_keys(rows, schema)
    _refuse_rare_labels(rows, [name for name in targets if schema.kinds.get(name) == "category"])
    return IngestedTable(name=source.name, schema=schema, rows=rows, rows_available=available, columns_ignored=ignored)


def _read(source: TableSource, schema: Schema, progress: Progress) -> tuple[list[Row], tuple[str, ...]]:
    rows: list[Row] = []
    found: set[str] = set()
    with progress.stage(f"read {source.name}", total=None, unit="rows") as bar:
        for split, path in source.ordered_paths():
            for row in _rows_of(source, schema, split=split, path=path, found=found):
                rows.append(row)
                if len(rows) % ROWS_PER_STEP == 0:
                    bar.advance(ROWS_PER_STEP)
        bar.advance(len(rows) % ROWS_PER_STEP)
    if not rows:
        where = ", ".join(str(path) for _, path in source.ordered_paths())
        raise DataError(f"data.{source.name}: {where} holds no rows. Put rows there, or take the table out.")
    return rows, tuple(sorted(found - {*schema.columns(), PATH_COLUMN}))


def _rows_of(source: TableSource, schema: Schema, *, split: str, path: Path, found: set[str]) -> Iterator[Row]:
    reader = open_reader(source, path, columns=schema.columns())
    header = reader.header()
    if header is not None:
        schema.check_columns(header, where=path.name, hint=_separator_hint(header))
    columns = set(header or ())
    key_column, prefix = _key_column(source, split)
    for raw in reader.rows():
        if header is None:
            columns.update(raw.values)
        yield checked_row(raw, schema, path=path, given_split=split, key_column=key_column, key_prefix=prefix)
    if header is None and columns:
        schema.check_columns(columns, where=path.name)
    found |= columns


def _separator_hint(header: frozenset[str]) -> str:
    (only, *others) = header
    looks_like = [name for name, sign in (("';'", ";"), ("a tab", "\t"), ("','", ","), ("'|'", "|")) if sign in only]
    return f" Is the separator {looks_like[0]}? Then declare `separator`." if looks_like and not others else ""


def _key_column(source: TableSource, split: str) -> tuple[str | None, str]:
    """The column that holds the key, and what stands before it: two picture folders may hold the same paths."""
    if source.kind == "table" or source.key:
        return source.key, ""
    return PATH_COLUMN, f"{split}/" if len(source.paths) > 1 else ""


def _assign_splits(rows: Sequence[Row], source: TableSource, *, fractions: Mapping[str, float], seed: int) -> None:
    given = set(source.paths)
    if source.split:
        _read_split_column(rows, source.split)
        given = {row.given_split for row in rows}
    to_cut = missing_fractions(given, fractions)
    for row in rows:
        if row.given_split in {"", "train"}:
            row.split = split_of(row.identity, seed=seed, fractions=to_cut)
        else:
            row.split = row.given_split


def _read_split_column(rows: Sequence[Row], column: str) -> None:
    for row in rows:
        if row.refusal is None:
            value = row.typed[column]
            try:
                row.given_split = named_split(value if isinstance(value, str) else None)
            except RowRefused as refused:
                row.refusal = refused.refusal


def _sampled(rows: Sequence[Row], sample: Mapping[str, int], *, stratum: str | None, seed: int) -> list[Row]:
    by_split: dict[str, list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        by_split[row.split].append(position)
    chosen: list[int] = []
    for split, positions in by_split.items():
        identities = [rows[position].identity for position in positions]
        strata = [str(rows[position].typed.get(stratum)) if stratum else "" for position in positions]
        size = sample.get(split, len(positions))
        chosen += [positions[place] for place in stratified_sample(identities, strata, size=size, seed=seed)]
    return [rows[position] for position in sorted(chosen)]


def _finish_keys(rows: Sequence[Row], schema: Schema) -> None:
    first: dict[str, Row] = {}
    occurrences: Counter[str] = Counter()
    for row in rows:
        if row.refusal is not None:
            continue
        if schema.image:
            row.content_hash = content_hash(row.typed, schema.content)
        if not row.key:
            occurrences[row.identity] += 1
            times = occurrences[row.identity]
            row.key = row.identity[:KEY_DIGITS] + (f"-{times}" if times > 1 else "")
        elif row.key in first:
            before = first[row.key].raw
            row.refusal = Refusal(
                "duplicate_key", f"the key {shown(row.key)} stands in {before.source}, row {before.number} already."
            )
        else:
            first[row.key] = row


def _refuse_rare_labels(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Repeated until nothing changes: a refused row may leave another label alone."""
    refused = True
    while refused:
        refused = False
        for column in columns:
            kept = [row for row in rows if row.refusal is None]
            counts = Counter(row.typed[column] for row in kept)
            for row in kept:
                if counts[row.typed[column]] == 1:
                    refused = True
                    row.refusal = Refusal(
                        "label_seen_once",
                        f"{column!r}: {shown(row.typed[column])} is the only row with this label; "
                        f"a label needs two rows or more to be learned and tested.",
                    )
