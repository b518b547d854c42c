"""One immutable part of an index on disk: its items' ids, vectors by field, columns and words.

A folder with the ids, for each field its vectors, `rows.arrow`, `texts.arrow` and `keywords/` where there are any, and
`segment.json` with the digests of all these and its own.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polyloom.durable import file_digest, json_digest, publish_folder, write_json
from polyloom.errors import IntegrityError
from retrieval.id_table import IdTable, write_ids
from retrieval.items import Field, Items
from retrieval.keywords import KeywordIndex, open_keywords, write_keywords
from retrieval.kinds import Kind
from retrieval.records import AGAIN, read_record
from retrieval.segment_vectors import open_vectors, write_vectors

RECORD, ROWS, TEXTS, KEYWORDS = "segment.json", "rows.arrow", "texts.arrow", "keywords"
# Who changes an index holds this file of its folder.
LOCK = "lock"


class Segment:
    """An open segment; `places` are its items' positions from 0 on."""

    def __init__(self, folder: Path, *, record: dict[str, Any], fields: Mapping[str, Field]) -> None:
        self.folder = folder
        self.record = record
        self.ids = IdTable.open(folder)
        self.vectors = {name: open_vectors(folder, name, metric=field.metric) for name, field in fields.items()}
        self.rows: pa.Table | None = read_arrow(folder / ROWS) if (folder / ROWS).is_file() else None
        # All is opened here and nothing later: a writer may remove the folder.
        self.keywords: KeywordIndex | None = open_keywords(folder / KEYWORDS) if (folder / KEYWORDS).is_dir() else None

    def __len__(self) -> int:
        return len(self.ids)

    def items(self, alive: np.ndarray | None) -> Items:
        """Everything that it holds of the items that are marked, to write it again; None for all."""
        kept = np.arange(len(self)) if alive is None else np.flatnonzero(alive)
        texts = read_arrow(self.folder / TEXTS) if (self.folder / TEXTS).is_file() else None
        ids = list(self.ids)
        return Items(
            ids=[ids[place] for place in kept.tolist()],
            vectors={name: own.all if alive is None else own.all[kept] for name, own in self.vectors.items()},
            present={name: own.present[kept] for name, own in self.vectors.items() if own.present is not None},
            rows=None if self.rows is None else self.rows.take(kept),
            texts=None if texts is None else texts["text"].take(kept).to_pylist(),
        )


def write_segment(folder: Path, items: Items, *, fields: Mapping[str, Field], kinds: Mapping[str, Kind]) -> str:
    """Publish checked items as a segment in `folder`; gives the digest of its record."""
    with publish_folder(folder) as draft:
        write_ids(draft, items.ids)
        for name, field in fields.items():
            present = items.present.get(name)
            write_vectors(draft, name, items.vectors[name], present=present, metric=field.metric, kind=kinds[name])
        if items.rows is not None:
            write_arrow(draft / ROWS, items.rows.replace_schema_metadata(None), compression=None)
        if items.texts is not None:
            write_arrow(draft / TEXTS, pa.table({"text": pa.array(items.texts, pa.large_string())}), compression="zstd")
            write_keywords(draft / KEYWORDS, items.texts)
        paths = sorted(path for path in draft.rglob("*") if path.is_file())
        files = {
            path.relative_to(draft).as_posix(): {"bytes": path.stat().st_size, "sha256": file_digest(path)}
            for path in paths
        }
        facts = {"count": len(items), "kinds": dict(kinds), "files": files}
        record = {**facts, "digest": json_digest(facts)}
        write_json(draft / RECORD, record)
    return str(record["digest"])


def open_segment(
    folder: Path, *, digest: str, fields: Mapping[str, Field], verify: bool = False, trusted: bool = False
) -> Segment:
    """The segment whose record has this digest.

    Files are held against their recorded lengths, and against their digests on the first opening after they were
    written or moved, and with `verify` each time: the name, length and time of those that were right are noted beside
    the segment of an index that changes. `trusted` is for a caller who has held every byte against its digest just now.
    Raises IntegrityError that names what is missing or changed.
    """
    record = read_record(folder / RECORD)
    if record["digest"] != digest:
        raise IntegrityError(f"{folder / RECORD} is another segment's than the index names. {AGAIN}")
    if not trusted:
        check_files(folder, record, verify=verify)
    return Segment(folder, record=record, fields=fields)


def check_files(folder: Path, record: dict[str, Any], *, verify: bool) -> None:
    """Raises IntegrityError for a file that is missing, cut or changed."""
    states = states_of(folder, record)
    if not verify and noted(seen_file(folder)) == states:
        return
    for name, expected in record["files"].items():
        if file_digest(folder / name) != expected["sha256"]:
            raise IntegrityError(f"{folder / name} is not what was recorded. {AGAIN}")
    # Nothing may be added to an index that is part of a sealed bundle.
    if (folder.parent.parent / LOCK).exists():
        note(seen_file(folder), states)


def note_as_seen(folder: Path) -> None:
    """Note that a segment is right, for it was written just now."""
    note(seen_file(folder), states_of(folder, read_record(folder / RECORD)))


def seen_file(folder: Path) -> Path:
    """Where it is noted which files of a segment were found right."""
    return folder.parent / f".{folder.name}.seen"


def states_of(folder: Path, record: dict[str, Any]) -> dict[str, list[int]]:
    """What changes when a file does: its length, its time and where it lies. Raises IntegrityError as `check_files`."""
    states = {}
    for name, expected in record["files"].items():
        path = folder / name
        if not path.is_file():
            raise IntegrityError(f"{path} is missing. {AGAIN}")
        state = path.stat()
        if state.st_size != expected["bytes"]:
            raise IntegrityError(f"{path} has {state.st_size} bytes instead of {expected['bytes']}. {AGAIN}")
        states[name] = [state.st_size, state.st_mtime_ns, state.st_ino]
    return states


def noted(path: Path) -> object:
    """What an earlier opening noted; None where nobody did."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def note(path: Path, states: object) -> None:
    """Note what was found right; a reader who may not write here will look again."""
    try:
        write_json(path, states)
    except OSError:
        return


def write_arrow(path: Path, table: pa.Table, *, compression: str | None) -> None:
    """Write a table so that it can be mapped into memory, or compressed."""
    with (
        pa.OSFile(str(path), "wb") as sink,
        pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=compression)) as writer,
    ):
        writer.write_table(table)


def read_arrow(path: Path) -> pa.Table:
    """A table on disk; what is not compressed is read where it is asked."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
