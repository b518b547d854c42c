"""How fast graphs are on this machine, side by side: they take turns, so that whatever slows one slows the others."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modalities.preparation.protocol import Arrays

ROUNDS = 7


@dataclass(frozen=True)
class Speed:
    """Milliseconds for one row, as median and 95th percentile, and rows a second in batches, as median of rounds."""

    p50_milliseconds: float
    p95_milliseconds: float
    rows_per_second: float


def speeds(
    graphs: Mapping[str, Any], *, batches: Sequence[Arrays], singles: Sequence[Arrays], rounds: int = ROUNDS
) -> dict[str, Speed]:
    """The speed of each graph over `batches`, and over `singles` of one row; the first round only warms them up."""
    rows = sum(len(next(iter(batch.values()))) for batch in batches)
    rates: dict[str, list[float]] = {name: [] for name in graphs}
    waits: dict[str, list[float]] = {name: [] for name in graphs}
    for number in range(rounds + 1):
        for name, graph in graphs.items():
            taken = sum(seconds(graph, batch) for batch in batches)
            each = [seconds(graph, single) for single in singles]
            if number:
                rates[name].append(rows / taken)
                waits[name] += each
    return {
        name: Speed(
            p50_milliseconds=float(np.quantile(waits[name], 0.5)) * 1000,
            p95_milliseconds=float(np.quantile(waits[name], 0.95)) * 1000,
            rows_per_second=float(np.median(rates[name])),
        )
        for name in graphs
    }


def seconds(graph: Any, batch: Arrays) -> float:
    """How long a graph takes for its pooled embeddings of a batch."""
    accepted = {given.name for given in graph.get_inputs()}
    feed = {name: one for name, one in batch.items() if name in accepted}
    started = time.perf_counter()
    graph.run(["pooled"], feed)
    return time.perf_counter() - started
