"""Pictures of a regression: what was predicted against what is true; PNG files."""

from pathlib import Path

import numpy as np

from flows.drawing import QUIET, RIGHT, heading, new_figure, plain_axes, save_figure


def predicted_against_true(path: Path, *, truth: np.ndarray, predicted: np.ndarray, title: str) -> None:
    """Draw each row's predicted number over its true one, and the line on which they would be equal.

    Both are [rows], in the target's units; rows whose truth is NaN are left out.
    """
    known = np.isfinite(truth)
    figure = new_figure(5.6, 5.6)
    axes = figure.subplots()
    if known.any():
        ends = [min(truth[known].min(), predicted[known].min()), max(truth[known].max(), predicted[known].max())]
        axes.plot(ends, ends, color=QUIET, linewidth=1)
        axes.scatter(truth[known], predicted[known], s=12, alpha=0.5, color=RIGHT, edgecolors="none")
    axes.set(xlabel="true", ylabel="predicted")
    plain_axes(axes)
    error = float(np.abs(truth[known] - predicted[known]).mean()) if known.any() else float("nan")
    heading(axes, title, f"{int(known.sum()):,} rows, mean absolute error {error:.4g}")
    save_figure(figure, path)
