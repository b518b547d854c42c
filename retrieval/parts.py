"""The parts of an opened index: segments, what of each is still there, and ids over all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np

from retrieval.segment import Segment


@dataclass(frozen=True)
class Part:
    """A segment, and which of its items are still there, bool [items]; None for all."""

    segment: Segment
    alive: np.ndarray | None

    @cached_property
    def places(self) -> np.ndarray | None:
        """The places of the items that are there, ascending; None for all."""
        return None if self.alive is None else np.flatnonzero(self.alive)

    @property
    def count(self) -> int:
        """How many items are there."""
        return len(self.segment) if self.places is None else len(self.places)

    def place_of(self, item: str) -> int:
        """Where an item lies in the segment; -1 when it is not there."""
        place = int(self.segment.ids.places([item])[0])
        return place if place >= 0 and (self.alive is None or self.alive[place]) else -1


class Ids(Sequence[str]):
    """The ids of all items that are there, in the order in which they were put in, read when they are asked for."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._ends = list(accumulate(part.count for part in parts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, place: int) -> str:  # type: ignore[override]
        """The id at a position from 0 on."""
        if not 0 <= place < len(self):
            raise IndexError(place)
        for part, end in zip(self._parts, self._ends, strict=True):
            if place < end:
                own = place - end + part.count
                return part.segment.ids[own if part.places is None else int(part.places[own])]
        raise IndexError(place)

    def __iter__(self) -> Iterator[str]:
        for part in self._parts:
            alive = [True] * len(part.segment) if part.alive is None else part.alive.tolist()
            yield from (id_ for id_, there in zip(part.segment.ids, alive, strict=True) if there)

    def __contains__(self, item: object) -> bool:
        return isinstance(item, str) and any(part.place_of(item) >= 0 for part in self._parts)


def split_mask(parts: Sequence[Part], allowed: np.ndarray) -> list[np.ndarray]:
    """For each part which of its segment's items are allowed, of a mask over all that are there, bool [items]."""
    masks, begin = [], 0
    for part in parts:
        own = allowed[begin : begin + part.count]
        begin += part.count
        if part.places is not None:
            mask = np.zeros(len(part.segment), dtype=bool)
            mask[part.places] = own
            own = mask
        masks.append(own)
    return masks
