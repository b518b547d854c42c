"""One source into parts: chunks are read, checked and stored, unless they were before."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingestion.barred import Barrier
from ingestion.checking import ChunkCheck, PictureTaker
from ingestion.feedback import ALONE, feedback_files
from ingestion.forgotten import Forgotten
from ingestion.part_making import PartMaking
from ingestion.parts import Part, PartStore
from ingestion.readers.choice import chunks_of, files_of, open_reader
from ingestion.readers.chunks import row_chunks
from ingestion.readers.folders import PATH_COLUMN
from ingestion.readers.parquet import ParquetReader
from ingestion.readers.reader import RawRow
from ingestion.schema import Schema
from ingestion.sources import TableSource
from polyloom.errors import DataError
from polyloom.progress import Progress

# The place of a part whose rows a person repaired.
REPAIRED = -1

Holds = Callable[[str, int], bool]


@dataclass(frozen=True, kw_only=True)
class ReadTable:
    """A source as parts. Part i is number `places[i]` of the file `paths[i]`, which stands for the split `given[i]`.

    `checks` are those of each split; `repaired` are the contents of rows that a person repaired, by source and number.
    """

    source: TableSource
    schema: Schema
    checks: Mapping[str, ChunkCheck]
    barrier: Barrier
    parts: tuple[Part, ...]
    paths: tuple[Path, ...]
    given: tuple[str, ...]
    places: tuple[int, ...]
    columns_ignored: tuple[str, ...]
    reused: int
    repaired: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def with_repaired(self, rows: Mapping[tuple[Path, str], Sequence[RawRow]], store: PartStore) -> "ReadTable":
        """The same table with further parts: repaired rows, by the file and the split of the rows that they repair."""
        parts = []
        for (_, split), some in rows.items():
            (chunk,) = row_chunks(some[0].source, some, size=len(some))
            parts.append(PartMaking(check=self.checks[split], store=store, barrier=self.barrier).part(chunk))
        return replace(
            self,
            parts=(*self.parts, *parts),
            paths=(*self.paths, *(path for path, _ in rows)),
            given=(*self.given, *(split for _, split in rows)),
            places=(*self.places, *(REPAIRED for _ in rows)),
            repaired={(row.source, row.number): row.content for some in rows.values() for row in some},
        )


def read_table(
    source: TableSource,
    *,
    targets: Sequence[str],
    parts: PartStore,
    take_picture: PictureTaker,
    holds: Holds,
    forgotten: Forgotten,
    progress: Progress,
) -> ReadTable:
    """Read a source, chunk by chunk. `targets` are the columns that a task predicts: a row must have a value there.

    Nothing is stored of rows about items that are in the ledger `forgotten`.

    Raises DataError when a file cannot be read at all, lacks a declared column, or when there is no row.
    """
    schema = Schema.of(source, targets=targets)
    barrier = Barrier.of(source, forgotten)
    checks: dict[str, ChunkCheck] = {}
    found: list[tuple[Part, Path, str, int]] = []
    reused = 0
    own = () if source.kind == ALONE else source.ordered_paths()
    files = [(split, file) for split, path in own for file in files_of(source, path)] + feedback_files(source)
    with progress.stage(f"read {source.name}", total=None, unit="rows") as bar:
        for split, path in files:
            before = len(found)
            reader = open_reader(source, path, columns=schema.columns(), split=split)
            key_column, key_prefix = _key_column(source, split)
            check = ChunkCheck(
                table=source.name,
                schema=schema,
                key_column=key_column,
                key_prefix=key_prefix,
                take_picture=take_picture,
                holds=None if isinstance(reader, ParquetReader) else holds,
            )
            header = reader.header()
            if header is not None:
                schema.check_columns(header, where=path.name, hint=_separator_hint(header))
            checks[split] = check
            chunks = chunks_of(reader, schema.kinds, path.name)
            making = PartMaking(check=check, store=parts, barrier=barrier)
            for place, (part, was_there) in enumerate(making.parts(chunks)):
                bar.advance(part.rows + part.refused)
                found.append((part, path, split, place))
                reused += was_there
            _check_columns(schema, path, found[before:])
    if source.kind != ALONE and not any(part.rows + part.refused + part.forgotten for part, *_ in found):
        where = ", ".join(str(path) for _, path in source.ordered_paths())
        raise DataError(f"data.{source.name}: {where} holds no rows. Put rows there, or take the table out.")
    names = {name for part, *_ in found for name in part.found}
    return ReadTable(
        source=source,
        schema=schema,
        checks=checks,
        barrier=barrier,
        parts=tuple(part for part, *_ in found),
        paths=tuple(path for _, path, *_ in found),
        given=tuple(split for *_, split, _ in found),
        places=tuple(place for *_, place in found),
        columns_ignored=tuple(sorted(names - {*schema.columns(), PATH_COLUMN})),
        reused=reused,
    )


def _key_column(source: TableSource, split: str) -> tuple[str | None, str]:
    """The column that holds the key, and what stands before it: two picture folders may hold the same paths."""
    if source.kind != "pictures" or source.key:
        return source.key, ""
    return PATH_COLUMN, f"{split}/" if len(source.paths) > 1 else ""


def _check_columns(schema: Schema, path: Path, found: Sequence[tuple[Part, Path, str, int]]) -> None:
    names = {name for part, *_ in found for name in part.found}
    if names:
        schema.check_columns(names, where=path.name)


def _separator_hint(header: frozenset[str]) -> str:
    (only, *others) = header
    looks_like = [name for name, sign in (("';'", ";"), ("a tab", "\t"), ("','", ","), ("'|'", "|")) if sign in only]
    return f" Is the separator {looks_like[0]}? Then declare `separator`." if looks_like and not others else ""
