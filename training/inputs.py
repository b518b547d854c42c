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
from training.changed_words import TextAugmentation, changed_text
from training.picture_policies import POLICIES, Policy, erased, with_policy
from training.token_memory import RememberedTokens

PICTURES_IN_MEMORY_BYTES = 1 << 30
Augmentation = Literal["none", "flip", "crop_flip", "scene"] | Policy


class LiveSource(Protocol):
    """Raw values of one modality, prepared batch by batch."""

    def arrays(self, rows: np.ndarray, *, random: np.random.Generator | None) -> Arrays:
        """The encoder's arrays for these rows; `random` is given in training, where augmentation is wanted."""

    def lengths(self) -> np.ndarray | None:
        """Cost of each row, int64 [rows], where rows differ; batches of like cost waste less."""


AnyText = TextPreparation | WordPreparation | PairPreparation | MarkedPreparation


class TextSource:
    """Texts, lists of words, pairs or marked texts for a text encoder; augmentation is for texts alone.

    `variants` are other wordings of all texts, as many of each; in training a text or one of its own is drawn.
    """

    def __init__(
        self,
        *,
        preparation: AnyText,
        values: Sequence[object | None],
        augmentation: TextAugmentation = "none",
        variants: Sequence[Sequence[object | None]] = (),
    ) -> None:
        self._preparation = preparation
        self._values = values
        self._augmentation = augmentation
        self._wordings = [values, *variants]

    def arrays(self, rows: np.ndarray, *, random: np.random.Generator | None) -> Arrays:
        """Token ids, padded to the longest of these rows; in training augmented."""
        if random is None:
            return self._preparation([self._values[row] for row in rows])
        drawn = random.integers(len(self._wordings), size=len(rows)) if len(self._wordings) > 1 else [0] * len(rows)
        values = [self._wordings[number][row] for number, row in zip(drawn, rows, strict=True)]
        if self._augmentation != "none":
            values = [changed_text(str(value), kind=self._augmentation, random=random) for value in values]
        return self._preparation(values)

    def lengths(self) -> np.ndarray:
        """Tokens of each text."""
        return self._preparation.lengths([value or "" for value in self._values])


class PictureSource:
    """Pictures for a picture encoder; decoded once where they fit into memory as bytes.

    `erase` is the share of the pictures that lose a rectangle in training.
    """

    def __init__(
        self,
        *,
        preparation: PicturePreparation,
        values: Sequence[object | None],
        augmentation: Augmentation = "none",
        erase: float = 0.0,
    ) -> None:
        self._preparation = preparation
        self._values = values
        self._augmentation = augmentation
        self._erase = erase
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
        if random is None:
            return {"pixels": self._preparation.normalise(pictures)}
        pixels = self._preparation.normalise(augmented(pictures, kind=self._augmentation, random=random))
        return {"pixels": erased(pixels, share=self._erase, random=random)}

    def lengths(self) -> None:
        """All pictures cost the same."""
        return


def augmented(pictures: np.ndarray, *, kind: Augmentation, random: np.random.Generator) -> np.ndarray:
    """Mirror half of the pictures [batch, size, size, 3]; `crop_flip` also shifts each by up to an eighth.

    A policy changes them once they are mirrored. `scene` needs boxes, and `training.boxed_pictures` for it.
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
    return with_policy(result, kind=kind, random=random) if kind in POLICIES else result


@dataclass(frozen=True)
class ModalityInput:
    """One modality over all rows: `present` bool [rows], and either `vectors` float32 [rows, dim] or a live source.

    `remembered` is what a frozen encoder gives of the rows that are fitted and scored. `variants` float32
    [copies, rows, dim] are vectors of other wordings: in training a row's own or one of these is drawn.
    """

    present: np.ndarray
    vectors: np.ndarray | None = None
    variants: np.ndarray | None = None
    source: LiveSource | None = None
    remembered: RememberedTokens | None = None

    def drawn_vectors(self, rows: np.ndarray, *, random: np.random.Generator | None) -> np.ndarray:
        """The finished vectors [rows, dim]; where `random` is given and there are variants, any of each row's."""
        vectors = np.asarray(self.vectors)
        if random is None or self.variants is None:
            return np.asarray(vectors[rows])
        drawn = random.integers(len(self.variants) + 1, size=len(rows))
        changed = self.variants[np.maximum(drawn - 1, 0), rows]
        return np.asarray(np.where(drawn[:, None] > 0, changed, vectors[rows]))


def live_source(
    *,
    preparation: Preparation,
    values: Sequence[object | None],
    augmentation: Augmentation = "none",
    erase: float = 0.0,
) -> LiveSource:
    """The source for a modality whose encoder is trained. Raises TypeError for one that has no encoder."""
    if isinstance(preparation, AnyText):
        return TextSource(preparation=preparation, values=values)
    if isinstance(preparation, PicturePreparation):
        return PictureSource(preparation=preparation, values=values, augmentation=augmentation, erase=erase)
    raise TypeError(f"a modality of kind {preparation.kind!r} has no encoder to train")


def row_costs(inputs: Mapping[str, ModalityInput]) -> np.ndarray | None:
    """Cost of each row over all live modalities, or None where all rows cost the same."""
    lengths = [given.source.lengths() for given in inputs.values() if given.source is not None]
    known = [length for length in lengths if length is not None]
    return np.sum(known, axis=0) if known else None
