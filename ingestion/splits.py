"""Which split a row belongs to, and which rows a sample takes: whole tables at once.

A row is known by its identity, the first 8 bytes of a SHA-256 of its key or content as a number. Both answers depend
on nothing but that and the seed, so neither moves when other rows come or go.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.refusals import Refusal, shown
from ingestion.sources import SPLITS

TRAIN, VALIDATION, TEST = range(len(SPLITS))
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


@dataclass(frozen=True, kw_only=True)
class Boundaries:
    """The times, in microseconds since 1970 in UTC, from which on rows are for validation and for the test.

    None where no share is cut off. They stay as they are once they are fixed: no row ever changes side, and all
    rows that come later fall after the newest boundary, so the newest split grows. Who wants a newer boundary
    starts anew without the old ones, and compares releases only from then on.
    """

    validation: int | None = None
    test: int | None = None


class NamedSplits(NamedTuple):
    """Split codes (TRAIN where refused) of rows whose own column names them, and who is refused, by position."""

    codes: np.ndarray
    refused: dict[int, Refusal]


def identity_of(text: str) -> int:
    """The identity of a key, a group or a content."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


def unit_interval(seed: int, purpose: str, identity: str) -> float:
    """A number in [0, 1) that a hash draws for a row."""
    digest = hashlib.sha256(f"{seed}\x00{purpose}\x00{identity}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def group_identities(groups: pa.Array, own: np.ndarray) -> np.ndarray:
    """Identities that rows of one group share; a row without a group keeps its own."""
    codes = pc.dictionary_encode(groups)
    by_code = np.array([identity_of(str(name)) for name in codes.dictionary.to_pylist()], dtype=np.uint64)
    there = np.asarray(pc.is_valid(groups))
    identities = own.astype(np.uint64)
    identities[there] = by_code[np.asarray(codes.indices.filter(pa.array(there)))]
    return identities


def split_codes(identity: np.ndarray, *, seed: int, fractions: Mapping[str, float]) -> np.ndarray:
    """TRAIN, VALIDATION or TEST for each identity, as uint8; `train` is what the fractions leave."""
    drawn = _drawn(identity, seed=seed, purpose="split") / 2.0**64
    test = fractions.get("test", 0.0)
    codes = np.full(len(identity), TRAIN, dtype=np.uint8)
    codes[drawn < test + fractions.get("validation", 0.0)] = VALIDATION
    codes[drawn < test] = TEST
    return codes


def time_boundaries(times: np.ndarray, fractions: Mapping[str, float], known: Boundaries | None = None) -> Boundaries:
    """Where to cut so that the newest share is the test, the next newest validation; `known` boundaries win.

    `times` are microseconds. Rows of one moment stay together, so a share is met as closely as they allow.
    """
    known = known or Boundaries()
    ordered = np.sort(times)
    test, both = (fractions.get("test", 0.0), sum(fractions.get(name, 0.0) for name in ("validation", "test")))
    return Boundaries(
        validation=_boundary(ordered, both, known.validation) if fractions.get("validation") else None,
        test=_boundary(ordered, test, known.test) if test else None,
    )


def time_codes(times: np.ndarray, boundaries: Boundaries) -> np.ndarray:
    """TRAIN, VALIDATION or TEST for each time, as uint8."""
    codes = np.full(len(times), TRAIN, dtype=np.uint8)
    for boundary, code in ((boundaries.validation, VALIDATION), (boundaries.test, TEST)):
        if boundary is not None:
            codes[times >= boundary] = code
    return codes


def missing_fractions(given: Iterable[str], fractions: Mapping[str, float]) -> dict[str, float]:
    """The fractions to cut from `train`: only of those splits that the source does not give itself."""
    there = set(given)
    return {split: share for split, share in fractions.items() if split not in there}


def named_splits(column: pa.Array) -> NamedSplits:
    """The splits that a column of text names."""
    found = pc.dictionary_encode(column, null_encoding="encode")
    names = found.dictionary.to_pylist()
    known = [SPLIT_NAMES.get((name or "").lower()) for name in names]
    by_code = np.array([SPLITS.index(split) if split else len(SPLITS) for split in known], dtype=np.uint8)
    codes = by_code[np.asarray(found.indices)]
    refused = {int(place): _no_split(column[int(place)].as_py()) for place in np.flatnonzero(codes == len(SPLITS))}
    codes[list(refused)] = TRAIN
    return NamedSplits(codes, refused)


def sample_positions(identity: np.ndarray, strata: np.ndarray, *, size: int, seed: int) -> np.ndarray:
    """Positions of `size` rows, in order, each stratum with its share (largest remainders get the rest)."""
    if size >= len(identity):
        return np.arange(len(identity))
    names, codes = np.unique(strata, return_inverse=True)
    drawn = _drawn(identity, seed=seed, purpose="sample")
    order = np.lexsort((drawn, codes))
    counts = np.bincount(codes, minlength=len(names))
    starts = np.cumsum(counts) - counts
    # Of equal remainders, that of the stratum whose first row is drawn first: the numbering of strata does not matter.
    quotas = _quotas(counts, size, ties=drawn[order[starts]])
    place_in_stratum = np.arange(len(order)) - starts[codes[order]]
    return np.sort(order[place_in_stratum < quotas[codes[order]]])


def _drawn(identity: np.ndarray, *, seed: int, purpose: str) -> np.ndarray:
    """Uniform numbers in [0, 2**64): splitmix64 (Steele, Lea and Flood, 2014) over identity and seed."""
    salt = np.uint64(identity_of(f"{seed}\x00{purpose}"))
    mixed = (identity.astype(np.uint64) ^ salt) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    drawn: np.ndarray = mixed ^ (mixed >> np.uint64(31))
    return drawn


def _boundary(ordered: np.ndarray, share: float, known: int | None) -> int | None:
    if known is not None or not len(ordered):
        return known
    wanted = round(len(ordered) * share)
    moment = ordered[min(len(ordered) - wanted, len(ordered) - 1)]
    first = int(np.searchsorted(ordered, moment, side="left"))
    after = int(np.searchsorted(ordered, moment, side="right"))
    if abs(len(ordered) - first - wanted) <= abs(len(ordered) - after - wanted):
        return int(moment)
    return int(ordered[after]) if after < len(ordered) else int(moment) + 1


def _quotas(counts: np.ndarray, size: int, *, ties: np.ndarray) -> np.ndarray:
    exact = size * counts / counts.sum()
    quotas: np.ndarray = exact.astype(np.int64)
    by_remainder = np.lexsort((ties, quotas - exact))
    quotas[by_remainder[: size - quotas.sum()]] += 1
    return quotas


def _no_split(value: str | None) -> Refusal:
    return Refusal("unknown_split", f"{shown(value)} is not a split; allowed: {', '.join(SPLIT_NAMES)}.")
