"""An index that changes: items are put in, taken out and put in order, and no crash leaves it between two states.

A folder with `index.json`, which names segments and what is removed from each, and is replaced in one step; nothing
else that it names is ever written again. One process writes at a time, any number read: each reads the state that it
opened, also when what that was made of is gone from the folder.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from polyloom.durable import file_digest, json_digest, locked, replace_file, write_json
from polyloom.errors import DataError, IntegrityError, RequestError
from retrieval.kinds import KINDS, Kind, choose_kind
from retrieval.metrics import METRICS, Metric, stored
from retrieval.records import AGAIN, read_record
from retrieval.segment import Segment, open_segment, write_segment
from retrieval.snapshot import Part, Snapshot
from retrieval.vectors import unique_ids

RECORD, SEGMENTS, REMOVED = "index.json", "segments", "removed"
# More parts than this are joined while they are small; a search asks each.
MOST_PARTS = 8
SMALL = 50_000


@dataclass(frozen=True)
class PartRecord:
    """A segment by name and digest, and the file of what is removed from it, where something is."""

    name: str
    digest: str
    count: int
    removed: int = 0
    bits: str | None = None
    bits_sha256: str | None = None


@dataclass(frozen=True)
class State:
    """What `index.json` says. `number` grows by one with each change."""

    number: int
    encoder_digest: str
    dim: int
    metric: Metric
    kind: Kind | None
    memory: int | None
    parts: tuple[PartRecord, ...]

    @property
    def count(self) -> int:
        """How many items there are."""
        return sum(part.count - part.removed for part in self.parts)


def create_index(
    folder: Path,
    *,
    encoder_digest: str,
    dim: int,
    metric: Metric = "cosine",
    kind: Kind | None = None,
    memory: int | None = None,
) -> None:
    """An empty index in `folder`, for embeddings of one encoder. With `kind` None size and `memory` in bytes decide.

    Raises: RequestError for settings that there are not, DataError when `folder` holds an index already.
    """
    if metric not in METRICS or (kind is not None and kind not in KINDS) or dim < 1:
        raise RequestError(
            f"An index of metric {metric!r}, kind {kind!r} and {dim} dimensions cannot be: metrics are "
            f"{', '.join(METRICS)}, kinds {', '.join(KINDS)}, and there is at least one dimension."
        )
    with locked(folder / "lock"):
        if (folder / RECORD).exists():
            raise DataError(f"{folder} holds an index already. Open it, or name another folder.")
        write_state(folder, State(0, encoder_digest, dim, metric, kind, memory, ()))


def open_index(folder: Path, *, encoder_digest: str, verify: bool = False) -> Snapshot:
    """The index's present state, for queries of the encoder `encoder_digest`; see `open_segment` for `verify`.

    Raises: IntegrityError naming what is missing or changed, or the two encoders when they differ.
    """
    while True:
        state = read_state(folder)
        if state.encoder_digest != encoder_digest:
            raise IntegrityError(
                f"The index in {folder} belongs to the encoder {state.encoder_digest}, not to {encoder_digest}. "
                "Embed the items again with the query's encoder, or open the release that holds both."
            )
        try:
            parts = tuple(open_part(folder, part, verify=verify) for part in state.parts)
        except IntegrityError:
            # A writer may have replaced and removed what was named a moment ago.
            if read_state(folder).number != state.number:
                continue
            raise
        return Snapshot(
            number=state.number,
            encoder_digest=encoder_digest,
            dim=state.dim,
            metric=state.metric,
            parts=parts,
        )


def open_part(folder: Path, part: PartRecord, *, verify: bool) -> Part:
    """A segment with the mask of its items that are still there."""
    segment = open_segment(folder / SEGMENTS / part.name, digest=part.digest, verify=verify)
    return Part(segment=segment, alive=read_alive(folder, part))


def read_alive(folder: Path, part: PartRecord) -> np.ndarray | None:
    """Which items are still there, bool [items]; None for all."""
    if part.bits is None:
        return None
    path = folder / REMOVED / part.bits
    if not path.is_file():
        raise IntegrityError(f"{path} is missing. {AGAIN}")
    if file_digest(path) != part.bits_sha256:
        raise IntegrityError(f"{path} is not what was recorded. {AGAIN}")
    bits = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    return ~np.unpackbits(bits, count=part.count, bitorder="little").astype(bool)


def read_state(folder: Path) -> State:
    """What `index.json` says. Raises IntegrityError when it is missing or changed."""
    if not (folder / RECORD).is_file():
        raise IntegrityError(f"{folder / RECORD} is missing: there is no index here. Create it first.")
    facts = read_record(folder / RECORD)
    given = {name: value for name, value in facts.items() if name not in {"digest", "parts"}}
    return State(**given, parts=tuple(PartRecord(**part) for part in facts["parts"]))


def write_state(folder: Path, state: State) -> None:
    """Replace what the index is, in one step."""
    facts = {**asdict(state), "parts": [asdict(part) for part in state.parts]}
    write_json(folder / RECORD, {**facts, "digest": json_digest(facts)})


class Writer:
    """Changes an index. Each method is one step: it has happened, or it has not."""

    def __init__(self, folder: Path, *, encoder_digest: str) -> None:
        self.folder = folder
        self.encoder_digest = encoder_digest

    def upsert(self, ids: Sequence[str], vectors: np.ndarray) -> int:
        """Put items in, in the place of those of the same ids; gives the new state's number.

        Raises: DataError for a vector that is NaN, infinite, of another dim or, under `cosine`, zero, and for ids that
        stand more than once.
        """
        with self._state() as state:
            ids = unique_ids(ids, count=len(vectors))
            if not ids:
                return state.number
            given = stored(vectors, metric=state.metric, name=lambda row: repr(ids[row]))
            if given.shape[1] != state.dim:
                raise DataError(
                    f"The vectors have {given.shape[1]} dimensions, the index {state.dim}. Encode them with the "
                    "index's own encoder."
                )
            parts, _ = self._without(state, ids)
            return self._end(state, self._joined(state, [*parts, self._segment(state, ids, given)]))

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
            kind = self._kind(state, state.count)
            tidy = len(state.parts) == 1 and not state.parts[0].removed
            if not state.parts or (tidy and read_record(self._place(state.parts[0]) / "segment.json")["kind"] == kind):
                return state.number
            return self._end(state, self._merged(state, state.parts, kind=kind))

    def rebuild(self, kind: Kind | None = None) -> int:
        """All items in one new segment of a `kind`, which holds from now on; None for the one that suits them."""
        if kind is not None and kind not in KINDS:
            raise RequestError(f"There is no kind of index {kind!r}; there are {', '.join(KINDS)}.")
        with self._state() as state:
            changed = State(**{**vars(state), "kind": kind})
            return self._end(changed, self._merged(changed, state.parts, kind=self._kind(changed, state.count)))

    def verify(self) -> int:
        """Hold every byte against what was recorded; gives how many items there are. Raises IntegrityError."""
        return len(open_index(self.folder, encoder_digest=self.encoder_digest, verify=True).ids)

    @contextmanager
    def _state(self) -> Iterator[State]:
        """The present state, while no other process may change it; what a crash left behind is cleared first."""
        with locked(self.folder / "lock"):
            state = read_state(self.folder)
            if state.encoder_digest != self.encoder_digest:
                raise IntegrityError(
                    f"The index in {self.folder} belongs to the encoder {state.encoder_digest}, the vectors to "
                    f"{self.encoder_digest}. Make an index of its own for this encoder."
                )
            self._clear(state)
            yield state

    def _end(self, state: State, parts: Sequence[PartRecord]) -> int:
        """Make the parts the index's state, and clear away what it needs no longer."""
        changed = State(**{**vars(state), "number": state.number + 1, "parts": tuple(parts)})
        write_state(self.folder, changed)
        self._clear(changed)
        return changed.number

    def _without(self, state: State, ids: Sequence[str]) -> tuple[list[PartRecord], int]:
        """The parts without these items, and how many of them there were."""
        parts, total = [], 0
        for part in state.parts:
            segment = open_segment(self._place(part), digest=part.digest)
            places = segment.ids.places(ids)
            places = places[places >= 0]
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
        self, state: State, ids: Sequence[str], vectors: np.ndarray, *, kind: Kind = "flat", name: str = ""
    ) -> PartRecord:
        """A new segment."""
        name = name or f"s{state.number + 1}"
        digest = write_segment(self.folder / SEGMENTS / name, ids=ids, vectors=vectors, metric=state.metric, kind=kind)
        return PartRecord(name, digest, len(ids))

    def _joined(self, state: State, parts: Sequence[PartRecord]) -> list[PartRecord]:
        """The parts, the newest of which are joined while there are many and they are small."""
        kept = list(parts)
        if len(kept) <= MOST_PARTS:
            return kept
        begin = len(kept) - 1
        while begin > 0 and sum(part.count - part.removed for part in kept[begin - 1 :]) <= SMALL:
            begin -= 1
        if begin == len(kept) - 1:
            return kept
        return [*kept[:begin], *self._merged(state, kept[begin:], kind="flat", name=f"j{state.number + 1}")]

    def _merged(self, state: State, parts: Sequence[PartRecord], *, kind: Kind, name: str = "") -> list[PartRecord]:
        """One segment of all items of these parts, or none where none is left."""
        opened = [
            (open_segment(self._place(part), digest=part.digest), read_alive(self.folder, part)) for part in parts
        ]
        count = sum(part.count - part.removed for part in parts)
        if not count:
            return []
        vectors = np.empty((count, state.dim), dtype=np.float32)
        ids: list[str] = []
        for segment, alive in opened:
            begin = len(ids)
            ids += kept_ids(segment, alive)
            whole = segment.all_vectors()
            np.compress(
                np.ones(len(segment), bool) if alive is None else alive, whole, axis=0, out=vectors[begin : len(ids)]
            )
        return [self._segment(state, ids, vectors, kind=kind, name=name)]

    def _kind(self, state: State, count: int) -> Kind:
        """The kind of a segment of so many items."""
        return state.kind or choose_kind(count=count, dim=state.dim, memory=state.memory)

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


def kept_ids(segment: Segment, alive: np.ndarray | None) -> list[str]:
    """The ids of a segment's items that are still there."""
    if alive is None:
        return list(segment.ids)
    return [id_ for id_, there in zip(segment.ids, alive.tolist(), strict=True) if there]


def remove(path: Path) -> None:
    """Remove a file or a folder."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
