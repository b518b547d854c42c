"""The text of an HTML page as a reader sees it (by BeautifulSoup): no scripts, no menus, nothing hidden."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ingestion.documents.decoding import plain
from polyloom.errors import DataError

if TYPE_CHECKING:
    from bs4 import Tag
    from bs4.element import PageElement

DROPPED = frozenset(
    (
        "script",
        "style",
        "noscript",
        "template",
        "nav",
        "head",
        "svg",
        "iframe",
        "object",
        "canvas",
        "button",
        "select",
        "textarea",
        "math",
        "audio",
        "video",
    )
)
BLOCKS = frozenset(
    (
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "li",
        "main",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
    )
)
HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
CELLS = frozenset(("td", "th"))
HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
BLANKS = re.compile(r"\s+")
Event = tuple[Literal["text", "start", "end"], str]


def html_text(content: bytes, path: Path) -> tuple[str, list[tuple[int, str]]]:
    """The text, blocks apart by a blank line, and each heading with its place in it.

    Raises: DataError naming `path` for what cannot be parsed.
    """
    from bs4 import BeautifulSoup
    from bs4.exceptions import ParserRejectedMarkup

    try:
        page = BeautifulSoup(content, "html.parser")
    except (ParserRejectedMarkup, AssertionError, RecursionError) as error:
        raise DataError(f"{path}: this HTML cannot be parsed ({error}). Save the page again.") from error
    writer = Writer()
    for kind, value in _events(page):
        writer.take(kind, value)
    return writer.text, writer.headings


class Writer:
    """Puts pieces together; of breaks and blanks in a row the strongest stands."""

    def __init__(self) -> None:
        self.headings: list[tuple[int, str]] = []
        self._parts: list[str] = []
        self._length = 0
        self._gap = ""
        self._heading: int | None = None

    @property
    def text(self) -> str:
        """What was written so far."""
        return "".join(self._parts)

    def take(self, kind: str, value: str) -> None:
        """One piece of text, or the start or the end of an element."""
        if kind == "text":
            self._write(plain(value))
        elif value in BLOCKS:
            if kind == "end" and value in HEADINGS and self._heading is not None:
                self._end_heading()
            self._widen("\n\n")
            self._heading = len(self._parts) if kind == "start" and value in HEADINGS else self._heading
        elif value == "br":
            self._widen("\n")
        elif value in CELLS and kind == "start":
            self._widen("\t")

    def _write(self, value: str) -> None:
        if value[:1].isspace():
            self._widen(" ")
        words = BLANKS.sub(" ", value).strip()
        if words:
            piece = (self._gap if self._length else "") + words
            self._parts.append(piece)
            self._length += len(piece)
            self._gap = ""
            if value[-1:].isspace():
                self._widen(" ")

    def _widen(self, gap: str) -> None:
        self._gap = max(self._gap, gap, key=("", " ", "\t", "\n", "\n\n").index)

    def _end_heading(self) -> None:
        """Note the heading that has just been written."""
        said = "".join(self._parts[self._heading :])
        if said.strip():
            self.headings.append((self._length - len(said.lstrip()), said.strip()))
        self._heading = None


def _events(page: "Tag") -> Iterator[Event]:
    """A page in order, without recursion: nesting may be as deep as somebody likes."""
    from bs4.element import NavigableString, PreformattedString, Tag

    waiting: list[PageElement | str] = [page]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Tag):
            if one.name not in DROPPED and not _is_hidden(one):
                yield "start", one.name
                waiting.append(Closing(one.name))
                waiting.extend(reversed(one.contents))
        elif isinstance(one, Closing):
            yield "end", str(one)
        elif isinstance(one, NavigableString) and not isinstance(one, PreformattedString):
            yield "text", str(one)


class Closing(str):
    """The name of an element that is over."""

    __slots__ = ()


def _is_hidden(tag: "Tag") -> bool:
    """Whether a reader does not see it: what is hidden there was not written for readers."""
    return tag.has_attr("hidden") or bool(HIDDEN.search(str(tag.get("style", ""))))
