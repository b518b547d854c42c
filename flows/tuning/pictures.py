"""Pictures of a search: its course, what mattered, and with two objectives the front between them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flows.drawing import MARK, QUIET, RIGHT, heading, legend, new_figure, plain_axes, save_figure, short_label

Result = Mapping[str, Any]


def draw(folder: Path, result: Result) -> list[Path]:
    """Draw what there is to draw; gives the files."""
    found = [course(folder / "course.png", result)]
    if result["importance"]:
        found.append(importance(folder / "importance.png", result))
    if "latency" in result["own"]:
        found.append(front(folder / "front.png", result))
    return found


def course(path: Path, result: Result) -> Path:
    """Each trial's metric, the best so far, and the scenario's own settings."""
    figure = new_figure(7.2, 3.6)
    axes = figure.subplots()
    known = [
        (number, trial["metric"]) for number, trial in enumerate(result["trials"], 1) if trial["metric"] is not None
    ]
    if known:
        places, values = np.array([place for place, _ in known]), np.array([value for _, value in known])
        axes.plot(places, values, "o", color=RIGHT, markersize=5, label="a trial")
        axes.step(places, np.maximum.accumulate(values), where="post", color=RIGHT, linewidth=1.2, label="best so far")
    axes.axhline(result["own"]["metric"], color=MARK, linewidth=1.4, label="the scenario's own settings")
    axes.set(xlabel="trial", ylabel=f"{result['metric']}, validation rows", xlim=(0, len(result["trials"]) + 1))
    plain_axes(axes)
    figure.legend(loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    given_up = sum(trial["state"] == "given up" for trial in result["trials"])
    heading(axes, f"{result['scenario']}: tuning", f"{len(result['trials'])} trials, {given_up} given up early")
    save_figure(figure, path)
    return path


def importance(path: Path, result: Result) -> Path:
    """How much of the differences between trials each setting explains."""
    shares = dict(sorted(result["importance"].items(), key=lambda entry: entry[1]))
    figure = new_figure(6.4, 1.3 + 0.4 * len(shares))
    axes = figure.subplots()
    axes.barh([short_label(name) for name in shares], list(shares.values()), color=RIGHT, height=0.62)
    axes.set(xlabel="share of the differences", xlim=(0, 1))
    plain_axes(axes)
    axes.grid(visible=False, axis="y")
    heading(axes, f"{result['scenario']}: what mattered", f"for {result['metric']}, by PED-ANOVA")
    save_figure(figure, path)
    return path


def front(path: Path, result: Result) -> Path:
    """Metric against latency; trials on the front are those that no other one beats in both."""
    figure = new_figure(6.4, 4.2)
    axes = figure.subplots()
    known = [trial for trial in result["trials"] if trial["metric"] is not None]
    axes.plot([t["latency"] for t in known], [t["metric"] for t in known], "o", color=QUIET, label="a trial")
    best = sorted((each["values"]["latency"], each["values"]["metric"]) for each in result["best"])
    axes.plot([x for x, _ in best], [y for _, y in best], "o-", color=RIGHT, label="not beaten in both")
    axes.plot(result["own"]["latency"], result["own"]["metric"], "D", color=MARK, label="the scenario's own settings")
    axes.set(xlabel="milliseconds for one row, median", ylabel=f"{result['metric']}, validation rows")
    plain_axes(axes)
    legend(axes, "upper left")
    heading(axes, f"{result['scenario']}: metric against latency", f"{len(result['trials'])} trials")
    save_figure(figure, path)
    return path
