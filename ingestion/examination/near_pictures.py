"""Pairs of pictures that are nearly the same: perceptual hashes find candidates, larger copies decide."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ingestion.examination.near_texts import Pairs
from ingestion.examination.pictures import SIDE, Look

RADIUS = 6
BITS = 64
# Copies resized to half or recompressed at quality 30 stay above it; pictures of two alike pairs of trousers do not.
LIKENESS = 0.975
HALF = SIDE // 2
PAIRS_AT_ONCE = 4_000
NEAREST = 10


def near_pictures(pictures: Sequence[Look], *, likeness: float = LIKENESS) -> Pairs:
    """Pairs of pictures whose edges correlate by at least `likeness` at 32 x 32; blank ones are left out.

    Two hashes at most 6 bits apart are equal in one of 7 bands of bits, so only pictures that share a band are
    compared.
    """
    seen = np.array([position for position, look in enumerate(pictures) if not look.is_blank], np.int64)
    hashes = np.array([pictures[position].perceptual for position in seen], np.uint64)
    candidates = _candidates(hashes)
    edges = np.stack([edges_of(pictures[position].grey) for position in seen]) if len(seen) else np.empty((0, 1))
    alike = _correlations(edges, candidates)
    good = alike >= likeness
    return Pairs(seen[candidates[good]].reshape(-1, 2), alike[good])


def _candidates(hashes: np.ndarray) -> np.ndarray:
    found = [np.empty((0, 2), np.int64)]
    for low, high in pairwise(np.linspace(0, BITS, RADIUS + 2).astype(int)):
        band = (hashes >> np.uint64(low)) & np.uint64(2 ** int(high - low) - 1)
        order = np.argsort(band, kind="stable")
        starts = np.flatnonzero(np.diff(band[order])) + 1
        found += [_close(hashes, members) for members in np.split(order, starts) if len(members) > 1]
    return np.unique(np.concatenate(found), axis=0)


def _close(hashes: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Of pictures that share a band: each with its nearest, at most 10, within the radius."""
    pairs = []
    for place, member in enumerate(members[:-1]):
        others = members[place + 1 :]
        distance = np.bitwise_count(hashes[others] ^ hashes[member])
        near = np.flatnonzero(distance <= RADIUS)
        near = near[np.argsort(distance[near], kind="stable")[:NEAREST]]
        pairs += [(min(member, other), max(member, other)) for other in others[near]]
    return np.array(pairs, np.int64).reshape(-1, 2)


def edges_of(grey: np.ndarray) -> np.ndarray:
    """The differences between neighbours in a 32 x 32 copy, as a vector of length 1."""
    small = grey.reshape(HALF, 2, HALF, 2).mean(axis=(1, 3), dtype=np.float32)
    edges = np.concatenate([np.diff(small, axis=0).ravel(), np.diff(small, axis=1).ravel()])
    return np.asarray(edges / np.linalg.norm(edges))


def _correlations(edges: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    parts = [pairs[start : start + PAIRS_AT_ONCE] for start in range(0, len(pairs), PAIRS_AT_ONCE)]
    found = [np.einsum("ij,ij->i", edges[part[:, 0]], edges[part[:, 1]]) for part in parts]
    return np.concatenate([np.empty(0, np.float32), *found])
