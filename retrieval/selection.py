"""Which items of a segment may be found."""

from functools import cached_property
from typing import Any

import faiss
import numpy as np


class Selection:
    """A mask over items, bool [items]; what a search makes of it is made once."""

    def __init__(self, mask: np.ndarray) -> None:
        self.mask = mask
        self.count = int(np.count_nonzero(mask))

    @cached_property
    def places(self) -> np.ndarray:
        """The positions that are marked, int64."""
        return np.flatnonzero(self.mask)

    @cached_property
    def selector(self) -> Any:
        """The mask as faiss takes it."""
        # The stubs of faiss describe the C++ calls, not the Python ones.
        return faiss.IDSelectorBitmap(np.packbits(self.mask, bitorder="little"))  # type: ignore[call-arg,arg-type]


def both(first: Selection | None, second: np.ndarray | None) -> Selection | None:
    """What both let through; None for everything."""
    if second is None:
        return first
    return Selection(second if first is None else first.mask & second)
