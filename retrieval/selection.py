"""Masks over items, as faiss takes them."""

from typing import Any

import faiss
import numpy as np


def bitmap(allowed: np.ndarray) -> Any:
    """A mask over places as faiss takes it."""
    # The stubs of faiss describe the C++ calls, not the Python ones.
    return faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))  # type: ignore[call-arg,arg-type]
