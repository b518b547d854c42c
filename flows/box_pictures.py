"""Pictures of a detector: how precision falls as recall grows, and what it finds in some test pictures; PNG files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from flows.drawing import (
    INK,
    MARK,
    QUIET,
    RIGHT,
    TOO_SURE,
    UNSURE,
    WRONG,
    heading,
    legend,
    new_figure,
    plain_axes,
    save_figure,
)
from modalities.preparation.pictures import as_rgb, orientation, source_of, turned_upright

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from heads.boxes import Detections

LINES = (RIGHT, WRONG, MARK, QUIET, INK, UNSURE, TOO_SURE)
# Bright enough to be seen on any picture.
PALETTE = ("#e6194b", "#f58231", "#ffe119", "#3cb44b", "#46f0f0", "#4363d8", "#911eb4", "#f032e6")
SHOWN = 6
COLUMNS = 3
# Pixels of the longer side: enough for a figure, and a camera's picture does not fill the memory.
LONGEST = 480


def precision_recall(path: Path, *, curves: Mapping[str, tuple[np.ndarray, np.ndarray]], title: str, note: str) -> None:
    """Draw a curve for each label: precision over recall [found], after each found box from the surest on."""
    figure = new_figure(6.2, 4.6)
    axes = figure.subplots()
    for number, (label, (precision, recall)) in enumerate(curves.items()):
        style = "-" if number < len(LINES) else "--"
        axes.plot(recall, precision, style, color=LINES[number % len(LINES)], linewidth=1.6, label=label)
    axes.set(xlabel="recall", ylabel="precision", xlim=(0.0, 1.0), ylim=(0.0, 1.02))
    plain_axes(axes)
    if curves:
        legend(axes, "upper right")
    heading(axes, title, note)
    save_figure(figure, path)


def found_boxes(
    path: Path,
    *,
    pictures: Sequence[object],
    found: Sequence["Detections"],
    true: Sequence["Detections"],
    labels: Sequence[str],
    title: str,
) -> None:
    """Draw the first six pictures (files' bytes or paths) with their true boxes dashed and their found ones solid.

    Boxes are in shares of the picture; scores are shown in percent.
    """
    count = min(SHOWN, len(pictures))
    rows = max(1, -(-count // COLUMNS))
    figure = new_figure(3.3 * COLUMNS, 3.1 * rows + 0.6)
    for place, axes in enumerate(figure.subplots(rows, COLUMNS, squeeze=False).ravel()):
        axes.set_axis_off()
        if place < count:
            draw_picture(axes, pictures[place], found[place], true[place], labels)
    figure.suptitle(f"{title}\ndashed: true, solid: found", color=INK, fontsize=11, x=0.02, ha="left")
    save_figure(figure, path)


def draw_picture(axes: "Axes", picture: object, found: "Detections", true: "Detections", labels: Sequence[str]) -> None:
    """One picture with its boxes."""
    with Image.open(source_of(picture)) as opened:
        shown = turned_upright(as_rgb(opened), orientation(opened))
    shown.thumbnail((LONGEST, LONGEST))
    axes.imshow(np.asarray(shown))
    for boxes, style in ((true, "--"), (found, "-")):
        for box, score, label in zip(boxes.boxes, boxes.scores, boxes.labels, strict=True):
            left, top, right, bottom = box * np.array([shown.width, shown.height] * 2)
            colour = PALETTE[int(label) % len(PALETTE)]
            edges = ([left, right, right, left, left], [top, top, bottom, bottom, top])
            axes.plot(*edges, style, color=colour, linewidth=1.6)
            if style == "-":
                said = f"{labels[int(label)]} {100 * score:.0f}%"
                axes.text(
                    left,
                    top,
                    said,
                    color="white",
                    fontsize=6,
                    va="bottom",
                    bbox={"facecolor": colour, "pad": 1, "linewidth": 0},
                )
