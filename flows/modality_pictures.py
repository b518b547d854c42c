"""A picture of what each modality is worth to a task: its metric whole, without it, and with it corrupted."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from flows.drawing import (
    INK,
    RIGHT,
    TOO_SURE,
    UNSURE,
    WRONG,
    heading,
    new_figure,
    plain_axes,
    save_figure,
    short_label,
)
from heads.robustness import Harm, ModalityWorth

BARS: tuple[tuple[Harm, str, str], ...] = (
    ("removed", "without it", WRONG),
    ("shuffled", "another row's", TOO_SURE),
    ("noised", "half noise", UNSURE),
)
HEIGHT = 0.26


def modality_bars(path: Path, *, worth: Mapping[str, ModalityWorth], metric: str, title: str) -> None:
    """Draw for each modality the metric after each harm, and a line where it was before; whiskers are 95% intervals."""
    figure = new_figure(6.4, 1.5 + 1.15 * len(worth))
    axes = figure.subplots()
    places = np.arange(len(worth), dtype=float)
    for number, (harm, name, color) in enumerate(BARS):
        known = [
            (place, one, harmed)
            for place, one in zip(places, worth.values(), strict=True)
            if (harmed := getattr(one, harm)) is not None
        ]
        values = np.array([harmed.value for _, _, harmed in known])
        lows = np.array([one.intact + harmed.change_low for _, one, harmed in known])
        highs = np.array([one.intact + harmed.change_high for _, one, harmed in known])
        at = np.array([place for place, *_ in known]) + (number - 1) * HEIGHT
        axes.barh(at, values, height=HEIGHT * 0.92, color=color, label=name)
        whiskers = np.abs(np.array([values - lows, highs - values]))
        axes.errorbar(values, at, xerr=whiskers, fmt="none", ecolor=INK, elinewidth=0.8)
    for place, one in zip(places, worth.values(), strict=True):
        line = axes.plot([one.intact] * 2, [place - 1.6 * HEIGHT, place + 1.6 * HEIGHT], color=RIGHT, linewidth=2)
        line[0].set_label("with all" if place == 0 else "_")
    names = [f"{short_label(name)}\n{one.rows:,} rows" for name, one in worth.items()]
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set(xlabel=metric)
    plain_axes(axes)
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=4, fontsize=9, labelcolor=INK, frameon=False)
    heading(axes, title, "what each modality is worth; whiskers: 95% interval of the change")
    save_figure(figure, path)
