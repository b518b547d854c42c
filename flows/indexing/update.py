"""Bring a release's index in step with a snapshot: only what changed is embedded, all of it lands in one step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flows.indexing.changes import Changes, changes
from flows.indexing.place import SNAPSHOT, index_place
from flows.stages.index import items_of
from ingestion.blobs import blob_path
from ingestion.snapshots import Snapshot
from polyloom.durable import read_json
from polyloom.errors import DataError
from polyloom.home import home
from polyloom.progress import Progress
from releases.runtime import Runtime

Result = dict[str, Any]


def update_index(runtime: Runtime, snapshot: Snapshot, *, progress: Progress) -> Result:
    """Counts of what is new, changed, gone and the same, the state's number, and how many values were embedded.

    Raises: DataError where the snapshot's rows no longer have the columns that the release knows.
    """
    place = index_place(runtime)
    facts = runtime.facts["index"]
    table = snapshot.table(facts["rows"])
    index = place.open()
    found = changes(table, index)
    counts = {"new": len(found.new), "changed": len(found.changed), "gone": len(found.gone), "same": found.same}
    if not found.any and index.note.get(SNAPSHOT, sealed_snapshot(runtime)) == snapshot.id:
        return {**counts, "embedded": {}, "number": index.number, "items": len(index.ids), "status": "unchanged"}
    items, counted = None, dict.fromkeys(facts["embed"], 0)
    if len(found.rows):
        vectors, counted = vectors_of(runtime, table, found, progress=progress)
        items = items_of(table.take(found.rows), vectors=vectors, words=facts["words"] if facts["keyword"] else None)
    try:
        number = place.writer().upsert(items, removed=found.gone, note={SNAPSHOT: snapshot.id})
    except DataError as error:
        raise DataError(f"{error} Next, for a release that knows such rows: polyloom run {runtime.name}") from error
    return {**counts, "embedded": counted, "number": number, "items": len(table), "status": "updated"}


def vectors_of(
    runtime: Runtime, table: pa.Table, found: Changes, *, progress: Progress
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """Vectors of the rows that are new or changed, by field, and how many values each modality embedded."""
    facts = runtime.facts["index"]
    rows = readable(table.take(found.rows).to_pylist(), facts["image"])
    sides = {task: one["side"] for task, one in facts["align"].items()}
    embeddings, counts = {}, {}
    for name in dict.fromkeys([*facts["embed"], *sides.values()]):
        values = [runtime.preparations[name].value(row) for row in rows]
        embeddings[name] = embedded(runtime, name, values, progress=progress)
        counts[name] = sum(value is not None for value in values)
    vectors = {name: embeddings[name] for name in facts["embed"]}
    return vectors | {task: runtime.projected(task, side, embeddings[side]) for task, side in sides.items()}, counts


def readable(rows: list[dict[str, Any]], image: str | None) -> list[dict[str, Any]]:
    """Rows whose pictures are paths into the picture store."""
    for row in rows:
        if image and row[image] is not None:
            row[image] = str(blob_path(home() / "blobs", str(row[image])))
    return rows


def embedded(runtime: Runtime, name: str, values: Sequence[object | None], *, progress: Progress) -> np.ndarray:
    """Embeddings [values, dim] by a release's encoder, with a bar."""
    size = max(1, runtime.encoders[name].batch_size)
    parts = []
    with progress.stage(f"embed {name}", total=len(values), unit="rows") as bar:
        for begin in range(0, len(values), size):
            parts.append(runtime.embed(name, values[begin : begin + size]))
            bar.advance(len(parts[-1]))
    return np.concatenate(parts) if parts else np.zeros((0, runtime.encoders[name].dim), np.float32)


def sealed_snapshot(runtime: Runtime) -> str:
    """The snapshot that the release was made from."""
    return str(read_json(runtime.folder / "snapshot.json")["id"])
