"""Pairs of texts that are nearly the same: MinHash and banding find candidates, the real Jaccard decides."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ingestion.examination.shingles import jaccard, shingles
from ingestion.examination.signatures import PERMUTATIONS, text_signatures
from polyloom.progress import Bar, SilentBar

LIKENESS = 0.8
BANDS = 16
ROWS = PERMUTATIONS // BANDS
# Below this share of equal minima a pair is likelier than not under 0.65, far from 0.8.
LEAST_ESTIMATE = 0.6
# How many others of a band a text is held against, so that many texts of one template cost no square of their number.
NEIGHBOURS = 12
CROWD = 300
NEIGHBOURS_IN_A_CROWD = 2
MAX_CANDIDATES = 200_000
PAIRS_AT_ONCE = 8_000


class Pairs(NamedTuple):
    """Positions [pairs, 2], the smaller first, and how alike each pair is, from 0 to 1."""

    positions: np.ndarray
    likeness: np.ndarray


def near_texts(
    texts: Sequence[str], *, likeness: float = LIKENESS, bar: Bar | None = None, remembered: Path | None = None
) -> Pairs:
    """Pairs of different texts whose shingles' Jaccard index is at least `likeness`, each verified.

    Broder 1997, with the banding of Leskovec et al., Mining of Massive Datasets, 3.4. A pair at 0.8 is a candidate
    with probability 0.9998; where very many texts share a band, only the nearest in its order are compared.
    `remembered` is a file that keeps the signatures for the next time.
    """
    candidates = _candidates(text_signatures(texts, bar=bar or SilentBar(), remembered=remembered))
    return _verified(texts, candidates, likeness)


def _candidates(signatures: np.ndarray) -> np.ndarray:
    count = len(signatures)
    bands = _band_digests(signatures)
    # One byte of each minimum is enough for an estimate, and a quarter of the memory to move (Li and Koenig 2010).
    signatures = signatures.astype(np.uint8)
    # A pair is held as one number: of many texts of one template there are millions.
    found = np.empty(0, np.int64)
    for band in range(BANDS):
        order = np.lexsort((bands[(band + 1) % BANDS], bands[band]))
        pairs = _neighbours(order, bands[band][order])
        pairs = pairs[_estimates(signatures, pairs) >= LEAST_ESTIMATE]
        found = np.unique(np.concatenate([found, pairs[:, 0] * count + pairs[:, 1]]))
    candidates = np.stack(np.divmod(found, max(1, count)), axis=1)
    if len(candidates) <= MAX_CANDIDATES:
        return candidates
    alike = _estimates(signatures, candidates)
    return candidates[np.sort(np.argsort(-alike, kind="stable")[:MAX_CANDIDATES])]


def _neighbours(order: np.ndarray, digests: np.ndarray) -> np.ndarray:
    """Pairs that share a band and stand near each other in its order; `digests` are in that order."""
    sizes = np.diff(np.flatnonzero(np.diff(digests, prepend=digests[:1] + 1, append=digests[-1:] + 1)))
    crowded = np.repeat(sizes > CROWD, sizes)
    found = [np.empty((0, 2), np.int64)]
    for offset in range(1, NEIGHBOURS + 1):
        same = digests[:-offset] == digests[offset:]
        if offset > NEIGHBOURS_IN_A_CROWD:
            same &= ~crowded[:-offset]
        there = np.flatnonzero(same)
        found.append(np.stack([order[there], order[there + offset]], axis=1))
    return np.sort(np.concatenate(found), axis=1)


def _band_digests(signatures: np.ndarray) -> np.ndarray:
    """One number for each band of each text: [bands, texts]."""
    weights = np.random.default_rng(7).integers(1, 2**63, size=ROWS, dtype=np.uint64) | np.uint64(1)
    values = signatures.reshape(len(signatures), BANDS, ROWS).astype(np.uint64)
    return np.ascontiguousarray(((values + np.uint64(1)) * weights).sum(axis=2, dtype=np.uint64).T)


def _estimates(signatures: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    parts = [pairs[start : start + PAIRS_AT_ONCE] for start in range(0, len(pairs), PAIRS_AT_ONCE)]
    equal = [np.count_nonzero(signatures[part[:, 0]] == signatures[part[:, 1]], axis=1) for part in parts]
    return np.concatenate([np.empty(0, np.int64), *equal]) / PERMUTATIONS


def _verified(texts: Sequence[str], candidates: np.ndarray, likeness: float) -> Pairs:
    pieces = lru_cache(maxsize=20_000)(lambda position: shingles(texts[position]))
    alike = np.array([jaccard(pieces(int(first)), pieces(int(second))) for first, second in candidates])
    good = alike >= likeness
    return Pairs(candidates[good].reshape(-1, 2), alike[good])
