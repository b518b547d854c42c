"""An index that changes: items are put in, taken out and put in order, and no crash leaves it between two states.

A folder with `index.json`, which names segments and what is removed from each, and is replaced in one step; nothing
else that it names is ever written again. One process writes at a time, any number read: each reads the state that it
opened, also when what that was made of is gone from the folder.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from polyloom.durable import file_digest, locked, publish_folder, replace_file
from polyloom.errors import DataError, IntegrityError, RequestError
from retrieval.items import Field, Items, check_fields, checked, joined
from retrieval.kinds import KINDS, Kind, choose_kind
from retrieval.records import read_record
from retrieval.segment import LOCK, Segment, note_as_seen, open_segment, write_segment
from retrieval.segment import RECORD as SEGMENT_RECORD
from retrieval.snapshot import Snapshot
from retrieval.state import (
    RECORD,
    REMOVED,
    SEGMENTS,
    PartRecord,
    State,
    check_encoders,
    open_part,
    read_alive,
    read_state,
    write_state,
)

# More parts than this are joined while they are small; a search asks each.
MOST_PARTS = 8
SMALL = 20_000


def create_index(
    folder: Path,
    *,
    fields: Mapping[str, Field],
    keyword: bool = False,
    kind: Kind | None = None,
    memory: int | None = None,
) -> None:
    """An empty index in `folder`. With `kind` None size and `memory`, in bytes for each field, decide.

    Raises: RequestError for settings that there are not, DataError when `folder` holds an index already.
    """
    with locked(folder / LOCK):
        if (folder / RECORD).exists():
            raise DataError(f"{folder} holds an index already. Open it, or name another folder.")
        write_state(folder, new_state(fields, keyword=keyword, kind=kind, memory=memory))


def publish_index(
    folder: Path,
    items: Items,
    *,
    fields: Mapping[str, Field],
    keyword: bool = False,
    kind: Kind | None = None,
    memory: int | None = None,
) -> None:
    """An index of these items that nobody changes, as a part of a release; the same items give the same bytes.

    Raises: as `create_index` and `Writer.upsert` do.
    """
    state = new_state(fields, keyword=keyword, kind=kind, memory=memory)
    items = checked(items, fields=fields, keyword=keyword)
    if folder.exists():
        raise DataError(f"{folder} is there already. Name another folder.")
    with publish_folder(folder) as draft:
        parts = []
        if len(items):
            digest = write_segment(draft / SEGMENTS / "s1", items, fields=fields, kinds=kinds_of(state, len(items)))
            parts = [PartRecord("s1", digest, len(items))]
        write_state(draft, replace(state, number=1, parts=tuple(parts)))


def open_index(folder: Path, *, encoders: Mapping[str, str], verify: bool = False, trusted: bool = False) -> Snapshot:
    """The index's present state, for queries of these encoders by field; see `open_segment` for the other two.

    Raises: IntegrityError naming what is missing or changed, or the two encoders when they differ.
    """
    while True:
        state = read_state(folder)
        check_encoders(folder, state, encoders)
        try:
            parts = tuple(open_part(folder, state, part, verify=verify, trusted=trusted) for part in state.parts)
        except IntegrityError:
            # A writer may have replaced and removed what was named a moment ago.
            if read_state(folder).number != state.number:
                continue
            raise
        return Snapshot(number=state.number, fields=state.fields, keyword=state.keyword, note=state.note, parts=parts)


class Writer:
    """Changes an index. Each method is one step: it has happened, or it has not."""

    def __init__(self, folder: Path, *, encoders: Mapping[str, str]) -> None:
        self.folder = folder
        self.encoders = dict(encoders)

    def upsert(self, items: Items | None, *, removed: Sequence[str] = (), note: Mapping[str, str] | None = None) -> int:
        """Put items in, in the place of those of the same ids, and take others out; gives the new state's number.

        `items` None are none; `note` are facts to be kept with the state. Raises: DataError for a vector that is NaN,
        infinite, of another dim or, under `cosine`, zero, for ids that stand more than once, and for columns that the
        index does not have.
        """
        with self._state() as state:
            given = None if items is None else checked(items, fields=state.fields, keyword=state.keyword)
            given = replace(given, rows=self._fitting(state, given.rows)) if given else None
            parts, gone = self._without(state, [*(given.ids if given else ()), *removed])
            if given:
                parts.append(self._segment(state, given))
            elif not gone and (note is None or dict(note) == state.note):
                return state.number
            return self._end(state, self._tidied(state, parts), note=note)

    def delete(self, ids: Sequence[str]) -> int:
        """Take items out; gives how many of them were there."""
        with self._state() as state:
            parts, count = self._without(state, ids)
            if count:
                self._end(state, parts)
            return count

    def compact(self) -> int:
        """All items in one segment of the kind that suits them; gives the new state's number."""
        with self._state() as state:
            kinds = kinds_of(state, state.count)
            tidy = len(state.parts) == 1 and not state.parts[0].removed
            if not state.parts or (
                tidy and read_record(self._place(state.parts[0]) / SEGMENT_RECORD)["kinds"] == kinds
            ):
                return state.number
            return self._end(state, self._merged(state, state.parts))

    def rebuild(self, kind: Kind | None = None) -> int:
        """All items in one new segment of a `kind`, which holds from now on; None for the one that suits them."""
        check_kind(kind)
        with self._state() as state:
            changed = replace(state, kind=kind)
            return self._end(changed, self._merged(changed, state.parts))

    def verify(self) -> int:
        """Hold every byte against what was recorded; gives how many items there are. Raises IntegrityError."""
        return len(open_index(self.folder, encoders=self.encoders, verify=True).ids)

    @contextmanager
    def _state(self) -> Iterator[State]:
        """The present state, while no other process may change it; what a crash left behind is cleared first."""
        with locked(self.folder / LOCK):
            state = read_state(self.folder)
            check_encoders(self.folder, state, self.encoders)
            self._clear(state)
            yield state

    def _end(self, state: State, parts: Sequence[PartRecord], *, note: Mapping[str, str] | None = None) -> int:
        """Make the parts the index's state, and clear away what it needs no longer."""
        kept = state.note if note is None else dict(note)
        changed = replace(state, number=state.number + 1, parts=tuple(parts), note=kept)
        write_state(self.folder, changed)
        self._clear(changed)
        return changed.number

    def _fitting(self, state: State, rows: pa.Table | None) -> pa.Table | None:
        """Columns in the types of those that are there. Raises: DataError where they cannot be."""
        if not state.parts:
            return rows
        known = self._open(state, state.parts[0]).rows
        has, got = ([] if one is None else one.column_names for one in (known, rows))
        if {*has} != {*got} or known is None or rows is None:
            if known is None and rows is None:
                return None
            raise DataError(f"The index has the columns {has}, the items {got}. Make an index of its own for these.")
        try:
            return rows.select(has).cast(known.schema)
        except pa.ArrowInvalid as error:
            raise DataError(f"The items' columns do not have the index's types: {error}") from error

    def _without(self, state: State, ids: Sequence[str]) -> tuple[list[PartRecord], int]:
        """The parts without these items, and how many of them there were."""
        parts, total = [], 0
        for part in state.parts:
            segment = self._open(state, part)
            places = segment.ids.places(ids)
            places = np.unique(places[places >= 0])
            alive = read_alive(self.folder, part)
            if alive is not None:
                places = places[alive[places]]
            total += len(places)
            parts.append(self._with_removed(state, part, places, alive) if len(places) else part)
        return [part for part in parts if part.removed < part.count], total

    def _with_removed(self, state: State, part: PartRecord, places: np.ndarray, alive: np.ndarray | None) -> PartRecord:
        """A part with these places removed too, noted in a new file."""
        removed = np.zeros(part.count, dtype=bool) if alive is None else ~alive
        removed[places] = True
        name = f"{part.name}.{state.number + 1}"
        path = self.folder / REMOVED / name
        replace_file(path, np.packbits(removed, bitorder="little").tobytes())
        return PartRecord(
            part.name, part.digest, part.count, removed=int(removed.sum()), bits=name, bits_sha256=file_digest(path)
        )

    def _segment(
        self, state: State, items: Items, *, kinds: Mapping[str, Kind] | None = None, mark: str = "s"
    ) -> PartRecord:
        """A new segment, searched exactly unless `kinds` says otherwise."""
        name = f"{mark}{state.number + 1}"
        kinds = kinds or dict.fromkeys(state.fields, "flat")
        digest = write_segment(self.folder / SEGMENTS / name, items, fields=state.fields, kinds=kinds)
        note_as_seen(self.folder / SEGMENTS / name)
        return PartRecord(name, digest, len(items))

    def _tidied(self, state: State, parts: Sequence[PartRecord]) -> list[PartRecord]:
        """The parts, the newest of which are joined while there are many and they are small."""
        kept = list(parts)
        if len(kept) <= MOST_PARTS:
            return kept
        begin = len(kept) - 1
        while begin > 0 and sum(part.count - part.removed for part in kept[begin - 1 :]) <= SMALL:
            begin -= 1
        if begin == len(kept) - 1:
            return kept
        return [*kept[:begin], self._segment(state, self._items(state, kept[begin:]), mark="j")]

    def _merged(self, state: State, parts: Sequence[PartRecord]) -> list[PartRecord]:
        """One segment of all items of these parts, or none where none is left."""
        items = self._items(state, parts) if parts else None
        return [self._segment(state, items, kinds=kinds_of(state, len(items)))] if items else []

    def _items(self, state: State, parts: Sequence[PartRecord]) -> Items:
        """All items of these parts."""
        return joined([self._open(state, part).items(read_alive(self.folder, part)) for part in parts])

    def _open(self, state: State, part: PartRecord) -> Segment:
        return open_segment(self._place(part), digest=part.digest, fields=state.fields)

    def _place(self, part: PartRecord) -> Path:
        return self.folder / SEGMENTS / part.name

    def _clear(self, state: State) -> None:
        """Remove segments and files that the state does not name: of states before, and of writes that were cut off."""
        named = {part.name for part in state.parts}
        notes = {f".{name}.seen" for name in named}
        for path in list((self.folder / SEGMENTS).glob("*")):
            if path.name not in named | notes:
                remove(path)
        bits = {part.bits for part in state.parts}
        for path in list((self.folder / REMOVED).glob("*")):
            if path.name not in bits:
                remove(path)


def new_state(fields: Mapping[str, Field], *, keyword: bool, kind: Kind | None, memory: int | None) -> State:
    """The state of an index without items. Raises: RequestError for settings that there are not."""
    check_fields(fields)
    check_kind(kind)
    if not fields and not keyword:
        raise RequestError("An index without a field of vectors and without words finds nothing. Give it either.")
    return State(number=0, fields=dict(fields), keyword=keyword, kind=kind, memory=memory)


def check_kind(kind: str | None) -> None:
    """Raises: RequestError for a kind that there is not."""
    if kind is not None and kind not in KINDS:
        raise RequestError(f"There is no kind of index {kind!r}; there are {', '.join(KINDS)}.")


def kinds_of(state: State, count: int) -> dict[str, Kind]:
    """The kind of each field in a segment of so many items."""
    return {
        name: state.kind or choose_kind(count=count, dim=field.dim, memory=state.memory)
        for name, field in state.fields.items()
    }


def remove(path: Path) -> None:
    """Remove a file or a folder."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
