"""From a scenario's detectors to their targets, decoders and heads."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from flows.modality_spec import Image
from flows.scenario_columns import table_of, task_inputs
from flows.spec import Scenario
from flows.task_spec import Detection
from heads.box_decoding import DetectionDecoder, edges
from heads.decoder import Decoder
from modalities.preparation.pictures import shown_size
from polyloom.errors import DataError

if TYPE_CHECKING:
    from modalities.encoders.picture_maps import MapShape
    from training.task_models import MapTask


def boxes_in_shares(scenario: Scenario, task: str, rows: Sequence[Mapping[str, object]]) -> list[object]:
    """Each row's boxes as its decoder encodes them; None where the boxes or the picture are missing."""
    target = scenario.tasks[task].target
    picture = scenario.data[table_of(scenario, task)].image or ""
    return [in_shares(row[target], row.get(picture)) for row in rows]


def in_shares(boxes: object, picture: object) -> object:
    """Boxes of `x, y, width, height` in pixels as shares of the picture."""
    if not isinstance(boxes, list) or picture is None:
        return None
    width, height = shown_size(picture)
    return [
        {
            "label": box["label"],
            "x": box["x"] / width,
            "y": box["y"] / height,
            "width": box["width"] / width,
            "height": box["height"] / height,
        }
        for box in boxes
    ]


def detection_decoder(
    scenario: Scenario, task: str, settings: Detection, *, training: Sequence[object]
) -> DetectionDecoder:
    """A detector's labels, and anchors that fit the training boxes: one level more than the encoder has maps."""
    from heads.anchor_shapes import fitted_levels

    boxes = [box for value in training if isinstance(value, list) for box in value]
    if not boxes:
        raise DataError(
            f"tasks.{task}.target: {settings.target!r} has not a single box in the training rows; there is nothing "
            "to learn. Look at the quarantine, or give more rows."
        )
    grids = [(shape.rows, shape.columns) for shape in maps_of(scenario, task)]
    grids.append(((grids[-1][0] + 1) // 2, (grids[-1][1] + 1) // 2))
    levels = fitted_levels(
        np.array([edges(box) for box in boxes]), grids=grids, shapes=settings.shapes, seed=scenario.recipe.seed
    )
    return DetectionDecoder(labels=tuple(sorted({box["label"] for box in boxes})), levels=levels)


def detection_task(scenario: Scenario, task: str, settings: Detection, *, decoder: Decoder) -> "MapTask":
    """A detector's model over the feature maps of its pictures."""
    from heads.detection import DetectionHead
    from training.task_models import MapTask

    if not isinstance(decoder, DetectionDecoder):
        raise TypeError(f"a task of kind {settings.kind!r} has no use for a decoder of kind {decoder.kind!r}")
    head = DetectionHead(
        channels=[shape.channels for shape in maps_of(scenario, task)],
        levels=decoder.levels,
        labels=len(decoder.labels),
        width=settings.width,
    )
    return MapTask(modality=task_inputs(scenario, task)[0], head=head)


def maps_of(scenario: Scenario, task: str) -> "tuple[MapShape, ...]":
    """The feature maps of the pictures that a detector looks at. Raises RequestError for a model without them."""
    from modalities.encoders.picture import picture_preparation
    from modalities.encoders.picture_maps import map_shapes

    (name,) = task_inputs(scenario, task)
    modality = scenario.modalities[name]
    if not isinstance(modality, Image):
        raise TypeError(f"a modality of kind {modality.kind!r} has no feature maps")
    prepared = picture_preparation(model=modality.model, column=name, size=modality.size, weights=modality.weights)
    return map_shapes(model=modality.model, size=prepared.size)
