"""One table out of its parts: split, sampled, with its pictures, without the rows that other rows rule out."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.checking import CONTENT
from ingestion.hashing import HASH_TYPE, hash_bytes, key_texts, with_picture
from ingestion.parts import PartStore
from ingestion.picture_intake import Wanted
from ingestion.refusals import Refusal, shown
from ingestion.remote import is_address
from ingestion.sources import SPLITS, UNSPLIT
from ingestion.splits import (
    TRAIN,
    Boundaries,
    group_identities,
    missing_fractions,
    named_splits,
    sample_positions,
    split_codes,
    time_boundaries,
    time_codes,
)
from ingestion.tables import THREADS, ReadTable


def beside(folder: str, picture: str, *, stored: bool) -> str:
    """A picture's path below the folder that the scenario names; an address or a blob stays what it is."""
    return picture if stored or not folder or is_address(picture) else os.path.join(folder, picture)  # noqa: PTH118


ALWAYS_NEEDED = ("_identity", "_hash")


@dataclass
class AssembledTable:
    """The rows of one table in the order of the source: positions count the kept rows of all parts.

    `chosen` are the rows that the sample took, `late` the refusals of rows that their parts had kept. `replaced` rows
    are out, because repaired ones stand in their place.
    """

    read: ReadTable
    store: PartStore
    splits: np.ndarray
    refused_splits: np.ndarray
    chosen: np.ndarray
    refused_chosen: np.ndarray
    boundaries: Boundaries | None = None
    replaced: int = 0
    late: dict[int, Refusal] = field(default_factory=dict)
    pictures: dict[int, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        read: ReadTable,
        store: PartStore,
        *,
        targets: Sequence[str],
        fractions: Mapping[str, float],
        seed: int,
        known: Boundaries | None,
    ) -> "AssembledTable":
        """Assign splits and take the sample. `known` are the boundaries of earlier snapshots, which stay."""
        rows, refused = sum(part.rows for part in read.parts), sum(part.refused for part in read.parts)
        table = cls(
            read=read,
            store=store,
            splits=np.zeros(rows, np.uint8),
            refused_splits=np.zeros(refused, np.uint8),
            chosen=np.ones(rows, dtype=bool),
            refused_chosen=np.ones(refused, dtype=bool),
        )
        table._assign_splits(fractions=fractions, seed=seed, known=known)
        table._take_sample(stratum=targets[0] if targets else None, seed=seed)
        return table

    def without(self, earlier: "AssembledTable", *, kept: np.ndarray, refused: np.ndarray) -> None:
        """Take the sample of `earlier`, which had fewer parts, without some of its rows, and all rows since."""
        for chosen, before, gone in (
            (self.chosen, earlier.chosen, kept),
            (self.refused_chosen, earlier.refused_chosen, refused),
        ):
            chosen[:] = True
            chosen[: len(before)] = before
            chosen[gone] = False
        self.replaced = len(kept) + len(refused)

    def column(self, name: str) -> pa.Array:
        """A column of all rows of the parts."""
        if name not in self._columns:
            self._load(list(dict.fromkeys([name, *self._needed])))
        return self._columns[name]

    def _load(self, names: Sequence[str]) -> None:
        """Read columns of all parts; those that every table needs come along with the first one."""
        missing = [name for name in names if name not in self._columns]
        with ThreadPoolExecutor(max_workers=THREADS) as pool:
            pieces = list(pool.map(lambda part: self.store.kept(part, missing), self.read.parts))
        for name in missing:
            chunks = [chunk for piece in pieces for chunk in piece[name].chunks]
            combined = pa.chunked_array(chunks, pieces[0][name].type).combine_chunks()
            self._columns[name] = combined.chunk(0) if isinstance(combined, pa.ChunkedArray) else combined

    @cached_property
    def _needed(self) -> list[str]:
        """What is asked for sooner or later, read together."""
        source, schema = self.read.source, self.read.schema
        named = (source.image, source.split, source.group, source.time_split)
        targets = [name for name in schema.required if schema.kinds.get(name) == "category" and name in source.columns]
        return [*ALWAYS_NEEDED, *(name for name in named if name), *targets]

    @cached_property
    def _columns(self) -> dict[str, pa.Array]:
        return {}

    @cached_property
    def part_of(self) -> np.ndarray:
        """The number of each row's part."""
        return np.repeat(np.arange(len(self.read.parts)), [part.rows for part in self.read.parts])

    @cached_property
    def row_in_part(self) -> np.ndarray:
        """Each row's position in its part."""
        counts = [np.arange(part.rows) for part in self.read.parts]
        return np.concatenate(counts) if counts else np.zeros(0, np.int64)

    @cached_property
    def identity(self) -> np.ndarray:
        """What splits and samples rest on, uint64."""
        return np.asarray(self.column("_identity"))

    @cached_property
    def refused(self) -> pa.Table:
        """The rows that their parts refused."""
        return pa.concat_tables([self.store.refused(part) for part in self.read.parts])

    @property
    def has_key(self) -> bool:
        """Whether the rows have keys of their own."""
        return self.read.source.key is not None or self.read.source.kind == "pictures"

    def kept(self) -> np.ndarray:
        """Positions of the rows that go into the snapshot, as far as is known by now."""
        mask = self.chosen.copy()
        mask[list(self.late)] = False
        return np.flatnonzero(mask)

    def refuse(self, refusals: Mapping[int, Refusal]) -> None:
        """Refuse rows; a row's first refusal counts."""
        for position, refusal in refusals.items():
            self.late.setdefault(position, refusal)

    def keys(self, positions: np.ndarray) -> list[str]:
        """The keys that rows declare, or those that their content gives them, without a number for repeated ones."""
        if self.has_key:
            return [str(key) for key in self.column("_key").take(pa.array(positions)).to_pylist()]
        found = key_texts(hash_bytes(self.column(CONTENT if self.read.source.image else "_hash"))[positions])
        return [key.decode() for key in found.tolist()]

    def take_pictures(self, take: Callable[[Sequence[Wanted], str], None]) -> None:
        """Put the pictures of the kept rows into the store; rows without a usable one are refused."""
        column = self.read.source.image
        if column is None:
            return
        there = np.asarray(self.column(column).is_valid())
        positions = self.kept()
        positions = positions[there[positions]]
        folder = str(self.read.source.options.get("image_folder") or "")
        values, sizes, numbers = (self.column(name) for name in (column, "_stored", "_row"))
        wanted = [
            Wanted(
                value=beside(folder, values[place].as_py(), stored=sizes[place].is_valid),
                stored_bytes=sizes[place].as_py(),
                path=self.read.paths[self.part_of[place]],
                number=numbers[place].as_py(),
            )
            for place in positions.tolist()
        ]
        take(wanted, self.read.source.name)
        for place, one in zip(positions.tolist(), wanted, strict=True):
            if isinstance(one.outcome, Refusal):
                self.refuse({place: one.outcome})
            else:
                self.pictures[place] = str(one.outcome)

    def hashes(self, positions: np.ndarray) -> pa.Array:
        """The content hashes of rows, pictures included."""
        own = self.column("_hash").take(pa.array(positions))
        if not self.pictures:
            return own
        told = [
            with_picture(content, self.pictures[place]) if place in self.pictures else content
            for place, content in zip(positions.tolist(), own.to_pylist(), strict=True)
        ]
        return pa.array(told, HASH_TYPE)

    def repeated(self, positions: np.ndarray) -> Iterable[np.ndarray]:
        """Groups of rows with the same key or, without keys, the same content: positions in order."""
        ordered = self.by_identity(positions)
        identity = self.identity[ordered]
        same = np.flatnonzero(identity[1:] == identity[:-1])
        for group in np.split(same, np.flatnonzero(np.diff(same) > 1) + 1) if len(same) else []:
            yield ordered[group[0] : group[-1] + 2]

    def by_identity(self, positions: np.ndarray) -> np.ndarray:
        """The same positions in the order of their identities; equal ones as they stand in the source."""
        if len(positions) == len(self._order):
            return self._order
        asked = np.zeros(len(self._order), dtype=bool)
        asked[positions] = True
        return np.asarray(self._order[asked[self._order]])

    @cached_property
    def _order(self) -> np.ndarray:
        # Not stable, which costs a third of the time: equal ones, of which there are few, are put in order afterwards.
        order: np.ndarray = np.argsort(self.identity)
        ordered = self.identity[order]
        same = np.flatnonzero(ordered[1:] == ordered[:-1])
        for group in np.split(same, np.flatnonzero(np.diff(same) > 1) + 1) if len(same) else []:
            order[group[0] : group[-1] + 2].sort()
        return order

    def refuse_repeated_keys(self) -> None:
        """Of rows with the same key the first one is kept."""
        if not self.has_key:
            return
        for group in self.repeated(self.kept()):
            first: dict[str, int] = {}
            for place, key in zip(group.tolist(), self.keys(group), strict=True):
                if key in first:
                    self.refuse({place: self._repeated(key, before=first[key])})
                first.setdefault(key, place)

    def key_overrides(self, positions: np.ndarray) -> dict[int, str]:
        """Keys of rows that declare none and repeat another row's content: numbered from the second on."""
        if self.has_key:
            return {}
        found: dict[int, str] = {}
        for group in self.repeated(positions):
            times: dict[str, int] = {}
            for place, key in zip(group.tolist(), self.keys(group), strict=True):
                times[key] = times.get(key, 0) + 1
                if times[key] > 1:
                    found[place] = f"{key}-{times[key]}"
        return found

    def where(self, position: int) -> str:
        """Where a row stands."""
        source, number = self.column("_source")[position].as_py(), self.column("_row")[position].as_py()
        return f"{source}, row {number}"

    def _repeated(self, key: str, *, before: int) -> Refusal:
        return Refusal("duplicate_key", f"the key {shown(key)} stands in {self.where(before)} already.")

    def _assign_splits(self, *, fractions: Mapping[str, float], seed: int, known: Boundaries | None) -> None:
        source = self.read.source
        given = self._given([part.rows for part in self.read.parts])
        there = set(source.paths)
        if source.split:
            codes, refusals = named_splits(self.column(source.split))
            self.refuse(refusals)
            given = codes.astype(np.int8)
            there = {SPLITS[code] for code in np.unique(codes).tolist()}
        to_cut = missing_fractions(there, fractions)
        free = given <= TRAIN
        drawn = self._drawn(free, to_cut, seed=seed, known=known)
        self.splits = np.where(free, drawn, given).astype(np.uint8)
        refused_given = self._given([part.refused for part in self.read.parts])
        if len(refused_given):
            identity = np.asarray(self.refused["_identity"])
            drawn = split_codes(identity, seed=seed, fractions=to_cut)
            self.refused_splits = np.where(refused_given <= TRAIN, drawn, refused_given).astype(np.uint8)

    def _given(self, counts: Sequence[int]) -> np.ndarray:
        """The split that each row's file stands for; -1 where it stands for none."""
        codes = [-1 if given == UNSPLIT else SPLITS.index(given) for given in self.read.given]
        return np.repeat(np.array(codes, np.int8), counts)

    def _drawn(
        self, free: np.ndarray, fractions: Mapping[str, float], *, seed: int, known: Boundaries | None
    ) -> np.ndarray:
        source = self.read.source
        if source.time_split:
            times = self.column(source.time_split).cast(pa.int64())
            there = np.asarray(times.is_valid()) & free
            moments = np.asarray(pc.fill_null(times, 0))
            self.boundaries = time_boundaries(moments[there], fractions, known)
            return np.where(there, time_codes(moments, self.boundaries), TRAIN)
        identity = self.identity
        if source.group:
            identity = group_identities(self.column(source.group), identity)
        return split_codes(identity, seed=seed, fractions=fractions)

    def _take_sample(self, *, stratum: str | None, seed: int) -> None:
        sample = self.read.source.sample
        if not sample:
            return
        identity = self.identity
        if len(self.refused_splits):
            identity = np.concatenate([identity, np.asarray(self.refused["_identity"])])
        splits = np.concatenate([self.splits, self.refused_splits])
        strata = np.concatenate([self._strata(stratum), np.full(len(self.refused_splits), -1)])
        chosen = np.zeros(len(splits), dtype=bool)
        for code, split in enumerate(SPLITS):
            places = np.flatnonzero(splits == code)
            size = sample.get(split, len(places))
            chosen[places[sample_positions(identity[places], strata[places], size=size, seed=seed)]] = True
        self.chosen, self.refused_chosen = chosen[: len(self.splits)], chosen[len(self.splits) :]

    def _strata(self, column: str | None) -> np.ndarray:
        """A number for each row by its value in a column; rows without one share -1."""
        if column is None or pa.types.is_list(self.column(column).type):
            return np.full(len(self.splits), -1)
        codes = pc.dictionary_encode(self.column(column)).indices
        return np.asarray(pc.fill_null(codes, -1), dtype=np.int64)
