"""How the pages look: one style sheet, and the few pieces that every page uses."""

import contextlib
import html
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import streamlit as st

from ui import service

STYLE = Path(__file__).with_name("style.css")
LOGO = Path(__file__).with_name("logo.svg").read_text(encoding="utf-8")
ACCENT = "#1f6f6b"
METRICS = {
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "ece": "calibration error",
    "ece_uncalibrated": "before calibration",
    "nll": "log loss",
}

STATES = {
    "done": "good",
    "completed": "good",
    "running": "busy",
    "pending": "busy",
    "scheduled": "busy",
    "failed": "bad",
    "crashed": "bad",
    "interrupted": "bad",
    "refused": "bad",
}


def head(title: str, lead: str) -> None:
    """A page's title and one sentence on what it is for."""
    st.title(title, anchor=False)
    st.html(f'<p class="pl-lead">{html.escape(lead)}</p>')


@contextlib.contextmanager
def kindly() -> Iterator[None]:
    """Show polyloom's own errors as a sentence: what was asked wrongly in amber, what is broken in red."""
    try:
        yield
    except service.RequestError as error:
        st.warning(plain(str(error)), icon=":material/info:")
    except service.PolyloomError as error:
        st.error(plain(str(error)), icon=":material/error:")


def plain(text: str) -> str:
    """Text that Markdown leaves as it is."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]()#+-.!|~$:<>" else letter for letter in text)


def title(text: str, spans: Sequence[tuple[int, int]] = (), *, is_big: bool = False) -> str:
    """A card's title, with stretches of it marked."""
    return f'<div class="pl-title{" pl-big" if is_big else ""}">{marked(text, spans)}</div>'


def body(text: str, spans: Sequence[tuple[int, int]] = ()) -> str:
    """A card's longer text, with stretches of it marked."""
    return f'<p class="pl-body">{marked(text, spans)}</p>'


def marked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """A text as HTML in which stretches, in order and apart from each other, are marked."""
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    pieces = [html.escape(text[start:end]) for start, end in pairwise(edges)]
    return "".join(f'<mark class="pl-hit">{piece}</mark>' if place % 2 else piece for place, piece in enumerate(pieces))


def quiet(text: str) -> str:
    """A line of small grey text."""
    return f'<div class="pl-quiet">{html.escape(text)}</div>'


def state(word: str) -> str:
    """A run's state as a coloured word."""
    return f'<span class="pl-state pl-{STATES.get(word, "calm")}">{html.escape(word)}</span>'


def chips(pairs: Sequence[tuple[str, str]]) -> str:
    """Short facts beside each other."""
    inner = "".join(
        f'<span class="pl-chip">{html.escape(name)} <b>{html.escape(value)}</b></span>' for name, value in pairs
    )
    return f'<div class="pl-row">{inner}</div>'


def figures(pairs: Sequence[tuple[str, str]]) -> str:
    """A row of figures, each under its name."""
    inner = "".join(
        f'<div class="pl-figure"><span>{html.escape(name)}</span>'
        f"<b{'' if value[:1].isdigit() else ' class=pl-word'}>{html.escape(value)}</b></div>"
        for name, value in pairs
    )
    return f'<div class="pl-figures">{inner}</div>'


def bars(shares: dict[str, float]) -> str:
    """Shares of 1 as horizontal bars, in the order given; the first is the best."""
    rows = "".join(
        f'<div class="pl-name">{html.escape(name)}</div><div class="pl-track"><div class="pl-fill'
        f'{" pl-best" if place == 0 else ""}" style="width:{100 * share:.1f}%"></div></div>'
        f'<div class="pl-value">{100 * share:.1f}%</div>'
        for place, (name, share) in enumerate(shares.items())
    )
    return f'<div class="pl-bars">{rows}</div>'


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A plain table of text."""
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    lines = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="pl-wide"><table class="pl-table"><tr>{heads}</tr>{lines}</table></div>'


def metric(name: str) -> str:
    """A metric's name as words; `category.macro_f1` is "category · macro F1"."""
    *task, last = name.split(".")
    return " · ".join([*(part.replace("_", " ") for part in task), METRICS.get(last, last.replace("_", " "))])


def number(value: float) -> str:
    """A figure of a metric: three decimals, counts whole."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) > 1 else f"{value:.3f}"


def ago(moment: datetime | None) -> str:
    """How long ago something was, in one unit."""
    if moment is None:
        return "not yet"
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{seconds:.1f} s" if seconds < 10 else f"{rest} s" if not minutes else f"{minutes} min {rest} s"
