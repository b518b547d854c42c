"""Pictures of how good a model is: confusion matrix, reliability diagram, learning curve; PNG files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from flows.drawing import (
    INK,
    MARK,
    PAPER,
    QUIET,
    RIGHT,
    TOO_SURE,
    UNSURE,
    WRONG,
    heading,
    legend,
    new_figure,
    place_text,
    plain_axes,
    save_figure,
    short_label,
)
from polyloom.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NUMBERS_UP_TO = 15  # classes, beyond which a number no longer fits into its cell
LISTED_PAIRS = 20
BINS = 15


def confusion_matrix(path: Path, *, truth: ArrayLike, predicted: ArrayLike, labels: Sequence[str], title: str) -> None:
    """Draw how often each class was taken for which; a cell's colour is its share of the true class.

    Up to 15 classes each cell shows its count; above, the 20 most confused pairs stand beside the matrix.

    Args:
        truth: class numbers [rows], positions in `labels`.
        predicted: class numbers [rows], positions in `labels`.
    """
    counts = _counts(truth, predicted, len(labels))
    small = len(labels) <= NUMBERS_UP_TO
    side = 2.6 + min(max(6.0 / len(labels), 0.145), 0.55) * len(labels)
    figure = new_figure(max(side, 5.4) if small else side + 4.2, side)
    if small:
        axes = figure.subplots()
        _write_counts(axes, counts)
    else:
        axes, list_axes = figure.subplots(1, 2, width_ratios=[side, 4.2])
        _list_pairs(list_axes, counts, labels)
    _draw_matrix(axes, counts, labels, font_size=9 if small else 6.5)
    share = np.trace(counts) / max(counts.sum(), 1)
    heading(axes, title, f"{counts.sum():,} rows, {share:.1%} right; blue: right, red: confused")
    save_figure(figure, path)


def reliability_diagram(path: Path, *, probabilities: ArrayLike, correct: ArrayLike, ece: float, title: str) -> None:
    """Draw how often the model was right, by how sure it was; below, how many rows there are of each.

    Args:
        probabilities: the predicted class's probability [rows], from 0 to 1.
        correct: whether the prediction was right [rows].
        ece: expected calibration error, as measured elsewhere.
    """
    sure, right = np.asarray(probabilities, dtype=float), np.asarray(correct, dtype=float)
    if sure.shape != right.shape or sure.ndim != 1 or sure.size == 0:
        raise DataError(
            f"reliability diagram: probabilities {sure.shape} and correct {right.shape} must be two lists of the "
            f"same length, with at least one row."
        )
    edges = np.linspace(0.0, 1.0, BINS + 1)
    bins = np.clip(np.digitize(sure, edges) - 1, 0, BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    filled = counts > 0
    accuracy = np.bincount(bins, weights=right, minlength=BINS)[filled] / counts[filled]
    confidence = np.bincount(bins, weights=sure, minlength=BINS)[filled] / counts[filled]
    figure = new_figure(5.6, 6.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    _draw_reliability(upper, lefts=edges[:-1][filled], accuracy=accuracy, confidence=confidence)
    lower.bar(edges[:-1], counts, width=1 / BINS, align="edge", color=QUIET, edgecolor=PAPER)
    lower.set(xlim=(0, 1), xlabel="probability of the prediction", ylabel="rows")
    plain_axes(lower)
    heading(upper, title, f"{sure.size:,} rows, expected calibration error {ece:.3f}")
    save_figure(figure, path)


def learning_curve(path: Path, *, history: Sequence[Mapping[str, float | None]], title: str) -> None:
    """Draw the losses and the validation metric by epoch; the best epoch is marked.

    Args:
        history: one mapping an epoch with `epoch`, `train_loss`, `validation_loss` and `metric` (higher is better);
            what is missing or None leaves a gap.
    """
    if not history:
        raise DataError("learning curve: the history is empty; it needs at least one epoch.")
    figure = new_figure(6.4, 5.8)
    upper, lower = figure.subplots(2, 1, sharex=True)
    epochs = _column(history, "epoch")
    upper.plot(epochs, _column(history, "train_loss"), color=QUIET, marker="o", markersize=3.5, label="training")
    upper.plot(epochs, _column(history, "validation_loss"), color=WRONG, marker="o", markersize=3.5, label="validation")
    upper.set_ylabel("loss")
    legend(upper, "upper right")
    metric = _column(history, "metric")
    lower.plot(epochs, metric, color=RIGHT, marker="o", markersize=3.5)
    lower.set(xlabel="epoch", ylabel="validation metric")
    lower.xaxis.get_major_locator().set_params(integer=True)
    note = _mark_best((upper, lower), epochs, metric)
    for axes in (upper, lower):
        plain_axes(axes)
    heading(upper, title, f"{len(history)} epochs{note}")
    save_figure(figure, path)


def _counts(truth: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """Rows by [true class, predicted class]."""
    true, taken = np.asarray(truth, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    both = np.concatenate([true.ravel(), taken.ravel()])
    if true.shape != taken.shape or true.ndim != 1 or (both.size and not 0 <= both.min() <= both.max() < classes):
        raise DataError(
            f"confusion matrix: truth {true.shape} and predicted {taken.shape} must be two lists of the same length, "
            f"with class numbers from 0 to {classes - 1} for {classes} labels."
        )
    return np.bincount(true * classes + taken, minlength=classes * classes).reshape(classes, classes)


def _shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each cell as a share of its true class; 0 for a class without rows."""
    shares: NDArray[np.float64] = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares


def _draw_matrix(axes: "Axes", counts: NDArray[np.int64], labels: Sequence[str], *, font_size: float) -> None:
    from matplotlib.colors import to_rgb

    shares = _shares(counts)[..., None]
    # A share of 1% must still be seen among white cells, hence the root.
    strength = np.where(np.eye(len(labels), dtype=bool)[..., None], shares, np.sqrt(shares))
    ink = np.full((*counts.shape, 3), to_rgb(WRONG))
    ink[np.diag_indices(len(labels))] = to_rgb(RIGHT)
    axes.imshow(1.0 - strength * (1.0 - ink), interpolation="nearest")
    positions = range(len(labels))
    names = [short_label(label) for label in labels]
    fits = font_size > 7 and max(map(len, names)) <= 6
    axes.set_xticks(positions, names, rotation=0 if fits else 90, fontsize=font_size)
    axes.set_yticks(positions, names, fontsize=font_size)
    axes.set_xticks(np.arange(-0.5, len(labels)), minor=True)
    axes.set_yticks(np.arange(-0.5, len(labels)), minor=True)
    axes.grid(which="minor", color="#e4e7eb", linewidth=0.5)
    axes.tick_params(which="both", length=0, colors=INK)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted", color=QUIET, fontsize=10)
    axes.set_ylabel("true", color=QUIET, fontsize=10)


def _write_counts(axes: "Axes", counts: NDArray[np.int64]) -> None:
    shares = _shares(counts)
    for row, column in np.argwhere(counts > 0):
        strength = shares[row, column] if row == column else np.sqrt(shares[row, column])
        color = PAPER if strength > 0.6 else INK
        axes.text(column, row, f"{counts[row, column]:,}", ha="center", va="center", fontsize=9, color=color)


def _list_pairs(axes: "Axes", counts: NDArray[np.int64], labels: Sequence[str]) -> None:
    """The most confused pairs, as text beside the matrix."""
    wrong = counts * (1 - np.eye(len(labels), dtype=np.int64))
    order = np.argsort(wrong, axis=None, kind="stable")[::-1][:LISTED_PAIRS]
    pairs = [(row, column) for row, column in zip(*np.unravel_index(order, wrong.shape), strict=True)]
    axes.set_axis_off()
    totals = counts.sum(axis=1)
    place_text(axes, "Most confused", down=4, size=11, color=INK, weight="bold")
    for line, (row, column) in enumerate(pair for pair in pairs if wrong[pair]):
        down = 28 + 26 * line
        place_text(axes, f"{wrong[row, column]:,}", down=down, size=9, color=WRONG, weight="bold")
        place_text(axes, short_label(labels[row]), down=down, right=26, size=8.5, color=INK)
        note = f"taken for {short_label(labels[column])}  ({wrong[row, column] / totals[row]:.0%})"
        place_text(axes, note, down=down + 11.5, right=26, size=8, color=QUIET)


def _draw_reliability(axes: "Axes", *, lefts: NDArray[Any], accuracy: NDArray[Any], confidence: NDArray[Any]) -> None:
    low, high = np.minimum(accuracy, confidence), np.maximum(accuracy, confidence)
    over = confidence > accuracy
    for chosen, bottom, top, color, name in (
        (np.ones_like(over), np.zeros_like(low), low, RIGHT, "was right"),
        (over, low, high, TOO_SURE, "too sure by"),
        (~over, low, high, UNSURE, "too unsure by"),
    ):
        axes.bar(
            lefts[chosen],
            (top - bottom)[chosen],
            bottom=bottom[chosen],
            width=1 / BINS,
            align="edge",
            color=color,
            edgecolor=PAPER,
            label=name,
        )
    axes.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=(0, (4, 3)), label="perfectly calibrated")
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="share that was right")
    legend(axes, "upper left")
    plain_axes(axes)


def _mark_best(both: Sequence["Axes"], epochs: NDArray[Any], metric: NDArray[Any]) -> str:
    """A line at the best epoch; returns the words for the heading."""
    if np.isnan(metric).all():
        return ""
    best = int(np.nanargmax(metric))
    for axes in both:
        axes.axvline(epochs[best], color=MARK, linewidth=1.2, linestyle=(0, (4, 3)), zorder=0)
    return f", best {metric[best]:.4g} at epoch {epochs[best]:g}"


def _column(history: Sequence[Mapping[str, float | None]], name: str) -> NDArray[np.float64]:
    values = [epoch.get(name) for epoch in history]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
