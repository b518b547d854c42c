"""Vectors of the last questions: who turns a page or narrows a search asks the same thing again."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

KEPT = 1_000


class QueryVectors:
    """The vectors [1, dim] of what was asked last, by field. Safe to share between threads."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._vectors: OrderedDict[tuple[str, Hashable], np.ndarray] = OrderedDict()

    def of(self, field: str, value: object, make: Callable[[], np.ndarray]) -> np.ndarray:
        """The vector of a value, made at its first use; a value that has no hash is made each time."""
        if not isinstance(value, str | bytes):
            return make()
        key = (field, value)
        with self._lock:
            if key in self._vectors:
                self._vectors.move_to_end(key)
                return self._vectors[key]
        found = make()
        with self._lock:
            self._vectors[key] = found
            while len(self._vectors) > self._kept:
                self._vectors.popitem(last=False)
        return found
