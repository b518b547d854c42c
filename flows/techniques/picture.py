"""The ledger as a picture: each technique's gain with its interval, and what it cost."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.drawing import INK, QUIET, RIGHT, WRONG, heading, new_figure, plain_axes, save_figure, short_label
from flows.techniques.ledger import GAIN, LOSS

COLOURS: Mapping[str, str] = {GAIN: RIGHT, LOSS: WRONG}


def draw_ledger(path: Path, result: Mapping[str, Any]) -> Path:
    """Techniques from the largest gain down; what is no clear gain or loss is grey. Gives the file."""
    baseline, *others = result["techniques"]
    rows = sorted(others, key=lambda row: float(row["difference"]))
    figure = new_figure(8.6, 1.7 + 0.34 * max(1, len(rows)))
    axes = figure.subplots()
    for place, row in enumerate(rows):
        colour = COLOURS.get(row["verdict"], QUIET)
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2.2, solid_capstyle="round")
        axes.plot(row["difference"], place, "o", color=colour, markersize=6)
        axes.annotate(
            cost(row), (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8.5, color=QUIET
        )
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(len(rows)), [short_label(row["technique"]) for row in rows])
    axes.set(xlabel=f"difference in {result['metric']} to the baseline, 95% interval", ylim=(-0.7, len(rows) - 0.3))
    plain_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x", color="#eef0f3", linewidth=0.8)
    note = (
        f"baseline {baseline['metric']:.3f} ({cost(baseline)}); {result['rows']} {result['split']} rows, "
        f"seeds {', '.join(map(str, result['seeds']))}; coloured is what stands out beside all others"
    )
    heading(axes, f"{result['scenario']}: techniques", note)
    save_figure(figure, path)
    return path


def cost(row: Mapping[str, Any]) -> str:
    """Seconds to fit and milliseconds to answer."""
    return f"{row['seconds']:.0f} s, {row['milliseconds']:.1f} ms"
