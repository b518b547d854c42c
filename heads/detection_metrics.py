"""Average precision of boxes: in numpy for the gate's resampling, and by pycocotools for what is reported.

Both follow the rules of COCO (Lin et al., 2014): greedy matching within a picture and a label, precision interpolated
at 101 recalls, the mean over the labels that have boxes. Found and true boxes are `heads.boxes.Detections`.
"""

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from heads.boxes import Detections, areas, overlaps

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MOST_PER_LABEL = 100
LABEL, SCORE, FIRST_HIT = 0, 1, 2
# Labels are numbers from 0; in an array -1 stands where there is no box, -2 for a label that is not known here.
NOTHING, UNKNOWN = -1, -2
COLUMNS = FIRST_HIT + len(THRESHOLDS)
# COCO's own measure of an area in pixels only matters for figures by size, which are not asked for.
PIXELS = 1000.0


def judged(found: Detections, true: Detections) -> np.ndarray:
    """Each found box as a row [found, 12]: label, score, then 1 or 0 for a match at each of the ten overlaps.

    Within a label the best scores choose first, each the true box that it overlaps most among those still free.
    """
    rows = np.zeros((len(found.labels), COLUMNS), dtype=np.float32)
    rows[:, LABEL], rows[:, SCORE] = found.labels, found.scores
    for label in np.unique(found.labels):
        mine = np.flatnonzero(found.labels == label)
        mine = mine[np.argsort(-found.scores[mine], kind="stable")]
        rows[mine[MOST_PER_LABEL:], LABEL] = NOTHING
        mine = mine[:MOST_PER_LABEL]
        rows[mine, FIRST_HIT:] = hits(overlaps(found.boxes[mine], true.boxes[true.labels == label]))
    return rows


def hits(shared: np.ndarray) -> np.ndarray:
    """Matches [found, 10] from overlaps [found, true], the found ones best first."""
    found, true = shared.shape
    result = np.zeros((found, len(THRESHOLDS)), dtype=bool)
    free = np.ones((len(THRESHOLDS), true), dtype=bool)
    if true:
        for place in range(found):
            fitting = np.where(free & (shared[place] >= THRESHOLDS[:, None]), shared[place], -1.0)
            # Of equal overlaps COCO takes the last.
            choice = true - 1 - fitting[:, ::-1].argmax(axis=1)
            result[place] = fitting[np.arange(len(THRESHOLDS)), choice] >= 0.0
            free[result[place], choice[result[place]]] = False
    return result


def true_rows(true: Detections) -> np.ndarray:
    """The true boxes as if they had been found, with certainty: rows as `judged` gives them."""
    rows = np.ones((len(true.labels), COLUMNS), dtype=np.float32)
    rows[:, LABEL] = true.labels
    return rows


def padded(rows: Sequence[np.ndarray], *, length: int | None = None) -> np.ndarray:
    """Rows of several pictures as one array [pictures, length, 12]; places without a box have the label -1."""
    longest = max((len(each) for each in rows), default=0) if length is None else length
    result = np.full((len(rows), longest, COLUMNS), NOTHING, dtype=np.float32)
    for place, each in enumerate(rows):
        result[place, : len(each)] = each
    return result


def map_50(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean average precision at an overlap of 0.5, from arrays as `padded` gives them; 0 where nothing is true."""
    return mean_precision(truth, predicted, columns=range(1))


def map_50_95(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean average precision over the overlaps 0.5, 0.55 .. 0.95."""
    return mean_precision(truth, predicted, columns=range(len(THRESHOLDS)))


def mean_precision(truth: np.ndarray, predicted: np.ndarray, *, columns: Sequence[int]) -> float:
    """Mean over labels that have true boxes, and over the overlaps with these numbers."""
    true, found = truth.reshape(-1, COLUMNS), predicted.reshape(-1, COLUMNS)
    labels = np.unique(true[true[:, LABEL] >= 0, LABEL])
    precisions = [
        average_precision(mine, column=FIRST_HIT + column, true=int((true[:, LABEL] == label).sum()))
        for label in labels
        for mine in [by_score(found[found[:, LABEL] == label])]
        for column in columns
    ]
    return float(np.mean(precisions)) if precisions else 0.0


def by_score(found: np.ndarray) -> np.ndarray:
    """The best first; equal ones in the order of the pictures, as COCO has it."""
    return np.asarray(found[np.argsort(-found[:, SCORE], kind="stable")])


def average_precision(found: np.ndarray, *, column: int, true: int) -> float:
    """The area under one label's curve, from its found boxes, best first."""
    precision, recall = curve(found[:, column], true=true)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(recall, RECALLS, side="left")
    return float(np.append(highest, 0.0)[np.minimum(places, len(highest))].mean())


def curve(right: np.ndarray, *, true: int) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall [found] after each found box, best first."""
    rightly = np.cumsum(right, dtype=np.float64)
    return rightly / np.arange(1, len(rightly) + 1), rightly / true


def counts(*, right: int, found: int, true: int) -> dict[str, float]:
    """Precision, recall and F1 of boxes; 0 where they are not defined."""
    return {
        "precision": right / max(found, 1),
        "recall": right / max(true, 1),
        "f1": 2.0 * right / max(found + true, 1),
    }


def coco_figures(found: Sequence[Detections], true: Sequence[Detections], *, labels: Sequence[str]) -> dict[str, float]:
    """`map_50`, `map_50_95` and each label's `ap_50_<label>` by pycocotools, over pictures in the same order.

    A label without true boxes is left out; without any box at all the figures are 0.
    """
    if not any(len(each.labels) for each in true):
        return {"map_50": 0.0, "map_50_95": 0.0}
    precision = coco_precision(found, true, labels=len(labels))
    by_label = {
        f"ap_50_{label}": float(precision[0, :, number].mean())
        for number, label in enumerate(labels)
        if (precision[0, :, number] >= 0.0).all()
    }
    known = precision[precision >= 0.0]
    return {"map_50": float(np.mean(list(by_label.values()))), "map_50_95": float(known.mean()), **by_label}


def coco_precision(found: Sequence[Detections], true: Sequence[Detections], *, labels: int) -> np.ndarray:
    """Precision [overlaps, recalls, labels] by pycocotools, boxes of all sizes; -1 for a label without true boxes."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    # pycocotools tells what it does on stdout, where the command line prints JSON.
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "info": {},
            "images": [{"id": number} for number in range(1, len(true) + 1)],
            "categories": [{"id": label} for label in range(labels)],
            "annotations": entries(true),
        }
        truth.createIndex()
        answers = COCO()
        answers.dataset = {**truth.dataset, "annotations": entries(found)}
        answers.createIndex()
        evaluation = COCOeval(truth, answers, "bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0.0, 1e10]], ["all"]
        evaluation.params.maxDets = [MOST_PER_LABEL]
        evaluation.evaluate()
        evaluation.accumulate()
    return np.asarray(evaluation.eval["precision"][..., 0, 0])


def entries(pictures: Sequence[Detections]) -> list[dict[str, Any]]:
    """Boxes of pictures as COCO's annotations, numbered from 1."""
    result: list[dict[str, Any]] = []
    for picture, given in enumerate(pictures, start=1):
        for (left, top, right, bottom), score, label, area in zip(
            given.boxes.astype(float) * PIXELS, given.scores, given.labels, areas(given.boxes * PIXELS), strict=True
        ):
            result.append(
                {
                    "id": len(result) + 1,
                    "image_id": picture,
                    "category_id": int(label),
                    "bbox": [left, top, right - left, bottom - top],
                    "area": float(area),
                    "score": float(score),
                    "iscrowd": 0,
                }
            )
    return result
