"""One number for many rows in whatever order: the sum of what identity, content and split of each are mixed into."""

import numpy as np

from ingestion.hashing import finalised

# Starts of the four sums: the first digits of pi, as in Blowfish (Schneier, 1993).
STARTS = tuple(
    np.uint64(start) for start in (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89)
)
DIGITS = 16 * len(STARTS)


def row_sum(identity: np.ndarray, hashes: np.ndarray, splits: np.ndarray) -> str:
    """The sum over rows, 64 hex digits: `identity` uint64 [rows], `hashes` uint8 [rows, 16], `splits` uint8 [rows].

    Each of four 64-bit numbers is a sum modulo 2**64 over rows that splitmix64's finaliser has mixed (a multiset hash
    by addition: Clarke et al., 2003). Equal rows in another order give the same sum, and sums of parts add up. It
    tells data apart that differ by chance, not data that somebody has searched for to have an equal sum.
    """
    words = np.ascontiguousarray(hashes).view("<u8").reshape(-1, 2)
    marked = finalised(identity ^ (splits.astype(np.uint64) << np.uint64(62)))
    sums = []
    for start in STARTS:
        mixed = finalised(finalised(finalised(marked ^ start) ^ words[:, 0]) ^ words[:, 1])
        sums.append(int(mixed.sum(dtype=np.uint64)))
    return _hex(sums)


def added(sums: list[str]) -> str:
    """The sum over the rows of all parts; of none it is 0."""
    return _hex([sum(lane) for lane in zip(*map(_lanes, sums), strict=True)] if sums else [0] * len(STARTS))


def _lanes(told: str) -> list[int]:
    return [int(told[start : start + 16], 16) for start in range(0, DIGITS, 16)]


def _hex(sums: list[int]) -> str:
    return "".join(f"{one % 2**64:016x}" for one in sums)
