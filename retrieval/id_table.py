"""Ids on disk: a million of them open in no time, and each is found without reading the others."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

TEXT, ENDS, HASHES, ORDER = "ids.txt.npy", "ids.ends.npy", "ids.hashes.npy", "ids.order.npy"
FILES = (TEXT, ENDS, HASHES, ORDER)
ABSENT = -1


class IdTable(Sequence[str]):
    """Different ids in the order they were given, memory-mapped.

    Their UTF-8 lies end to end; their hashes lie sorted, beside the positions that they stand for.
    """

    def __init__(self, *, text: np.ndarray, ends: np.ndarray, hashes: np.ndarray, order: np.ndarray) -> None:
        self._text = text
        self._ends = ends
        self._hashes = hashes
        self._order = order

    @classmethod
    def open(cls, folder: Path) -> "IdTable":
        """The table that `write_ids` left."""
        text, ends, hashes, order = (np.load(folder / name, mmap_mode="r") for name in FILES)
        return cls(text=text, ends=ends, hashes=hashes, order=order)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, place: int) -> str:  # type: ignore[override]
        """The id at a position from 0 on."""
        if not 0 <= place < len(self):
            raise IndexError(place)
        begin = int(self._ends[place - 1]) if place else 0
        return bytes(self._text[begin : int(self._ends[place])]).decode()

    def __iter__(self) -> Iterator[str]:
        begin, text = 0, self._text.tobytes()
        for end in self._ends.tolist():
            yield text[begin:end].decode()
            begin = end

    def places(self, ids: Sequence[str]) -> np.ndarray:
        """The position of each id, int64 [ids]; -1 for one that is not here."""
        wanted = hashed(ids)
        found = np.full(len(ids), ABSENT, dtype=np.int64)
        begins = np.searchsorted(self._hashes, wanted, side="left")
        for number, (id_, hash_, begin) in enumerate(zip(ids, wanted, begins.tolist(), strict=True)):
            found[number] = self._place(id_, hash_, begin)
        return found

    def _place(self, id_: str, hash_: np.uint64, begin: int) -> int:
        """The position of one id, whose hash stands from `begin` on; two ids may share a hash."""
        for number in range(begin, len(self)):
            if self._hashes[number] != hash_:
                break
            place = int(self._order[number])
            if self[place] == id_:
                return place
        return ABSENT


def write_ids(folder: Path, ids: Sequence[str]) -> None:
    """Write the table of `ids`, which are different, into an existing folder."""
    content = [id_.encode() for id_ in ids]
    hashes = hashed(ids)
    order = np.argsort(hashes, kind="stable")
    arrays: dict[str, np.ndarray] = {
        TEXT: np.frombuffer(b"".join(content), dtype=np.uint8),
        ENDS: np.cumsum([len(one) for one in content], dtype=np.int64),
        HASHES: hashes[order],
        ORDER: order.astype(np.int64),
    }
    for name, array in arrays.items():
        np.save(folder / name, array, allow_pickle=False)


def hashed(ids: Sequence[str]) -> np.ndarray:
    """A hash of each id that is the same everywhere, uint64 [ids]."""
    digests = b"".join(hashlib.blake2b(id_.encode(), digest_size=8).digest() for id_ in ids)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)
