"""A detector's raw outputs to boxes with labels and honest probabilities, without torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

import numpy as np

from heads.answers import Answer, Part
from heads.box_calibration import UNCHANGED, Scaling, best_threshold, fit_scaling
from heads.boxes import AnchorLevel, Detections, anchor_boxes, decode_offsets, detect
from heads.decoder import Outputs, Scorer, Truth, rows_of
from heads.detection_metrics import (
    COLUMNS,
    FIRST_HIT,
    LABEL,
    MOST_PER_LABEL,
    SCORE,
    UNKNOWN,
    by_score,
    coco_figures,
    counts,
    curve,
    judged,
    map_50,
    map_50_95,
    padded,
    true_rows,
)
from heads.metrics import expected_calibration_error
from heads.probabilities import sigmoid
from modalities.preparation.pictures import shown_size

SCORERS: dict[str, Scorer] = {"map_50": map_50, "map_50_95": map_50_95}
# Below this nothing is looked at: average precision hardly changes, and thousands of anchors need not be compared.
FLOOR = 0.01
CANDIDATES = 400


@dataclass(frozen=True)
class DetectionDecoder:
    """What turns `scores` (logits) [rows, anchors, labels] and `boxes` (offsets) [rows, anchors, 4] into found boxes.

    Boxes of a label that overlap a better one by more than `overlap` are dropped. Answers are those whose calibrated
    probability is at least `threshold`. A value of the target column is a list of `label, x, y, width, height` in
    shares of the picture; truth is `labels` [rows, most] (-1 where there is no further box), `boxes` [rows, most, 4]
    (left, top, right, bottom; NaN there) and `known` [rows].
    """

    kind: ClassVar[str] = "detection"
    scorers: ClassVar[Mapping[str, Scorer]] = SCORERS

    labels: tuple[str, ...]
    levels: tuple[AnchorLevel, ...]
    overlap: float = 0.5
    threshold: float = 0.3
    scaling: Scaling = UNCHANGED

    def encode(self, values: Sequence[object]) -> dict[str, np.ndarray]:
        """Truth; boxes whose label was not in the training rows are left out."""
        numbers = {label: number for number, label in enumerate(self.labels)}
        rows = [
            [(numbers[box["label"]], edges(box)) for box in value if box["label"] in numbers]
            if isinstance(value, list)
            else []
            for value in values
        ]
        most = max(map(len, rows), default=0)
        labels = np.full((len(rows), most), -1, dtype=np.int64)
        boxes = np.full((len(rows), most, 4), np.nan, dtype=np.float32)
        for row, given in enumerate(rows):
            for place, (label, box) in enumerate(given):
                labels[row, place], boxes[row, place] = label, box
        return {"labels": labels, "boxes": boxes, "known": np.array([isinstance(value, list) for value in values])}

    def found(self, outputs: Outputs) -> list[Detections]:
        """What each row shows, in shares of the picture, with uncalibrated scores."""
        anchors = anchor_boxes(self.levels)
        return [
            detect(
                sigmoid(scores.astype(np.float64)),
                decode_offsets(offsets, anchors),
                floor=FLOOR,
                overlap=self.overlap,
                candidates=CANDIDATES,
                most=MOST_PER_LABEL,
            )
            for scores, offsets in zip(outputs["scores"], outputs["boxes"], strict=True)
        ]

    def judged(self, outputs: Outputs, truth: Truth) -> list[np.ndarray]:
        """Each row's found boxes against its true ones; none where these are not known."""
        pairs = zip(self.found(outputs), true_boxes(truth), truth["known"], strict=True)
        return [judged(found, true)[: None if known else 0] for found, true, known in pairs]

    def all_judged(self, outputs: Outputs, truth: Truth) -> np.ndarray:
        """The found boxes of all rows together [found, 12]."""
        return np.concatenate([np.zeros((0, COLUMNS)), *self.judged(outputs, truth)])

    def calibrate(self, outputs: Outputs, truth: Truth) -> "DetectionDecoder":
        """With probabilities that say how often a box is right (overlap of 0.5), and the threshold of the best F1."""
        rows = self.all_judged(outputs, truth)
        scaling = fit_scaling(rows[:, SCORE], rows[:, FIRST_HIT])
        true = sum(len(each.labels) for each in true_boxes(truth))
        threshold = best_threshold(scaling(rows[:, SCORE]), rows[:, FIRST_HIT], true=true)
        return replace(self, scaling=scaling, threshold=threshold)

    def shown(self, outputs: Outputs) -> list[Detections]:
        """What each row shows, in shares of the picture: boxes of at least `threshold`, with their probabilities."""
        kept = []
        for found in self.found(outputs):
            probabilities = self.scaling(found.scores)
            sure = probabilities >= self.threshold
            kept.append(Detections(boxes=found.boxes[sure], scores=probabilities[sure], labels=found.labels[sure]))
        return kept

    def certainty(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """How sure each found box was, and whether it was right (overlap of 0.5)."""
        rows = self.all_judged(outputs, truth)
        return self.scaling(rows[:, SCORE]), rows[:, FIRST_HIT] > 0.0

    def curves(self, outputs: Outputs, truth: Truth) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Precision and recall at an overlap of 0.5 after each found box, for each label that has true boxes."""
        rows = by_score(self.all_judged(outputs, truth))
        known = truth["labels"][truth["known"]]
        counted = {label: int((known == number).sum()) for number, label in enumerate(self.labels)}
        return {
            label: curve(rows[rows[:, LABEL] == number, FIRST_HIT], true=counted[label])
            for number, label in enumerate(self.labels)
            if counted[label]
        }

    def answers(self, outputs: Outputs, inputs: Sequence[object], *, top: int = 5) -> list[Answer]:
        """The boxes of each row, best first, in pixels of the given picture."""
        return [
            self._answer(found, shown_size(picture), top)
            for found, picture in zip(self.found(outputs), inputs, strict=True)
        ]

    def comparable(self, outputs: Outputs, truth: Truth) -> tuple[np.ndarray, np.ndarray]:
        """Arrays [rows, boxes, 12] of `heads.detection_metrics.judged`; a row of unknown truth has no boxes."""
        true = [true_rows(each) for each in true_boxes(truth)]
        length = max([MOST_PER_LABEL, *map(len, true)])
        return padded(true, length=length), padded(self.judged(outputs, truth), length=length)

    def translated(self, predicted: np.ndarray, *, given_by: "DetectionDecoder") -> np.ndarray:
        """The other decoder's labels in this one's numbers."""
        places = {label: number for number, label in enumerate(self.labels)}
        numbers = np.array([*(places.get(label, UNKNOWN) for label in given_by.labels), -1], dtype=np.float32)
        result = predicted.copy()
        result[..., LABEL] = numbers[np.maximum(predicted[..., LABEL], -1).astype(int)]
        return result

    def measure(self, outputs: Outputs, truth: Truth) -> dict[str, float]:
        """Average precision by pycocotools, all and by label; precision, recall and F1 of the answers."""
        known = np.flatnonzero(truth["known"])
        true = true_boxes(rows_of(truth, known))
        figures = coco_figures(self.found(rows_of(outputs, known)), true, labels=self.labels)
        probabilities, right = self.certainty(outputs, truth)
        shown = probabilities >= self.threshold
        boxes = sum(len(each.labels) for each in true)
        figures |= counts(right=int(right[shown].sum()), found=int(shown.sum()), true=boxes)
        return {**figures, "ece": expected_calibration_error(probabilities, right), "threshold": self.threshold}

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads."""
        return {"kind": self.kind, **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "DetectionDecoder":
        """Read what `to_json` gave."""
        levels = (
            AnchorLevel(level["rows"], level["columns"], tuple((width, height) for width, height in level["shapes"]))
            for level in value["levels"]
        )
        return cls(
            labels=tuple(value["labels"]),
            levels=tuple(levels),
            overlap=value["overlap"],
            threshold=value["threshold"],
            scaling=Scaling(**value["scaling"]),
        )

    def _answer(self, found: Detections, size: tuple[int, int], top: int) -> Answer:
        width, height = size
        probabilities = self.scaling(found.scores)
        parts = [
            Part(
                label=self.labels[label],
                probability=float(probability),
                box=(left * width, top_edge * height, right * width, bottom * height),
            )
            for (left, top_edge, right, bottom), probability, label in zip(
                found.boxes.tolist(), probabilities, found.labels, strict=True
            )
        ]
        best = {part.label: part.probability for part in reversed(parts)}
        kept = tuple(part for part in parts if part.probability >= self.threshold)
        surest = parts[0].probability if parts else 0.0
        return Answer(
            label=", ".join(dict.fromkeys(part.label for part in kept)),
            probability=surest if kept else 1.0 - surest,
            probabilities=dict(sorted(best.items(), key=lambda pair: -pair[1])[:top]),
            parts=kept,
        )


def edges(box: Mapping[str, float]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom."""
    return box["x"], box["y"], box["x"] + box["width"], box["y"] + box["height"]


def true_boxes(truth: Truth) -> list[Detections]:
    """The true boxes of each row; none where they are not known."""
    return [
        Detections(boxes=boxes[labels >= 0], scores=np.ones(int((labels >= 0).sum())), labels=labels[labels >= 0])
        for labels, boxes in zip(truth["labels"], truth["boxes"], strict=True)
    ]
