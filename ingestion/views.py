"""A snapshot's views of its parts: which of their rows it holds, in which split, and what it says otherwise of them.

A view is a file beside the parts, named by its content and shared by all snapshots that see a part so.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.checking import CONTENT
from ingestion.hashing import hash_bytes, key_texts
from ingestion.parts import Part, PartStore, part_of
from ingestion.row_sums import row_sum
from ingestion.sources import SPLITS

INTERNAL = ("_key", "_split", "_hash", "_source", "_row")


@dataclass(frozen=True, kw_only=True)
class View:
    """What is known of a view without reading it; `sha256` is that of its file, empty where it holds no row.

    `splits` counts rows in the order of SPLITS. `content` is the sum over its rows. `rule` is what the splits rest on
    where the part and the rule alone decide about every row, else empty.
    """

    sha256: str
    rows: int
    splits: tuple[int, ...]
    content: str
    rule: str = ""


class ViewRows(NamedTuple):
    """The rows of a view: positions in the part, and their splits, uint8.

    `key`, `image` and `hash` are null where the part's own hold, and None where they do so for all rows.
    """

    rows: np.ndarray
    splits: np.ndarray
    key: pa.Array | None = None
    image: pa.Array | None = None
    hash: pa.Array | None = None

    def filter(self, mask: np.ndarray) -> "ViewRows":
        """Some of the rows."""
        told = (None if column is None else column.filter(pa.array(mask)) for column in self[2:])
        return ViewRows(self.rows[mask], self.splits[mask], *told)


def put_view(
    store: PartStore, part: Part, rows: ViewRows, *, identity: np.ndarray, hashes: pa.Array, rule: str = ""
) -> View:
    """Write a view; `identity` and `hashes` are those of its rows."""
    columns = {"split": pa.array(rows.splits, pa.int8())}
    if len(rows.rows) < part.rows:
        columns["row"] = pa.array(rows.rows, pa.int32())
    columns |= {
        name: column
        for name, column in (("key", rows.key), ("image", rows.image), ("hash", rows.hash))
        if column is not None and column.null_count < len(column)
    }
    return View(
        sha256=store.put_view(pa.table(columns)) if len(rows.rows) else "",
        rows=len(rows.rows),
        splits=tuple(np.bincount(rows.splits, minlength=len(SPLITS)).tolist()),
        content=row_sum(identity, hash_bytes(hashes), rows.splits),
        rule=rule,
    )


def view_rows(store: PartStore, part: Part, view: View) -> ViewRows:
    """The rows of a view. Raises IntegrityError for a changed file."""
    if not view.rows:
        return ViewRows(np.zeros(0, np.int64), np.zeros(0, np.uint8))
    table = store.view(view.sha256)
    there = table.column_names
    rows = np.asarray(table["row"]).astype(np.int64) if "row" in there else np.arange(part.rows)
    told = (table[name].combine_chunks() if name in there else None for name in ("key", "image", "hash"))
    return ViewRows(rows, np.asarray(table["split"]).astype(np.uint8), *told)


def view_of(described: Mapping[str, object]) -> View:
    """A view as a snapshot's manifest describes it."""
    known = dict(described)
    return View(**{**known, "splits": tuple(known["splits"])})  # type: ignore[arg-type]


def parts_and_views(described: Mapping[str, Any]) -> Iterator[tuple[Part, View]]:
    """The parts of a table in a snapshot's manifest, each with its view."""
    for part, view in zip(described["parts"], described["views"], strict=True):
        yield part_of(part), view_of(view)


def known_views(tables: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], View]:
    """The views in a manifest's tables that rest on nothing but a part and a rule, by these."""
    found = {}
    for described in tables:
        for part, view in zip(described["parts"], map(view_of, described.get("views", ())), strict=False):
            if view.rule:
                found[part["digest"], part["kept_sha256"], view.rule] = view
    return found


def viewed(
    described: Mapping[str, Any],
    pairs: Iterable[tuple[Part, View]],
    store: PartStore,
    columns: Sequence[str] | None,
) -> Iterator[pa.Table]:
    """The rows of a table part by part, checked against the recorded digests; `columns` None means all."""
    asked = [*described["columns"], *INTERNAL] if columns is None else list(columns)
    for part, view in pairs:
        if view.rows:
            yield _viewed_part(described, view_rows(store, part, view), part, store, asked)


def _viewed_part(
    described: Mapping[str, Any], rows: ViewRows, part: Part, store: PartStore, asked: Sequence[str]
) -> pa.Table:
    content = CONTENT if described["image"] else "_hash"
    needed = set(asked) - {"_split"} | ({content} if "_key" in asked else set())
    kept = store.kept(part, sorted(needed), verified=True)
    if len(rows.rows) < part.rows:
        kept = kept.take(pa.array(rows.rows))
    columns = {name: kept[name] for name in asked if name != "_split"}
    if "_split" in asked:
        columns["_split"] = pa.array(SPLITS).take(pa.array(rows.splits))
    if "_source" in asked:
        columns["_source"] = kept["_source"].cast(pa.string())
    if "_key" in asked:
        own = kept["_key"] if described["has_key"] else _keys(kept[content])
        columns["_key"] = _instead(rows.key, own)
    image = described["image"]
    if image in asked:
        columns[image] = _instead(rows.image, kept[image])
    if "_hash" in asked:
        columns["_hash"] = _instead(rows.hash, kept["_hash"])
    return pa.table({name: columns[name] for name in asked})


def _instead(told: pa.Array | None, own: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    return own if told is None else pc.coalesce(told, own)


def _keys(hashes: pa.ChunkedArray) -> pa.Array:
    return pa.array(key_texts(hash_bytes(hashes.combine_chunks())).astype(str), pa.string())
