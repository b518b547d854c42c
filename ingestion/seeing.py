"""An assembled table's views of its parts: those that are as they were before are taken over, the others written."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ingestion.assembled import AssembledTable
from ingestion.part_making import THREADS
from ingestion.views import View, ViewRows, put_view

Known = Mapping[tuple[str, str, str], View]


class _Seen(NamedTuple):
    """What holds for all views of a table: which rows are kept (None: all), and the keys that it tells otherwise."""

    table: AssembledTable
    kept: np.ndarray | None
    keys: Mapping[int, str]
    known: Known


def seen(table: AssembledTable, known: Known) -> list[View]:
    """One view of each part; `known` are views of an earlier snapshot, by part, by its SHA-256, and by rule."""
    whole = table.is_whole
    overrides = {} if table.has_key else table.key_overrides(table.kept())
    every = _Seen(table, None if whole else table.is_kept(), overrides, known)
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        return list(pool.map(lambda number: _view(every, number), range(len(table.read.parts))))


def _view(every: _Seen, number: int) -> View:
    table = every.table
    part, start = table.read.parts[number], int(table.columns.starts[number])
    kept = np.arange(part.rows) if every.kept is None else np.flatnonzero(every.kept[start : start + part.rows])
    keys = _here(every.keys, kept, start)
    is_plain = len(kept) == part.rows and not keys and table.read.source.image is None
    rule = table.splits.rule(number) if is_plain else ""
    known = every.known.get((part.digest, part.kept_sha256, rule)) if is_plain else None
    if known is not None and (not known.sha256 or table.store.has_view(known.sha256)):
        return known
    columns = table.columns.of_part(number, ["_identity", "_hash"])
    pictures = _here(table.pictures, kept, start)
    hashes = table.hashes(kept + start) if pictures else columns["_hash"].take(pa.array(kept))
    rows = ViewRows(
        kept,
        table.splits.of_part(number)[kept],
        key=_sparse(kept, keys),
        image=_sparse(kept, pictures),
        hash=hashes if pictures else None,
    )
    identity = np.asarray(columns["_identity"])[kept]
    return put_view(table.store, part, rows, identity=identity, hashes=hashes, rule=rule)


def _here(told: Mapping[int, str], kept: np.ndarray, start: int) -> dict[int, str]:
    """What is told of some rows of a part, by position in the part, which starts at row `start`."""
    return {place: told[start + place] for place in kept.tolist() if start + place in told} if told else {}


def _sparse(positions: np.ndarray, values: Mapping[int, str]) -> pa.Array | None:
    return pa.array([values.get(place) for place in positions.tolist()], pa.string()) if values else None
