"""A snapshot's view of the parts: which of their rows it holds, in which split, and what it says otherwise of them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.assembled import AssembledTable
from ingestion.checking import CONTENT
from ingestion.hashing import HASH_TYPE, hash_bytes, key_texts
from ingestion.parts import Part, PartStore
from ingestion.quarantine import QUARANTINE_SCHEMA
from ingestion.readers.choice import chunks_of, open_reader
from ingestion.readers.chunks import Segment
from ingestion.readers.reader import original_text
from ingestion.sources import SPLITS
from ingestion.tables import REPAIRED
from polyloom.errors import DataError

INTERNAL = ("_key", "_split", "_hash", "_source", "_row")
VIEW_SCHEMA = pa.schema(
    [("part", pa.int32()), ("row", pa.int32()), ("split", pa.int8()), ("key", pa.string()), ("image", pa.string()),
     ("hash", HASH_TYPE)]
)  # fmt: skip
COUNTED = ["part", "row", "split"]


def write_view(table: AssembledTable, path: Path) -> None:
    """The kept rows of a table; `key`, `image` and `hash` are null where the part's own hold."""
    kept = table.kept()
    overrides = table.key_overrides(kept)
    view = pa.table(
        {
            "part": pa.array(table.part_of[kept], pa.int32()),
            "row": pa.array(table.row_in_part[kept], pa.int32()),
            "split": pa.array(table.splits[kept], pa.int8()),
            "key": _sparse(kept, overrides, pa.string()),
            "image": _sparse(kept, table.pictures, pa.string()),
            "hash": table.hashes(kept) if table.pictures else pa.nulls(len(kept), HASH_TYPE),
        },
        schema=VIEW_SCHEMA,
    )
    encoding = dict.fromkeys(COUNTED, "DELTA_BINARY_PACKED") | {"split": "PLAIN"}
    pq.write_table(view, path, compression="zstd", use_dictionary=False, column_encoding=encoding)


def _sparse(positions: np.ndarray, values: Mapping[int, str], kind: pa.DataType) -> pa.Array:
    if not values:
        return pa.nulls(len(positions), kind)
    return pa.array([values.get(place) for place in positions.tolist()], kind)


class Quarantined(NamedTuple):
    """Refused rows, and for each its position among the refused rows of the parts, or among the kept ones; else -1."""

    rows: pa.Table
    early: np.ndarray
    late: np.ndarray


def quarantine_of(table: AssembledTable) -> Quarantined:
    """The refused rows of a table in the order of the source: those of its parts, and those refused since."""
    early = table.refused.filter(pa.array(table.refused_chosen)) if table.refused.num_rows else table.refused
    positions = np.flatnonzero(table.refused_chosen)
    parts = np.repeat(np.arange(len(table.read.parts)), [part.refused for part in table.read.parts])
    late = {place: why for place, why in table.late.items() if table.chosen[place]}
    if not late:
        return Quarantined(early.select(QUARANTINE_SCHEMA.names), positions, np.full(len(positions), -1))
    places = np.array(sorted(late))
    originals = _originals(table, places)
    rows = pa.table(
        {
            "table": [table.read.source.name] * len(places),
            "source": table.column("_source").take(pa.array(places)).cast(pa.string()),
            "row": table.column("_row").take(pa.array(places)),
            "key": table.keys(places) if table.has_key else [""] * len(places),
            "reason": [late[place].reason for place in places.tolist()],
            "message": [_encodable(late[place].message) for place in places.tolist()],
            "content": [originals[place] for place in places.tolist()],
        },
        schema=QUARANTINE_SCHEMA,
    )
    joined = pa.concat_tables([early.select(QUARANTINE_SCHEMA.names), rows]).combine_chunks()
    order = np.lexsort(
        (np.asarray(joined["row"]), np.concatenate([parts[table.refused_chosen], table.part_of[places]]))
    )
    none_early, none_late = np.full(len(places), -1), np.full(len(positions), -1)
    return Quarantined(
        joined.take(pa.array(order)),
        np.concatenate([positions, none_early])[order],
        np.concatenate([none_late, places])[order],
    )


def _originals(table: AssembledTable, places: np.ndarray) -> dict[int, str]:
    """The original texts of rows that their parts had kept: their chunks are read again."""
    numbers = np.asarray(table.column("_row"))
    wanted: dict[Path, dict[int, dict[tuple[str, int], int]]] = defaultdict(lambda: defaultdict(dict))
    found: dict[int, str] = {}
    for place in places.tolist():
        part = int(table.part_of[place])
        origin = table.column("_source")[place].as_py(), int(numbers[place])
        if table.read.places[part] == REPAIRED:
            found[place] = table.read.repaired[origin]
            continue
        wanted[table.read.paths[part]][table.read.places[part]][origin] = place
    schema = table.read.schema
    splits = dict(zip(table.read.paths, table.read.given, strict=True))
    for path, by_chunk in wanted.items():
        reader = open_reader(table.read.source, path, columns=schema.columns(), split=splits[path])
        for number, chunk in enumerate(chunks_of(reader, schema.kinds, path.name)):
            if number in by_chunk:
                for segment in chunk.segments():
                    found |= _texts(chunk.source, segment, by_chunk[number])
    missing = set(places.tolist()) - set(found)
    if missing:
        raise DataError(f"data.{table.read.source.name}: the source changed while it was read. Ingest again.")
    return found


def _texts(source: str, segment: Segment, wanted: Mapping[tuple[str, int], int]) -> dict[int, str]:
    if isinstance(segment, list):
        # A chunk may hold rows of several files, each numbered from 1.
        asked = [(row, wanted.get((row.source, row.number))) for row in segment]
        return {place: original_text(row) for row, place in asked if place is not None}
    places = np.flatnonzero(np.isin(segment.numbers, [number for _, number in wanted]))
    return {wanted[source, int(segment.numbers[place])]: segment.original(int(place)) for place in places.tolist()}


def viewed(
    described: Mapping[str, Any], view: pa.Table, parts: Sequence[Part], store: PartStore, columns: Sequence[str] | None
) -> Iterator[pa.Table]:
    """The rows of a table part by part, checked against the recorded digests; `columns` None means all."""
    declared = list(described["columns"])
    asked = [*declared, *INTERNAL] if columns is None else list(columns)
    part_of = np.asarray(view["part"])
    ends = np.searchsorted(part_of, np.arange(len(parts) + 1))
    for number, part in enumerate(parts):
        rows = view.slice(ends[number], ends[number + 1] - ends[number]).combine_chunks()
        if rows.num_rows:
            yield _viewed_part(described, rows, part, store, asked)


def _viewed_part(
    described: Mapping[str, Any], rows: pa.Table, part: Part, store: PartStore, asked: Sequence[str]
) -> pa.Table:
    content = CONTENT if described["image"] else "_hash"
    needed = set(asked) - {"_split"} | ({content} if "_key" in asked else set())
    kept = store.kept(part, sorted(needed), verified=True)
    if rows.num_rows < kept.num_rows:
        kept = kept.take(rows["row"])
    columns = {name: kept[name] for name in asked if name != "_split"}
    if "_split" in asked:
        names = pa.array(SPLITS)
        columns["_split"] = names.take(rows["split"].combine_chunks())
    if "_source" in asked:
        columns["_source"] = kept["_source"].cast(pa.string())
    if "_key" in asked:
        columns["_key"] = kept["_key"] if described["has_key"] else _keys(kept[content], rows)
    image = described["image"]
    if image in asked:
        columns[image] = pc.coalesce(rows["image"], kept[image])
    if "_hash" in asked:
        columns["_hash"] = pc.coalesce(rows["hash"], kept["_hash"])
    return pa.table({name: columns[name] for name in asked})


def _keys(hashes: pa.ChunkedArray, rows: pa.Table) -> pa.ChunkedArray:
    own = pa.array(key_texts(hash_bytes(hashes.combine_chunks())).astype(str), pa.string())
    return pc.coalesce(rows["key"], own)


def _encodable(text: str) -> str:
    return text.encode("utf-8", errors="replace").decode()
