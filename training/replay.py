"""Rows of earlier steps that are kept and learned from again.

Rows are kept in the order of random numbers that each row has once and for all: what is kept after a step follows from
what was kept before it and the step's own rows, as if all others had been thrown away (a reservoir; Vitter, 1985).
Random rows are a strong choice: Chaudhry et al., "On Tiny Episodic Memories in Continual Learning" (2019).
"""

from typing import Literal

import numpy as np

MemoryOf = Literal["label", "all"]


def kept_rows(
    rows: np.ndarray, labels: np.ndarray, *, memory: int, memory_of: MemoryOf, order: np.ndarray
) -> np.ndarray:
    """The rows that a memory holds of some: `memory` of each label, or in all, evenly over the labels, one at least.

    `labels` [rows] are numbers, below 0 unknown and never kept; `order` [all rows] are the rows' random numbers.
    """
    known = rows[labels >= 0]
    numbers = labels[labels >= 0]
    places = np.argsort(order[known], kind="stable")
    known, numbers = known[places], numbers[places]
    found = np.unique(numbers)
    each = memory if memory_of == "label" else max(1, memory // max(1, len(found)))
    return np.sort(np.concatenate([known[:0], *(known[numbers == label][:each] for label in found)]))


def replayed(memory: np.ndarray, *, rows: int, random: np.random.Generator) -> np.ndarray:
    """A memory's rows, each once at least, repeated evenly until they are so many."""
    wanted = max(rows, len(memory)) if len(memory) else 0
    return np.resize(random.permutation(memory), wanted)
