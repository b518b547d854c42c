"""A sheet of paper to write and draw on from the top: matplotlib with inches for coordinates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flows.drawing import INK, QUIET, font_families, new_figure, save_figure
from flows.heat import strengths, tint

LINE = 0.21
WORD_SIZE = 9.5


class Sheet:
    """Everything is placed by its upper left corner, in inches from that of the sheet."""

    def __init__(self, *, width: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.width = width
        self._figure = new_figure(width, 1.0)
        self._figure.set_layout_engine("none")
        self._renderer: Any = FigureCanvasAgg(self._figure).get_renderer()  # type: ignore[no-untyped-call]
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._families = font_families()

    def write(
        self, text: str, *, left: float, top: float, size: float = 9, color: str = INK, weight: str = "normal"
    ) -> float:
        """Write one line; returns where it ends."""
        shown = text.replace("$", r"\$").replace("\n", " ")
        self._axes.text(left, top + LINE / 2, shown, fontsize=size, color=color, fontweight=weight, va="center")
        return left + self.length(text, size=size, weight=weight)

    def tinted(self, pieces: Sequence[tuple[str, float]], *, left: float, top: float, right: float) -> float:
        """Write pieces one after the other over the colours of their weights, in lines; returns the end of the last."""
        from matplotlib.patches import Rectangle

        at, line = left, top
        for (piece, _), strength in zip(pieces, strengths([weight for _, weight in pieces]), strict=True):
            length = self.length(piece, size=WORD_SIZE)
            if at > left and at + length > right:
                at, line = left, line + LINE + 0.03
            if strength:
                seen = self.length(piece.rstrip(), size=WORD_SIZE)
                self._axes.add_patch(
                    Rectangle((at - 0.015, line + 0.01), seen + 0.03, LINE - 0.02, color=tint(strength), linewidth=0)
                )
            self.write(piece, left=at, top=line, size=WORD_SIZE)
            at += length
        return line + LINE

    def picture(self, pixels: np.ndarray, *, left: float, top: float, side: float) -> None:
        """A square picture."""
        self._axes.imshow(pixels, extent=(left, left + side, top + side, top), aspect="auto", interpolation="bilinear")

    def bars(self, shares: dict[str, float], *, left: float, top: float, right: float) -> float:
        """Signed bars with their names and values, to both sides of a line; returns the end of the last."""
        from matplotlib.patches import Rectangle

        names = max(self.length(name, size=8.5) for name in shares) + 0.1
        middle, half = left + names + (right - left - names) / 2, (right - left - names) / 2 - 0.36
        for (name, value), strength in zip(shares.items(), strengths(list(shares.values())), strict=True):
            self.write(name, left=left, top=top, size=8.5)
            reach = half * strength
            self._axes.add_patch(
                Rectangle((min(middle, middle + reach), top + 0.035), abs(reach), LINE - 0.07, color=tint(strength))
            )
            said = f"{value:+.2f}"
            at = middle + reach + 0.04 if strength >= 0 else middle + reach - 0.04 - self.length(said, size=8)
            self.write(said, left=at, top=top, size=8, color=QUIET)
            self._axes.plot([middle, middle], [top, top + LINE], color=QUIET, linewidth=0.7)
            top += LINE
        return top

    def rule(self, *, top: float) -> None:
        """A thin line over the whole width."""
        self._axes.plot([0, self.width], [top, top], color="#dde3e4", linewidth=0.8)

    def length(self, text: str, *, size: float, weight: str = "normal") -> float:
        """How long a text is."""
        from matplotlib.font_manager import FontProperties

        properties = FontProperties(family=self._families, size=size, weight=weight)
        dots, _, _ = self._renderer.get_text_width_height_descent(text, properties, False)  # noqa: FBT003
        return float(dots) / self._figure.dpi

    def save(self, path: Path, *, height: float) -> None:
        """Cut the sheet at this height and write it as PNG."""
        self._figure.set_size_inches(self.width, height)
        self._axes.set(xlim=(0, self.width), ylim=(height, 0))
        save_figure(self._figure, path)
