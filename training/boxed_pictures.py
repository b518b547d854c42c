"""Pictures with boxes for the fitting loop: what augmentation does to a picture it does to the boxes."""

from collections.abc import Sequence
from typing import Literal, cast, get_args

import numpy as np
import torch

from heads.decoder import Truth
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.protocol import Arrays, Preparation
from training.inputs import PICTURES_IN_MEMORY_BYTES, Augmentation
from training.scenes import Scene, changed, placed

BoxAugmentation = Literal["none", "flip", "scene"]
# Pictures are kept larger than they are shown, so that what is cut out of them stays sharp.
SPARE = 1.25


class BoxedPictureSource:
    """Pictures whose truth (see `heads.box_decoding`) moves with them.

    In training the arrays hold, beside `pixels`, the moved truth as `moved_labels`, `moved_boxes` and `moved_known`
    (1 or 0). `flip` mirrors half of the pictures, `scene` does all that `training.scenes` can.
    """

    def __init__(
        self,
        *,
        preparation: PicturePreparation,
        values: Sequence[object | None],
        truth: Truth,
        augmentation: BoxAugmentation,
    ) -> None:
        self._preparation = preparation
        self._spacious = preparation.resized(round(SPARE * preparation.size))
        self._values = values
        self._truth = truth
        self._augmentation = augmentation
        self._boxed = truth["known"] & np.array([value is not None for value in values], dtype=bool)
        self._kept: dict[int, np.ndarray] = {}
        self._room = PICTURES_IN_MEMORY_BYTES // (3 * self._spacious.size**2)

    def arrays(self, rows: np.ndarray, *, random: np.random.Generator | None) -> Arrays:
        """Normalised pixels; in training augmented, with the truth of what they show now."""
        if random is None or self._augmentation == "none":
            return self._preparation([self._values[row] for row in rows])
        scenes = [self._changed(int(row), random) for row in rows]
        most = max(len(scene.labels) for scene in scenes)
        labels = np.full((len(rows), most), -1, dtype=np.int64)
        boxes = np.full((len(rows), most, 4), np.nan, dtype=np.float32)
        for place, scene in enumerate(scenes):
            labels[place, : len(scene.labels)], boxes[place, : len(scene.labels)] = scene.labels, scene.boxes
        pictures = np.stack([scene.picture.permute(1, 2, 0).numpy() for scene in scenes])
        known = self._truth["known"][rows].astype(np.int64)
        pixels = self._preparation.normalise(pictures)
        return {"pixels": pixels, "moved_labels": labels, "moved_boxes": boxes, "moved_known": known}

    def lengths(self) -> None:
        """All pictures cost the same."""
        return

    def _changed(self, row: int, random: np.random.Generator) -> Scene:
        size = self._preparation.size
        if self._augmentation == "flip":
            return placed([self._scene(row)], [(0, 0, size, size)], size=size, random=random)
        # Beside a row whose boxes are not known nothing else is shown: its truth would not be known either.
        others = random.choice(np.flatnonzero(self._boxed), size=3) if self._boxed[row] else [row] * 3
        return changed([self._scene(int(each)) for each in (row, *others)], size=size, random=random)

    def _scene(self, row: int) -> Scene:
        real = self._truth["labels"][row] >= 0
        return Scene(
            picture=torch.from_numpy(self._picture(row)).permute(2, 0, 1),
            boxes=torch.from_numpy(self._truth["boxes"][row][real]),
            labels=torch.from_numpy(self._truth["labels"][row][real]),
        )

    def _picture(self, row: int) -> np.ndarray:
        """A picture, larger than it will be shown; decoded once, as long as there is room."""
        found = self._kept.get(row)
        if found is None:
            (found,) = self._spacious.decode([self._values[row]])
            if len(self._kept) < self._room:
                self._kept[row] = found
        return found


def boxed_source(
    *, preparation: Preparation, values: Sequence[object | None], truth: Truth, augmentation: Augmentation
) -> BoxedPictureSource:
    """The source for a modality that a detector reads. Raises TypeError for one that boxes cannot follow."""
    if not isinstance(preparation, PicturePreparation) or augmentation not in get_args(BoxAugmentation):
        raise TypeError(f"boxes cannot follow a modality of kind {preparation.kind!r} through {augmentation!r}")
    return BoxedPictureSource(
        preparation=preparation, values=values, truth=truth, augmentation=cast("BoxAugmentation", augmentation)
    )
