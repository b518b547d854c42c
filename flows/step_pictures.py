"""What was learned in steps, as a picture: the metric on each step's rows after each step, and its course."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from flows.drawing import (
    INK,
    PAPER,
    QUIET,
    RIGHT,
    WRONG,
    heading,
    legend,
    new_figure,
    plain_axes,
    save_figure,
    short_label,
)
from polyloom.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WRITTEN_UP_TO = 15  # steps, beyond which a number no longer fits into its cell


def step_picture(path: Path, *, steps: Sequence[Mapping[str, Any]], metric: str, title: str) -> None:
    """Draw the matrix of scores, rows of a step across and the step just learned down, and beside it the course.

    Args:
        steps: in order, each with `name`, `scores` (of every step's rows, None where there are none), `so_far`, and
            `forgetting` (None after the first).
    """
    if not steps:
        raise DataError("picture of steps: there are none; it needs at least one.")
    scores = numbers([step["scores"] for step in steps])
    side = 3.0 + 0.42 * min(len(steps), 30)
    figure = new_figure(side + 5.0, max(side - 0.6, 3.8))
    matrix, course = figure.subplots(1, 2, width_ratios=[side, 5.0])
    names = [short_label(str(step["name"]), 14) for step in steps]
    draw_matrix(matrix, scores, names)
    draw_course(course, steps)
    heading(matrix, title, f"{metric} on the rows of a step (across), after a step was learned (down)")
    save_figure(figure, path)


def numbers(values: Sequence[Sequence[float | None]]) -> NDArray[np.float64]:
    """Figures as an array, NaN for None."""
    return np.array([[np.nan if value is None else value for value in row] for row in values], dtype=np.float64)


def draw_matrix(axes: "Axes", scores: NDArray[np.float64], names: Sequence[str]) -> None:
    """One cell a step and step learned; the darker, the better."""
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("score", [PAPER, RIGHT])
    most = max(1.0, float(np.nanmax(scores, initial=0.0)))
    axes.imshow(np.ma.masked_invalid(scores), cmap=colours, vmin=0.0, vmax=most)
    places = range(len(names))
    axes.set_xticks(places, names, rotation=90, fontsize=8)
    axes.set_yticks(places, names, fontsize=8)
    axes.set_xlabel("rows of step", color=QUIET, fontsize=10)
    axes.set_ylabel("after step", color=QUIET, fontsize=10)
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)
    if len(names) > WRITTEN_UP_TO:
        return
    for (after, rows), score in np.ndenumerate(scores):
        if np.isfinite(score):
            colour = PAPER if score > 0.6 else INK
            axes.text(rows, after, f"{score:.2f}", ha="center", va="center", fontsize=8, color=colour)


def draw_course(axes: "Axes", steps: Sequence[Mapping[str, Any]]) -> None:
    """The metric on all rows so far, and what is forgotten, by step."""
    so_far, forgotten = numbers([[step["so_far"], step["forgetting"]] for step in steps]).T
    places = np.arange(1, len(steps) + 1)
    axes.plot(places, so_far, color=RIGHT, marker="o", markersize=3.5, label="all steps so far")
    axes.plot(places, forgotten, color=WRONG, marker="o", markersize=3.5, label="forgetting")
    axes.set(xlabel="steps learned", ylim=(min(0.0, float(np.nanmin(forgotten, initial=0.0))), 1.02))
    axes.set_xticks(places)
    plain_axes(axes)
    legend(axes, "upper right")
