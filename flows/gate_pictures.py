"""The picture of a verdict: every difference to the champion with its interval, the whole above its slices."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.drawing import INK, QUIET, RIGHT, WRONG, new_figure, plain_axes, save_figure, short_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 24
ROW_INCHES, HEAD_INCHES = 0.3, 1.5


def gate_intervals(path: Path, *, verdict: Mapping[str, Any], title: str) -> bool:
    """Differences and intervals of the whole and of the slices that differ most; False where there is no champion."""
    whole = {**verdict, "name": f"all {verdict['rows']:,} rows"}
    slices = [{**one, "name": f"{one['column']} = {one['value']}"} for one in verdict["slices"]]
    rows = [one for one in (whole, *slices) if one["difference"] is not None][:MOST]
    if verdict["difference"] is None:
        return False
    figure = new_figure(8.0, HEAD_INCHES + ROW_INCHES * len(rows))
    axes = figure.subplots()
    draw_rows(axes, rows, margin=verdict["margin"])
    plain_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"{verdict['metric']}: challenger less champion, 95%")
    axes.set_title(title, fontsize=12, color=INK, loc="left")
    save_figure(figure, path)
    return True


def draw_rows(axes: "Axes", rows: Sequence[Mapping[str, Any]], *, margin: float) -> None:
    """One line a row, the first on top."""
    places = list(range(len(rows)))[::-1]
    for place, row in zip(places, rows, strict=True):
        colour = WRONG if row["high"] < -margin else RIGHT if row["low"] > 0 else QUIET
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2.5, solid_capstyle="round")
        axes.plot([row["difference"]], [place], marker="o", color=colour, markersize=6)
    axes.axvline(0.0, color=INK, linewidth=0.8)
    if margin:
        axes.axvline(-margin, color=WRONG, linewidth=0.8, linestyle=":")
    axes.set_yticks(places, [short_label(row["name"]) for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
