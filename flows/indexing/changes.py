"""What of a snapshot an index does not know yet, and what it knows that is gone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retrieval.milvus_live import PlacedIndex
from retrieval.snapshot import Snapshot

KEY, HASH = "_key", "_hash"


@dataclass(frozen=True)
class Changes:
    """Rows of the snapshot's table that are new or differ, [rows] numbers; ids that are gone; how many are the same."""

    new: np.ndarray
    changed: np.ndarray
    gone: Sequence[str]
    same: int

    @property
    def rows(self) -> np.ndarray:
        """The rows to be put in, in the order of the table."""
        return np.sort(np.concatenate([self.new, self.changed]))

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        return bool(len(self.new) or len(self.changed) or len(self.gone))


def changes(table: pa.Table, index: Snapshot | PlacedIndex) -> Changes:
    """What distinguishes a table of a snapshot from an index, by keys and content hashes."""
    held = index.table([KEY, HASH]) if index.columns else pa.table({KEY: pa.array([], pa.string()), HASH: []})
    known = dict(zip(held[KEY].to_pylist(), held[HASH].to_pylist(), strict=True))
    keys, hashes = table[KEY].to_pylist(), table[HASH].to_pylist()
    is_new = np.array([key not in known for key in keys], dtype=bool)
    differs = np.array([known.get(key) != hash_ for key, hash_ in zip(keys, hashes, strict=True)], dtype=bool)
    gone = held[KEY].filter(pc.invert(pc.is_in(held[KEY], value_set=table[KEY].combine_chunks()))).to_pylist()
    return Changes(
        new=np.flatnonzero(is_new),
        changed=np.flatnonzero(differs & ~is_new),
        gone=gone,
        same=int((~differs).sum()),
    )
