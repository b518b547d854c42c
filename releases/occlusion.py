"""What an answer rests on, found by leaving parts of the row out: a word, a cell of a picture, a column.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks" (2014). A part's weight is how far the score
falls without it, so the weights of parts that stand in for each other are small.
"""

from collections.abc import Sequence

import numpy as np

from heads.explanation import ColumnWeight, Evidence, WordWeight
from modalities.left_out import each_cell, in_pieces, picture_without, text_without
from modalities.preparation.categories import CategoryPreparation
from modalities.preparation.characters import CharacterPreparation
from modalities.preparation.entailment import EntailmentPreparation
from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.text import TextPreparation
from modalities.preparation.word_split import Word, split_words
from releases.row_scores import RowScores

METHOD = "occlusion"
CELLS = 7
MOST_PIECES = 96


def occluded(row: RowScores, *, cells: int = CELLS) -> tuple[Evidence, ...]:
    """The evidence in every given modality that has parts; modalities that read the same text lose a word together."""
    found = [word_evidence(row, names) for names in text_groups(row)]
    for name in row.given:
        preparation = row.preparations[name]
        if isinstance(preparation, PicturePreparation):
            found.append(cell_evidence(row, name, cells=cells))
        elif isinstance(preparation, NumberPreparation | CategoryPreparation):
            found.append(column_evidence(row, name))
    return tuple(found)


def text_groups(row: RowScores) -> list[tuple[str, ...]]:
    """The modalities that read whole texts, those of the same text together."""
    groups: dict[str, list[str]] = {}
    for name in row.given:
        if isinstance(row.preparations[name], TextPreparation | CharacterPreparation | EntailmentPreparation):
            groups.setdefault(str(row.values[name]), []).append(name)
    return [tuple(names) for names in groups.values()]


def word_evidence(row: RowScores, names: Sequence[str]) -> Evidence:
    """Each word's weight; the words of a stretch of a long text share one."""
    text = str(row.values[names[0]])
    pieces = in_pieces(split_words(text), most=MOST_PIECES)
    weights = score_drops(row, names, text, pieces)
    words = tuple(
        WordWeight(word.text, word.start, word.end, weight)
        for piece, weight in zip(pieces, weights, strict=True)
        for word in piece
    )
    return Evidence(modalities=tuple(names), method=METHOD, text=text, words=words)


def score_drops(row: RowScores, names: Sequence[str], text: str, pieces: Sequence[Sequence[Word]]) -> list[float]:
    """How far the score falls without each piece of a text; a text without a word left is a missing one."""
    if not pieces:
        return []
    shortened = [text_without(text, piece) for piece in pieces]
    others = [left if left.strip() else None for left in shortened]
    drops: list[float] = (row.whole - row.changed(dict.fromkeys(names, others))).tolist()
    return drops


def cell_evidence(row: RowScores, name: str, *, cells: int = CELLS) -> Evidence:
    """The weight of each cell of the square that the encoder sees, with the square's mean colour in its place."""
    preparation = row.preparations[name]
    assert isinstance(preparation, PicturePreparation)
    (picture,) = preparation.decode([row.values[name]])
    scores = np.concatenate(
        [
            row.changed_arrays(
                name, {"pixels": preparation.normalise(np.stack([picture_without(picture, mask) for mask in part]))}
            )
            for part in np.array_split(each_cell(cells), cells)
        ]
    )
    weights = (row.whole - scores).reshape(cells, cells)
    return Evidence(modalities=(name,), method=METHOD, cells=tuple(map(tuple, weights.tolist())))


def column_evidence(row: RowScores, name: str) -> Evidence:
    """The weight of each number or category that the row has."""
    preparation, values = row.preparations[name], row.values[name]
    assert isinstance(preparation, NumberPreparation | CategoryPreparation)
    assert isinstance(values, list)
    known = [place for place, value in enumerate(values) if value is not None]
    others = [without_place(values, place) for place in known]
    drops = (row.whole - row.changed({name: others})).tolist()
    columns = list(preparation.columns if isinstance(preparation, NumberPreparation) else preparation.values)
    weights = tuple(
        ColumnWeight(columns[place], plain_value(values[place]), drop) for place, drop in zip(known, drops, strict=True)
    )
    return Evidence(modalities=(name,), method=METHOD, columns=weights)


def without_place(values: Sequence[object], place: int) -> list[object] | None:
    """The values with one missing, None where no other is left."""
    left = [None if number == place else value for number, value in enumerate(values)]
    return left if any(value is not None for value in left) else None


def plain_value(value: object) -> str | float:
    """A cell as JSON holds it."""
    return float(value) if isinstance(value, int | float) else str(value)
