"""Texts as one array, so that they can travel beside numbers: sliced by row, padded, handed to the scorers."""

from collections.abc import Sequence

import numpy as np

PADDING = 0
BETWEEN = "\x1f"


def pack_texts(texts: Sequence[str]) -> np.ndarray:
    """UTF-8 bytes, uint8 [texts, longest], padded with zeros."""
    encoded = [text.encode("utf-8", errors="replace").replace(b"\0", b" ") for text in texts]
    packed = np.full((len(encoded), max(map(len, encoded), default=0)), PADDING, dtype=np.uint8)
    for row, content in enumerate(encoded):
        packed[row, : len(content)] = np.frombuffer(content, dtype=np.uint8)
    return packed


def unpack_texts(packed: np.ndarray) -> list[str]:
    """What `pack_texts` took."""
    return [row.tobytes().rstrip(b"\0").decode() for row in packed]


def pack_lists(lists: Sequence[Sequence[str]]) -> np.ndarray:
    """Lists of texts, none of them empty, each as one row."""
    return pack_texts([BETWEEN.join(texts) for texts in lists])


def unpack_lists(packed: np.ndarray) -> list[list[str]]:
    """What `pack_lists` took."""
    return [[text for text in joined.split(BETWEEN) if text] for joined in unpack_texts(packed)]
