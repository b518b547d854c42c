"""Inputs with a part left out, words of a text or cells of a picture: what changes in the answer rests on that part."""

from collections.abc import Sequence

import numpy as np

from modalities.preparation.word_split import Word
from modalities.slips import ONE_CHARACTER


def text_without(text: str, words: Sequence[Word]) -> str:
    """The text without these of its words; a blank keeps apart what stood around a word of letters."""
    pieces, end = [], 0
    for word in sorted(words, key=lambda word: word.start):
        gap = "" if ONE_CHARACTER.match(word.text) else " "
        pieces += [text[end : word.start], gap]
        end = word.end
    return "".join([*pieces, text[end:]])


def in_pieces(words: Sequence[Word], *, most: int) -> list[Sequence[Word]]:
    """The words one by one, or of a long text as at most so many stretches of neighbours."""
    length = -(-len(words) // most) if words else 1
    return [words[start : start + length] for start in range(0, len(words), length)]


def picture_without(picture: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """A picture, uint8 [size, size, 3], with its mean colour where `cells`, bool [rows, columns] over it, are true."""
    changed = picture.copy()
    changed[spread(cells, len(picture))] = picture.mean(axis=(0, 1)).round().astype(np.uint8)
    return changed


def spread(cells: np.ndarray, size: int) -> np.ndarray:
    """Cells [rows, columns] as pixels [size, size], each cell over its part of the square."""
    down, across = (np.arange(size) * count // size for count in cells.shape)
    return np.asarray(cells[down[:, None], across[None, :]])


def each_cell(count: int) -> np.ndarray:
    """Masks of one cell each, in order, bool [count * count, count, count]."""
    return np.eye(count * count, dtype=bool).reshape(-1, count, count)
