"""From gradients to evidence: the weights of words, of a picture's cells, of columns."""

from typing import Literal

import numpy as np

from heads.explanation import ColumnWeight, Evidence
from heads.word_weights import weights_of_words
from modalities.preparation.categories import CategoryPreparation
from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.text import TextPreparation
from modalities.preparation.word_split import split_words
from training.attribution import ExplainedRow, TokenMethod, pixel_weights, token_weights, vector_weights
from training.grad_cam import grad_cam, map_layer

PictureMethod = Literal["auto", "grad_cam", "integrated_gradients"]
CELLS = 14


def text_evidence(
    row: ExplainedRow, name: str, *, preparation: TextPreparation, text: str, method: TokenMethod, steps: int
) -> Evidence:
    """Each word of a text with the sum of its tokens' weights; one beyond the encoder's length has 0."""
    words = weights_of_words(
        split_words(text),
        places=preparation.places(text),
        weights=token_weights(row, name, preparation=preparation, method=method, steps=steps),
    )
    return Evidence(modalities=(name,), method=method, text=text, words=words)


def picture_evidence(row: ExplainedRow, name: str, *, method: PictureMethod, steps: int) -> Evidence:
    """The weights of a picture's cells; `auto` is Grad-CAM where the encoder has a map for it."""
    pixels = row.batch.arrays[name]["pixels"]
    if method == "auto":
        method = "grad_cam" if map_layer(row.model.encoders[name], pixels) is not None else "integrated_gradients"
    if method == "grad_cam":
        cells = grad_cam(row, name)
    else:
        cells = pixel_weights(row, name, cells=min(CELLS, pixels.shape[2]), steps=steps)
    return Evidence(modalities=(name,), method=method, cells=tuple(map(tuple, cells.tolist())))


def column_evidence(
    row: ExplainedRow,
    name: str,
    *,
    preparation: NumberPreparation | CategoryPreparation,
    values: list[object],
    steps: int,
) -> Evidence:
    """The weight of each column that the row has, the sum over the column's places in the vector."""
    weights = vector_weights(row, name, steps=steps)
    if isinstance(preparation, CategoryPreparation):
        ends = np.cumsum([len(known) + 1 for known in preparation.values.values()])
        sums = [float(part.sum()) for part in np.split(weights, ends[:-1])]
        columns = tuple(preparation.values)
    else:
        # Behind the numbers stand the marks of missing ones, which are 0 where there is a value.
        columns, sums = preparation.columns, weights[: len(preparation.columns)].tolist()
    known = tuple(
        ColumnWeight(column, float(value) if isinstance(value, int | float) else str(value), weight)
        for column, value, weight in zip(columns, values, sums, strict=True)
        if value is not None
    )
    return Evidence(modalities=(name,), method="integrated_gradients", columns=known)
