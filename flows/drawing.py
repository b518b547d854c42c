"""What all pictures share: figure, title, colours, fonts, saving.

Chinese labels are drawn with the first font of `CHINESE_FONTS` that is installed. Without any they come
out as empty boxes, silently: install one (on Debian and Ubuntu `fonts-noto-cjk`) and delete matplotlib's
font cache (`~/.cache/matplotlib`). No global matplotlib state is used, so that threads may draw at once.
"""

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from polyloom.durable import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A .ttc file is known under its first face, which is the Japanese one for Noto Sans CJK.
CHINESE_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Noto Sans CJK JP",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "SimHei",
    "Microsoft YaHei",
    "PingFang SC",
    "PingFang HK",
    "Hiragino Sans GB",
    "Heiti TC",
    "STHeiti",
    "Arial Unicode MS",
    "Droid Sans Fallback",
)
DOTS_PER_INCH = 130

INK, QUIET, PAPER = "#1f2933", "#7b8794", "#ffffff"
RIGHT, WRONG, MARK = "#1f6f8b", "#c8553d", "#e0a030"
TOO_SURE, UNSURE = "#ecc0b6", "#a9cbd6"


def short_label(label: str, longest: int = 34) -> str:
    """A label without mathematics (a dollar sign starts some) that fits beside the matrix."""
    text = label.replace("$", r"\$")
    return text if len(text) <= longest else text[: longest - 1] + "…"


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure; width and height in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained", facecolor=PAPER)


def plain_axes(axes: "Axes") -> None:
    """Axes with few lines, so that what is drawn stands out."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#cbd2d9")
    axes.grid(axis="y", color="#eef0f3", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.xaxis.label.set(color=QUIET, fontsize=10)
    axes.yaxis.label.set(color=QUIET, fontsize=10)


def legend(axes: "Axes", place: Literal["upper left", "upper right"]) -> None:
    """What the colours mean, over the drawing."""
    axes.legend(loc=place, fontsize=9, labelcolor=INK, facecolor=PAPER, edgecolor=PAPER, framealpha=0.9)


def heading(axes: "Axes", title: str, note: str) -> None:
    """The title, and a quiet line below it."""
    axes.set_title(short_label(title, 60), loc="left", fontsize=13, color=INK, fontweight="bold", pad=22)
    place_text(axes, note, down=-17, size=9, color=QUIET)


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a PNG file in one step, the same bytes for the same drawing."""
    from matplotlib.text import Text

    families = font_families()
    for text in figure.findobj(Text):
        text.set_fontfamily(families)
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from", category=UserWarning)
        figure.savefig(content, format="png", bbox_inches="tight", pad_inches=0.15, metadata={"Software": None})
    replace_file(path, content.getvalue())


def font_families() -> list[str]:
    """Latin letters as everywhere in matplotlib; what that font lacks comes from the Chinese one."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *[name for name in CHINESE_FONTS if name in installed][:1]]


def place_text(
    axes: "Axes", text: str, *, down: float, size: float, color: str, right: float = 0, weight: str = "normal"
) -> None:
    """Write a text at a distance in points from the upper left corner, whatever the size of the axes."""
    axes.annotate(
        text,
        (0, 1),
        xycoords="axes fraction",
        xytext=(right, -down),
        textcoords="offset points",
        fontsize=size,
        color=color,
        fontweight=weight,
        va="top",
    )
