"""One table out of its parts: split, sampled, with its pictures, without the rows that other rows rule out."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.assigned_splits import AssignedSplits
from ingestion.checking import CONTENT
from ingestion.hashing import HASH_TYPE, hash_bytes, key_texts, with_picture
from ingestion.part_columns import PartColumns
from ingestion.parts import PartStore
from ingestion.picture_intake import Wanted
from ingestion.refusals import Refusal, shown
from ingestion.remote import is_address
from ingestion.sources import SPLITS
from ingestion.splits import Boundaries, sample_positions
from ingestion.tables import ReadTable


def beside(folder: str, picture: str, *, stored: bool) -> str:
    """A picture's path below the folder that the scenario names; an address or a blob stays what it is."""
    return picture if stored or not folder or is_address(picture) else os.path.join(folder, picture)  # noqa: PTH118


@dataclass
class AssembledTable:
    """The rows of one table in the order of the source: positions count the kept rows of all parts.

    `chosen` are the rows that the sample took, `late` the refusals of rows that their parts had kept. `replaced` rows
    are out, because repaired ones stand in their place.
    """

    read: ReadTable
    columns: PartColumns
    splits: AssignedSplits
    chosen: np.ndarray
    refused_chosen: np.ndarray
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
        columns = PartColumns(store, read.parts)
        source = read.source
        needed = (source.image, source.split, source.group, source.time_split)
        columns.load(["_identity", *(name for name in needed if name)])
        splits = AssignedSplits.of(read, columns, fractions=fractions, seed=seed, known=known)
        table = cls(
            read=read,
            columns=columns,
            splits=splits,
            chosen=np.ones(columns.rows, dtype=bool),
            refused_chosen=np.ones(sum(part.refused for part in read.parts), dtype=bool),
        )
        table.refuse(splits.refusals)
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

    @property
    def store(self) -> PartStore:
        """Where the parts are."""
        return self.columns.store

    def column(self, name: str) -> pa.Array:
        """A column of all rows of the parts."""
        return self.columns.column(name)

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

    @property
    def is_whole(self) -> bool:
        """Whether all rows that the parts kept go into the snapshot, as far as is known by now."""
        return not self.late and bool(self.chosen.all())

    def is_kept(self) -> np.ndarray:
        """Which rows go into the snapshot, as far as is known by now, bool [rows]."""
        mask = self.chosen.copy()
        mask[list(self.late)] = False
        return mask

    def kept(self) -> np.ndarray:
        """Positions of the rows that go into the snapshot, as far as is known by now."""
        return np.flatnonzero(self.is_kept())

    def refuse(self, refusals: Mapping[int, Refusal]) -> None:
        """Refuse rows; a row's first refusal counts."""
        for position, refusal in refusals.items():
            self.late.setdefault(position, refusal)

    def keys(self, positions: np.ndarray) -> list[str]:
        """The keys that rows declare, or those that their content gives them, without a number for repeated ones."""
        if self.has_key:
            return [str(key) for key in self.columns.at("_key", positions).to_pylist()]
        found = key_texts(hash_bytes(self.columns.at(CONTENT if self.read.source.image else "_hash", positions)))
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
        identity = self.identity if len(positions) == len(self.identity) else self.identity[positions]
        # Sorting the numbers alone takes a sixth of the time of sorting positions by them.
        ordered = np.sort(identity)
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if not len(twice):
            return
        nearest = np.minimum(np.searchsorted(twice, identity), len(twice) - 1)
        places = np.flatnonzero(twice[nearest] == identity)
        places = places[np.argsort(nearest[places], kind="stable")]
        for group in np.split(places, np.flatnonzero(np.diff(nearest[places])) + 1):
            yield positions[group]

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
        source, number = (self.columns.at(name, np.array([position]))[0].as_py() for name in ("_source", "_row"))
        return f"{source}, row {number}"

    def _repeated(self, key: str, *, before: int) -> Refusal:
        return Refusal("duplicate_key", f"the key {shown(key)} stands in {self.where(before)} already.")

    def _take_sample(self, *, stratum: str | None, seed: int) -> None:
        sample = self.read.source.sample
        if not sample:
            return
        refused = np.asarray(self.refused["_identity"])
        identity = np.concatenate([self.identity, refused])
        splits = np.concatenate([self.splits.all, self.splits.of_refused(refused)])
        strata = np.concatenate([self._strata(stratum), np.full(len(refused), -1)])
        chosen = np.zeros(len(splits), dtype=bool)
        for code, split in enumerate(SPLITS):
            places = np.flatnonzero(splits == code)
            size = sample.get(split, len(places))
            chosen[places[sample_positions(identity[places], strata[places], size=size, seed=seed)]] = True
        self.chosen, self.refused_chosen = chosen[: self.columns.rows], chosen[self.columns.rows :]

    def _strata(self, column: str | None) -> np.ndarray:
        """A number for each row by its value in a column; rows without one share -1."""
        if column is None or pa.types.is_list(self.column(column).type):
            return np.full(self.columns.rows, -1)
        codes = pc.dictionary_encode(self.column(column)).indices
        return np.asarray(pc.fill_null(codes, -1), dtype=np.int64)
