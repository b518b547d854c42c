"""Sums over rows: the same in any order and in any parts, another one when anything of a row changes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.row_sums import STARTS, added, row_sum

ROWS = 40
DRAWN = np.random.default_rng(3)
IDENTITY = DRAWN.integers(0, 2**64, ROWS, dtype=np.uint64)
HASHES = DRAWN.integers(0, 256, (ROWS, 16), dtype=np.uint8)
SPLITS = DRAWN.integers(0, 3, ROWS).astype(np.uint8)


def mixed(number: int) -> int:
    """splitmix64's finaliser, number by number."""
    number = (number + 0x9E3779B97F4A7C15) % 2**64
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) % 2**64
    return number ^ (number >> 31)


def test_against_a_loop() -> None:
    sums = []
    for start in map(int, STARTS):
        total = 0
        for identity, hashed, split in zip(IDENTITY.tolist(), HASHES, SPLITS.tolist(), strict=True):
            first, second = (int.from_bytes(hashed[place : place + 8].tobytes(), "little") for place in (0, 8))
            total += mixed(mixed(mixed(mixed(identity ^ (split << 62)) ^ start) ^ first) ^ second)
        sums.append(f"{total % 2**64:016x}")
    assert row_sum(IDENTITY, HASHES, SPLITS) == "".join(sums)


@given(order=st.permutations(range(ROWS)), cut=st.integers(0, ROWS))
def test_order_and_parts_do_not_matter(order, cut) -> None:
    whole = row_sum(IDENTITY, HASHES, SPLITS)
    assert row_sum(IDENTITY[order], HASHES[order], SPLITS[order]) == whole
    pieces = [row_sum(IDENTITY[part], HASHES[part], SPLITS[part]) for part in (order[:cut], order[cut:])]
    assert added(pieces) == whole
    assert added([*pieces, added([])]) == whole


@pytest.mark.parametrize("changed", ["identity", "hashes", "splits", "one row less", "one row twice", "swapped"])
def test_any_change_shows(changed: str) -> None:
    identity, hashes, splits = IDENTITY.copy(), HASHES.copy(), SPLITS.copy()
    rows = np.arange(ROWS)
    if changed == "identity":
        identity[7] ^= np.uint64(1)
    elif changed == "hashes":
        hashes[7, 15] ^= 1
    elif changed == "splits":
        splits[7] = (splits[7] + 1) % 3
    elif changed == "swapped":
        hashes[[3, 4]] = hashes[[4, 3]]
    else:
        rows = rows[:-1] if changed == "one row less" else np.append(rows, 5)
    assert row_sum(identity[rows], hashes[rows], splits[rows]) != row_sum(IDENTITY, HASHES, SPLITS)
