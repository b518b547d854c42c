"""The picture of `benchmarks.compression`: accuracy against what a model weighs and how fast it is."""

import re
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure


def draw(path: Path, figures: Sequence[Figure]) -> None:
    """Two drawings side by side; each model is a point with its name."""
    from flows.drawing import INK, RIGHT, WRONG, heading, new_figure, plain_axes, save_figure

    accuracies = {one.name.partition(": accuracy")[0]: one.value for one in figures if ": accuracy" in one.name}
    speeds = {one.name.partition(": speed")[0]: one for one in figures if ": speed" in one.name}
    figure = new_figure(11.0, 4.6)
    for axes, what, of in zip(
        figure.subplots(1, 2), ("megabytes", "rows a second, one thread"), (megabytes, rate), strict=True
    ):
        plain_axes(axes)
        for name, accuracy in accuracies.items():
            place = of(speeds[name])
            below = "magnitude" in name or "plain" in name
            axes.plot([place], [accuracy], "o", color=WRONG if below else RIGHT)
            axes.annotate(
                name,
                (place, accuracy),
                xytext=(5, -11 if below else 5),
                textcoords="offset points",
                fontsize=7.5,
                color=INK,
            )
        axes.set_xlabel(what)
        axes.set_ylabel("accuracy")
        axes.margins(x=0.4, y=0.2)
        heading(axes, f"accuracy against {what}", "")
    save_figure(figure, path)


def megabytes(figure: Figure) -> float:
    """A graph's size, which stands in its figure's name."""
    found = re.search(r"([\d.]+) MB", figure.name)
    return float(found[1]) if found else 0.0


def rate(figure: Figure) -> float:
    """A graph's speed."""
    return figure.value
