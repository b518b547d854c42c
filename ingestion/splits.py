"""Which split a row belongs to, and which rows a sample takes.

Both depend on nothing but the row itself and the seed, so neither moves when other rows come or go.
"""

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence

from ingestion.refusals import RowRefused, shown

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
}


def unit_interval(seed: int, purpose: str, identity: str) -> float:
    """A number in [0, 1) that a hash draws for a row."""
    digest = hashlib.sha256(f"{seed}\x00{purpose}\x00{identity}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64


def split_of(identity: str, *, seed: int, fractions: Mapping[str, float]) -> str:
    """The split that a row with this key or content falls into; `train` is what the fractions leave."""
    drawn = unit_interval(seed, "split", identity)
    for split in ("test", "validation"):
        drawn -= fractions.get(split, 0.0)
        if drawn < 0:
            return split
    return "train"


def missing_fractions(given: Iterable[str], fractions: Mapping[str, float]) -> dict[str, float]:
    """The fractions to cut from `train`: only of those splits that the source does not give itself."""
    there = set(given)
    return {split: share for split, share in fractions.items() if split not in there}


def named_split(value: str | None) -> str:
    """The split that a row's own column names. Raises RowRefused for anything else."""
    split = SPLIT_NAMES.get((value or "").lower())
    if split is None:
        raise RowRefused("unknown_split", f"{shown(value)} is not a split; allowed: {', '.join(SPLIT_NAMES)}.")
    return split


def stratified_sample(identities: Sequence[str], strata: Sequence[Hashable], *, size: int, seed: int) -> list[int]:
    """Positions of `size` rows, in order, each stratum with its share (largest remainders get the rest)."""
    if size >= len(identities):
        return list(range(len(identities)))
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for position, stratum in enumerate(strata):
        groups[stratum].append(position)
    chosen: list[int] = []
    for stratum, quota in _quotas({name: len(rows) for name, rows in groups.items()}, size).items():
        ranked = sorted(groups[stratum], key=lambda row: (unit_interval(seed, "sample", identities[row]), row))
        chosen += ranked[:quota]
    return sorted(chosen)


def _quotas(counts: Mapping[Hashable, int], size: int) -> dict[Hashable, int]:
    total = sum(counts.values())
    exact = {name: size * count / total for name, count in counts.items()}
    quotas = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(counts, key=lambda name: (quotas[name] - exact[name], str(name)))
    for name in by_remainder[: size - sum(quotas.values())]:
        quotas[name] += 1
    return quotas
