"""What policies would bring by a log of exposures, drawn with their intervals; PNG files."""

from pathlib import Path

from flows.drawing import INK, QUIET, RIGHT, heading, new_figure, plain_axes, save_figure
from releases.exploring_report import ExposureReport


def policies_picture(path: Path, report: ExposureReport, *, title: str) -> None:
    """Draw each policy's estimated reward a choice and its 95% interval; one that the log does not tell is named so."""
    figure = new_figure(7.0, 1.4 + 0.5 * len(report.policies))
    axes = figure.subplots()
    plain_axes(axes)
    axes.grid(axis="x", color="#eef0f3", linewidth=0.8)
    for place, one in enumerate(report.policies):
        if one.value is None or one.low is None or one.high is None:
            axes.text(0.02, place, one.notes[0], transform=axes.get_yaxis_transform(), va="center", color=QUIET, size=9)
            continue
        axes.plot([one.low, one.high], [place, place], color=RIGHT, linewidth=2)
        axes.plot([one.value], [place], "o", color=RIGHT, markersize=6)
    axes.set_yticks(range(len(report.policies)), [one.policy for one in report.policies], color=INK)
    axes.set_ylim(len(report.policies) - 0.5, -0.5)
    axes.set_xlabel("reward a choice")
    heading(axes, title, f"{report.explored.shown:,} explored places, {report.users:,} users, 95% intervals")
    save_figure(figure, path)
