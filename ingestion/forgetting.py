"""Snapshots without the rows of a forgotten item: parts, views, quarantine and counts written anew."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.checking import Checked
from ingestion.forgotten_rows import Rows, mentioned
from ingestion.history import snapshot_folders
from ingestion.manifest import split_counts
from ingestion.parts import Part, PartStore, part_of
from ingestion.profile import Profile, merge, profile
from ingestion.quarantine import counted
from ingestion.refused_row import original_values
from ingestion.snapshots import MANIFEST, PARTS, QUARANTINE, REFUSED, Snapshot, current_snapshot, open_snapshot
from ingestion.views import View, parts_and_views, put_view, view_rows, viewed
from polyloom.durable import file_digest, json_digest, json_line, publish_folder, read_json, replace_file

IMAGE_DIGITS = 64


class Going(NamedTuple):
    """The rows that leave a part: of its kept ones and of its refused ones, bool each."""

    kept: np.ndarray
    refused: np.ndarray


class Rewriting:
    """What the snapshots of one scenario hold of some keys, and how they look without it."""

    def __init__(self, folder: Path, keys: set[str], rows: Rows, blobs: Path) -> None:
        self.folder = folder
        self.keys = keys
        self.named: set[str] = set()
        self.rows: list[dict[str, Any]] = []
        self.pictures: set[str] = set()
        self.places: list[str] = []
        self.counts: Counter[str] = Counter()
        self.refused = 0
        self._rows = rows
        self._blobs = blobs
        self._current = current_snapshot(folder.parent, folder.name)
        self._store = PartStore(folder / PARTS)
        self._going: dict[str, Going] = {}
        self._rewritten: dict[str, Part] = {}
        self.affected = [snapshot for snapshot in self._snapshots() if self._look(snapshot)]
        self._look_at_stopped()

    def publish(self, snapshot: Snapshot) -> str:
        """Write a snapshot without the item beside the old one; returns its id."""
        quarantine = self._cleaned(snapshot.quarantine())
        tables = {
            name: self._described(name, described, quarantine)
            for name, described in snapshot.manifest["tables"].items()
        }
        self._store.sync()
        facts = {**snapshot.manifest, "tables": tables, "was": snapshot.id}
        identity = json_digest({"was": snapshot.id, "tables": tables})
        with publish_folder(self.folder / identity) as draft:
            pq.write_table(quarantine, draft / QUARANTINE)
            files = {path.name: file_digest(path) for path in sorted(draft.glob("*.parquet"))}
            (draft / MANIFEST).write_bytes(json_line({**facts, "id": identity, "files": files}))
        return identity

    def clean_refused(self) -> None:
        """Take the item out of the rows that stopped an ingestion."""
        path = self.folder / REFUSED
        if path.exists():
            sink = pa.BufferOutputStream()
            pq.write_table(self._cleaned(pq.read_table(path)), sink)
            replace_file(path, sink.getvalue().to_pybytes())

    def _snapshots(self) -> Iterator[Snapshot]:
        yield from (open_snapshot(path) for path in snapshot_folders(self.folder))

    def _look(self, snapshot: Snapshot) -> bool:
        """Whether a snapshot, or a part that it rests on, holds the item; remembers what there is of it."""
        there = False
        for name, described in snapshot.manifest["tables"].items():
            for part in map(part_of, described["parts"]):
                if part.digest not in self._going:
                    self._going[part.digest] = self._look_at_part(name, described, part)
                there |= any(mask.any() for mask in self._going[part.digest])
            self._look_at_view(snapshot, name)
        late = self._naming(snapshot.quarantine())
        self.refused = max(self.refused, int(late.sum()))
        if snapshot.folder == self._current:
            lines = snapshot.quarantine().filter(pa.array(late, pa.bool_())).to_pylist()
            self.places += [f"{line['source']}, row {line['row']}" for line in lines]
        return there or bool(late.any())

    def _look_at_part(self, table: str, described: Mapping[str, Any], part: Part) -> Going:
        kept, refused = self._store.kept(part, verified=True), self._store.refused(part)
        found = self._rows.keys_of(table, kept, has_key=described["has_key"])
        self.named |= {key for keys in found for key in keys if key in self.keys}
        going = Going(self._rows.naming(table, kept, self.keys, has_key=described["has_key"]), self._naming(refused))
        gone = kept.filter(pa.array(going.kept)).to_pylist()
        self.rows += gone
        if described["image"]:
            self.pictures |= {str(row[described["image"]]) for row in gone if _is_digest(row[described["image"]])}
            self.pictures |= self._noted(table, [row[described["image"]] for row in gone])
        return going

    def _look_at_view(self, snapshot: Snapshot, name: str) -> None:
        """How many rows leave, and the pictures that only the view knows."""
        count = 0
        for part, view in parts_and_views(snapshot.manifest["tables"][name]):
            going = self._going[part.digest].kept
            if not going.any():
                continue
            rows = view_rows(self._store, part, view)
            rows = rows.filter(going[rows.rows])
            count += len(rows.rows)
            if rows.image is not None:
                self.pictures |= set(rows.image.drop_null().to_pylist())
            if snapshot.folder == self._current:
                lines = self._store.kept(part, ["_source", "_row"]).take(pa.array(rows.rows)).to_pylist()
                self.places += [f"{line['_source']}, row {line['_row']}" for line in lines]
        self.counts[name] = max(self.counts[name], count)

    def _look_at_stopped(self) -> None:
        path = self.folder / REFUSED
        if path.exists():
            self._naming(pq.read_table(path))

    def _naming(self, refused: pa.Table) -> np.ndarray:
        found = self._rows.refused_naming(refused, self.keys)
        for row in refused.filter(pa.array(found, pa.bool_())).to_pylist():
            self.named |= {row["key"], *mentioned(row["content"])} & self.keys
            self.rows.append(original_values(row["content"]) or {"content": row["content"]})
        return found

    def _noted(self, table: str, paths: list[object]) -> set[str]:
        """The digests of picture files, as the intake noted them."""
        known = self._known_files.get(table, {})
        endings = tuple(f"/{path}" for path in paths if path)
        return {seen[2] for path, seen in known.items() if endings and path.endswith(endings)}

    @cached_property
    def _known_files(self) -> dict[str, dict[str, list[Any]]]:
        prefix = f"{self.folder.name}."
        paths = (self._blobs / "checked").glob(f"{prefix}*.json")
        return {path.stem.removeprefix(prefix): read_json(path) for path in paths}

    def _part(self, part: Part) -> Part:
        """The part without the item; the same part where it holds nothing of it."""
        going = self._going[part.digest]
        if not any(mask.any() for mask in going):
            return part
        if part.digest not in self._rewritten:
            gone = [np.flatnonzero(mask).tolist() for mask in going]
            digest = hashlib.sha256(f"{part.digest}\0without {gone}".encode()).hexdigest()
            kept, refused = self._store.kept(part), self._store.refused(part)
            checked = Checked(
                kept.filter(pa.array(~going.kept)), refused.filter(pa.array(~going.refused)), frozenset(part.found)
            )
            self._rewritten[part.digest] = self._store.put(digest, checked)
        return self._rewritten[part.digest]

    def _view(self, part: Part, view: View) -> View:
        """The view of the rows that stay, at their new positions; the same one where its part stays."""
        staying = self._part(part)
        if staying is part:
            return view
        going = self._going[part.digest].kept
        rows = view_rows(self._store, part, view)
        rows = rows.filter(~going[rows.rows])
        moved = rows._replace(rows=rows.rows - np.cumsum(going)[rows.rows])
        kept = self._store.kept(staying, ["_identity", "_hash"]).take(pa.array(moved.rows))
        hashes = kept["_hash"].combine_chunks()
        if moved.hash is not None:
            hashes = pc.coalesce(moved.hash, hashes)
        return put_view(self._store, staying, moved, identity=np.asarray(kept["_identity"]), hashes=hashes)

    def _described(self, name: str, described: Mapping[str, Any], quarantine: pa.Table) -> dict[str, Any]:
        """A table's entry in the manifest, counted anew."""
        reasons = quarantine.filter(pc.equal(quarantine["table"], name))["reason"].to_pylist()
        pairs = list(parts_and_views(described))
        parts, views = [self._part(part) for part, _ in pairs], [self._view(part, view) for part, view in pairs]
        kept = sum(view.rows for view in views)
        gone = described["rows_kept"] + described["rows_quarantined"] - kept - len(reasons)
        profiled = {"profile": self._profile(described, parts, views)} if gone and "profile" in described else {}
        return {
            **described,
            **profiled,
            "rows_available": described["rows_available"] - gone,
            "rows_in": kept + len(reasons),
            "rows_kept": kept,
            "rows_quarantined": len(reasons),
            "reasons": counted(reasons),
            "splits": split_counts(views),
            "parts": [asdict(part) for part in parts],
            "views": [asdict(view) for view in views],
        }

    def _profile(self, described: Mapping[str, Any], parts: Sequence[Part], views: Sequence[View]) -> Profile:
        batches = viewed(described, zip(parts, views, strict=True), self._store, list(described["columns"]))
        return merge([profile(batch) for batch in batches])

    def _cleaned(self, refused: pa.Table) -> pa.Table:
        return refused.filter(pa.array(~self._rows.refused_naming(refused, self.keys), pa.bool_()))


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and len(value) == IMAGE_DIGITS and set(value) <= set("0123456789abcdef")
