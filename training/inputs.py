"""What the fitting loop reads: each modality either as finished vectors or as raw values for a live encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from modalities.preparation.marked import MarkedPreparation
from modalities.preparation.pair import PairPreparation
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.protocol import Arrays, Preparation
from modalities.preparation.text import TextPreparation
from modalities.preparation.words import WordPreparation
from modalities.slips import with_swapped_words, without_words
from training.token_memory import RememberedTokens

PICTURES_IN_MEMORY_BYTES = 1 << 30
Augmentation = Literal["none", "flip", "crop_flip", "scene"]
TextAugmentation = Literal["none", "delete", "swap", "delete_swap"]
# Wei and Zou's own share of a text's words.
CHANGED_WORDS = 0.1


class LiveSource(Protocol):
    """Raw values of one modality, prepared batch by batch."""

    def arrays(self, rows: np.ndarray, *, random: np.random.Generator | None) -> Arrays:
        """The encoder's arrays for these rows; `random` is given in training, where augmentation is wanted."""

    def lengths(self) -> np.ndarray | None:
        """Cost of each row, int64 [rows], where rows differ; batches of like cost waste less."""


AnyText = TextPreparation | WordPreparation | PairPreparation | MarkedPreparation


class TextSource:
    """Texts, lists of words, pairs or marked texts for a text encoder; augmentation is for texts alone."""

    def __init__(
        self, *, preparation: AnyText, values: Sequence[object | None], augmentation: TextAugmentation = "none"
    ) -> None:
        self._preparation = preparation
        self._values = values
        self._augmentation = augmentation

    def arrays(self, rows: np.ndarray, *, random: np.random.Generator | None) -> Arrays:
        """Token ids, padded to the longest of these rows; in training augmented."""
        values = [self._values[row] for row in rows]
        if random is not None and self._augmentation != "none":
            values = [changed_text(str(value), kind=self._augmentation, random=random) for value in values]
        return self._preparation(values)

    def lengths(self) -> np.ndarray:
        """Tokens of each text."""
        return self._preparation.lengths([value or "" for value in self._values])


class PictureSource:
    """Pictures for a picture encoder; decoded once where they fit into memory as bytes."""

    def __init__(
        self, *, preparation: PicturePreparation, values: Sequence[object | None], augmentation: Augmentation = "none"
    ) -> None:
        self._preparation = preparation
        self._values = values
        self._augmentation = augmentation
        self._places = np.cumsum([value is not None for value in values]) - 1
        needed = len(values) * preparation.size**2 * 3
        known = [value for value in values if value is not None]
        self._decoded = preparation.decode(known) if needed <= PICTURES_IN_MEMORY_BYTES else None

    def arrays(self, rows: np.ndarray, *, random: np.random.Generator | None) -> Arrays:
        """Normalised pixels, in training augmented."""
        if self._decoded is not None:
            pictures = self._decoded[self._places[rows]]
        else:
            pictures = self._preparation.decode([self._values[row] for row in rows])
        if random is not None:
            pictures = augmented(pictures, kind=self._augmentation, random=random)
        return {"pixels": self._preparation.normalise(pictures)}

    def lengths(self) -> None:
        """All pictures cost the same."""
        return


def changed_text(text: str, *, kind: TextAugmentation, random: np.random.Generator) -> str:
    """A text with a tenth of its words left out or exchanged, at random (EDA, Wei and Zou, 2019)."""
    if kind in {"delete", "delete_swap"}:
        text = without_words(text, share=CHANGED_WORDS, random=random)
    if kind in {"swap", "delete_swap"}:
        text = with_swapped_words(text, share=CHANGED_WORDS, random=random)
    return text


def augmented(pictures: np.ndarray, *, kind: Augmentation, random: np.random.Generator) -> np.ndarray:
    """Mirror half of the pictures [batch, size, size, 3]; `crop_flip` also shifts each by up to an eighth.

    `scene` needs boxes, and `training.boxed_pictures` for it.
    """
    if kind == "none":
        return pictures
    result = pictures.copy()
    mirrored = random.random(len(pictures)) < 0.5
    result[mirrored] = result[mirrored, :, ::-1]
    if kind == "crop_flip":
        size = pictures.shape[1]
        margin = size // 8
        padded = np.pad(result, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="edge")
        for number, (top, left) in enumerate(random.integers(0, 2 * margin + 1, size=(len(pictures), 2))):
            result[number] = padded[number, top : top + size, left : left + size]
    return result


@dataclass(frozen=True)
class ModalityInput:
    """One modality over all rows: `present` bool [rows], and either `vectors` float32 [rows, dim] or a live source.

    `remembered` is what a frozen encoder gives of the rows that are fitted and scored.
    """

    present: np.ndarray
    vectors: np.ndarray | None = None
    source: LiveSource | None = None
    remembered: RememberedTokens | None = None


def live_source(
    *, preparation: Preparation, values: Sequence[object | None], augmentation: Augmentation = "none"
) -> LiveSource:
    """The source for a modality whose encoder is trained. Raises TypeError for one that has no encoder."""
    if isinstance(preparation, AnyText):
        return TextSource(preparation=preparation, values=values)
    if isinstance(preparation, PicturePreparation):
        return PictureSource(preparation=preparation, values=values, augmentation=augmentation)
    raise TypeError(f"a modality of kind {preparation.kind!r} has no encoder to train")


def row_costs(inputs: Mapping[str, ModalityInput]) -> np.ndarray | None:
    """Cost of each row over all live modalities, or None where all rows cost the same."""
    lengths = [given.source.lengths() for given in inputs.values() if given.source is not None]
    known = [length for length in lengths if length is not None]
    return np.sum(known, axis=0) if known else None
