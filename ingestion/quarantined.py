"""Refused rows with their original content: those that a part refused, and those that other rows rule out."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ingestion.assembled import AssembledTable
from ingestion.quarantine import QUARANTINE_SCHEMA
from ingestion.readers.choice import chunks_of, open_reader
from ingestion.readers.chunks import Segment
from ingestion.readers.reader import original_text
from ingestion.tables import REPAIRED
from polyloom.errors import DataError


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
            "source": table.columns.at("_source", places).cast(pa.string()),
            "row": table.columns.at("_row", places),
            "key": table.keys(places) if table.has_key else [""] * len(places),
            "reason": [late[place].reason for place in places.tolist()],
            "message": [_encodable(late[place].message) for place in places.tolist()],
            "content": [originals[place] for place in places.tolist()],
        },
        schema=QUARANTINE_SCHEMA,
    )
    masking = table.read.schema.masking
    if masking is not None:
        rows = masking.refused(rows)
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
    sources, numbers = (table.columns.at(name, places).to_pylist() for name in ("_source", "_row"))
    wanted: dict[Path, dict[int, dict[tuple[str, int], int]]] = defaultdict(lambda: defaultdict(dict))
    found: dict[int, str] = {}
    for place, *told in zip(places.tolist(), sources, numbers, strict=True):
        part, origin = int(table.part_of[place]), (told[0], told[1])
        if table.read.places[part] == REPAIRED:
            found[place] = table.read.repaired[origin]
            continue
        wanted[table.read.paths[part]][table.read.places[part]][origin] = place
    schema = table.read.schema
    splits = dict(zip(table.read.paths, table.read.given, strict=True))
    known = {
        (path, place): part
        for path, place, part in zip(table.read.paths, table.read.places, table.read.parts, strict=True)
    }
    for path, by_chunk in wanted.items():
        reader = open_reader(table.read.source, path, columns=schema.columns(), split=splits[path])
        for number, chunk in enumerate(chunks_of(reader, schema.kinds, path.name)):
            if chunk.stretch is not None and (path, number) in known:
                chunk.stretch.tell_lines(known[path, number].lines)
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


def _encodable(text: str) -> str:
    return text.encode("utf-8", errors="replace").decode()
