"""Documents as plain text: PDF, HTML, Markdown and text files, with their pages and headings."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from polyloom.errors import DataError, RequestError

DocumentKind = Literal["pdf", "html", "markdown", "text"]
ENDINGS: Mapping[str, DocumentKind] = {
    ".pdf": "pdf",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".text": "text",
    "": "text",
}
KINDS: tuple[DocumentKind, ...] = ("pdf", "html", "markdown", "text")
MOST_BYTES = 64 << 20
MOST_CHARACTERS = 20_000_000
FENCE = re.compile(r" {0,3}(```|~~~)")
HASHES = re.compile(r" {0,3}#{1,6}[ \t]+(?P<text>.*?)[ \t]*#*[ \t]*$")
UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")


class Page(NamedTuple):
    """A page by its number from 1 on, and the characters of the text that stand on it."""

    number: int
    start: int
    end: int


class Heading(NamedTuple):
    """A heading and where it begins in the text."""

    start: int
    text: str


class Document(NamedTuple):
    """A document's whole text; what `pages` and `headings` name are places in it. Only a PDF has pages."""

    source: str
    kind: DocumentKind
    text: str
    pages: tuple[Page, ...] = ()
    headings: tuple[Heading, ...] = ()


def read_document(path: Path | str, *, kind: DocumentKind | None = None, source: str | None = None) -> Document:
    """The document in a file, whose ending tells its kind unless `kind` does; `source` is the file's name if None.

    Raises:
        RequestError: there is no such file, or no such kind.
        DataError: it is empty, too large, damaged, encrypted, or has no text; the message names the file.
    """
    path = Path(path)
    found = _kind(path, kind)
    read = {"pdf": _pdf, "html": _html, "markdown": _markdown, "text": _text}[found]
    document = read(_content(path), path, source or path.name)
    if not document.text.strip():
        raise DataError(f"{path}: there is no text in it. Leave it out, or give a document with text.")
    if len(document.text) > MOST_CHARACTERS:
        raise DataError(f"{path}: it has {len(document.text):,} characters, allowed are {MOST_CHARACTERS:,}. Split it.")
    return document


def _kind(path: Path, kind: DocumentKind | None) -> DocumentKind:
    if kind is not None and kind not in KINDS:
        raise RequestError(f"kind: {kind!r} is no kind of document; there are {', '.join(KINDS)}.")
    found = kind or ENDINGS.get(path.suffix.lower())
    if found is None:
        known = ", ".join(ending for ending in ENDINGS if ending)
        raise RequestError(f"{path}: {path.suffix!r} tells no kind of document. Known are {known}; or give `kind`.")
    return found


def _content(path: Path) -> bytes:
    """A file's bytes, when they are not too many."""
    if not path.is_file():
        raise RequestError(f"{path}: there is no such file. Check the path.")
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise DataError(f"{path}: it has {size:,} bytes, allowed are {MOST_BYTES:,}. Split it.")
    if not size:
        raise DataError(f"{path}: the file is empty. Leave it out, or write it again.")
    return path.read_bytes()


def _pdf(content: bytes, path: Path, source: str) -> Document:
    from ingestion.documents.pdf_text import PAGE_BREAK, pdf_pages

    texts = pdf_pages(content, path)
    pages, place = [], 0
    for number, text in enumerate(texts, start=1):
        pages.append(Page(number, place, place + len(text)))
        place += len(text) + len(PAGE_BREAK)
    return Document(source, "pdf", PAGE_BREAK.join(texts), pages=tuple(pages))


def _html(content: bytes, path: Path, source: str) -> Document:
    from ingestion.documents.html_text import html_text

    text, headings = html_text(content, path)
    return Document(source, "html", text, headings=tuple(Heading(*one) for one in headings))


def _markdown(content: bytes, path: Path, source: str) -> Document:
    text = _decoded(content, path)
    return Document(source, "markdown", text, headings=tuple(markdown_headings(text)))


def _text(content: bytes, path: Path, source: str) -> Document:
    return Document(source, "text", _decoded(content, path))


def _decoded(content: bytes, path: Path) -> str:
    from ingestion.documents.decoding import decoded

    return decoded(content, path)


def markdown_headings(text: str) -> list[Heading]:
    """The headings of Markdown, with hashes before them or a line below; none in code."""
    found: list[Heading] = []
    place, before, fence = 0, "", ""
    for line in text.splitlines(keepends=True):
        opened = FENCE.match(line)
        if opened and fence in {"", opened[1]}:
            fence = "" if fence else opened[1]
        elif not fence:
            marked = HASHES.match(line.rstrip("\r\n"))
            if marked and marked["text"]:
                found.append(Heading(place, marked["text"]))
            elif UNDERLINE.match(line.rstrip("\r\n")) and before.strip() and not HASHES.match(before.rstrip("\r\n")):
                found.append(Heading(place - len(before), before.strip()))
        place, before = place + len(line), "" if fence or opened else line
    return found
