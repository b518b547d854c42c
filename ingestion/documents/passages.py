"""A document cut into passages: what is searched, cited and shown."""

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ingestion.documents.document import Document
from polyloom.errors import RequestError
from polyloom.sentences import Stretch, sentences

# On the half of XQuAD that chooses, 1,200 found more than 700 and no less than 2,000.
CHARACTERS, OVERLAP = 1200, 200
LEAST_CHARACTERS = 20
ID_LENGTH = 16
PARAGRAPH = re.compile(r"\n[^\S\n]*\n")
BLANK = re.compile(r"\s")
Mark = TypeVar("Mark")


@dataclass(frozen=True)
class Passage:
    """`text` is the document's text from `start` to `end`; `page` counts from 1, `heading` is the one above it."""

    id: str
    source: str
    start: int
    end: int
    text: str
    page: int | None
    heading: str | None


def passages(document: Document, *, characters: int = CHARACTERS, overlap: int = OVERLAP) -> list[Passage]:
    """Passages of at most `characters`, in order: whole sentences, of which the last ones begin the next one too.

    Those repeated have together at most `overlap` characters. None goes on behind a heading, and one that is more
    than half full ends with its paragraph. An id says source and words, not the place: a passage keeps it when another
    part of the document changes, as far as the next such border.

    Raises: RequestError when characters < 20, or overlap is negative or more than half of it.
    """
    check_lengths(characters, overlap)
    seen: Counter[str] = Counter()
    return [
        _passage(document, stretch, seen)
        for section in _sections(document)
        for stretch in _packed(document.text, section, characters=characters, overlap=overlap)
    ]


def check_lengths(characters: int, overlap: int) -> None:
    """Raises: RequestError for lengths of passages that cannot be."""
    if characters < LEAST_CHARACTERS or not 0 <= overlap <= characters // 2:
        raise RequestError(
            f"Passages of {characters} characters with an overlap of {overlap} were asked for; allowed are "
            f"{LEAST_CHARACTERS} characters or more, and an overlap from 0 to half of that."
        )


def _passage(document: Document, stretch: Stretch, seen: Counter[str]) -> Passage:
    text = document.text[stretch.start : stretch.end]
    known = hashlib.sha256(f"{document.source}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()[:ID_LENGTH]
    seen[known] += 1
    return Passage(
        id=known if seen[known] == 1 else f"{known}-{seen[known]}",
        source=document.source,
        start=stretch.start,
        end=stretch.end,
        text=text,
        page=_last(stretch.start, [(page.start, page.number) for page in document.pages]),
        heading=_last(stretch.start, [(heading.start, heading.text) for heading in document.headings]),
    )


def _last(place: int, marks: Sequence[tuple[int, Mark]]) -> Mark | None:
    """What belongs to the last mark that is not behind a place."""
    number = bisect_right([start for start, _ in marks], place)
    return marks[number - 1][1] if number else None


def _sections(document: Document) -> Iterator[Stretch]:
    """The text from heading to heading; headings that follow each other stay together."""
    begin = 0
    for heading in document.headings:
        before = document.text[begin : heading.start]
        if before.strip() and not _only_headings(document, begin, heading.start):
            yield Stretch(begin, heading.start)
            begin = heading.start
    yield Stretch(begin, len(document.text))


def _only_headings(document: Document, begin: int, end: int) -> bool:
    """Whether a stretch says no more than the headings in it."""
    said = "".join(heading.text for heading in document.headings if begin <= heading.start < end)
    return sum(map(str.isalnum, document.text[begin:end])) <= sum(map(str.isalnum, said))


def _packed(text: str, section: Stretch, *, characters: int, overlap: int) -> Iterator[Stretch]:
    """As many sentences at a time as fit."""
    parts = [
        piece
        for start, end in sentences(text[section.start : section.end])
        for piece in _pieces(text, Stretch(section.start + start, section.start + end), characters)
    ]
    first = 0
    while first < len(parts):
        last = _last_fitting(text, parts, first, characters)
        yield Stretch(parts[first].start, parts[last].end)
        if last + 1 == len(parts):
            return
        first = _repeated(parts, first, last, overlap=overlap, characters=characters)


def _last_fitting(text: str, parts: Sequence[Stretch], first: int, characters: int) -> int:
    """The last sentence of the passage that begins with `first`."""
    last = first
    while last + 1 < len(parts) and parts[last + 1].end - parts[first].start <= characters:
        filled = parts[last].end - parts[first].start
        if 2 * filled >= characters and PARAGRAPH.search(text, parts[last].end, parts[last + 1].start):
            break
        last += 1
    return last


def _repeated(parts: Sequence[Stretch], first: int, last: int, *, overlap: int, characters: int) -> int:
    """The sentence with which the next passage begins: it holds at least one that this one does not."""
    begin = last + 1
    while (
        begin - 1 > first
        and parts[last].end - parts[begin - 1].start <= overlap
        and parts[last + 1].end - parts[begin - 1].start <= characters
    ):
        begin -= 1
    return begin


def _pieces(text: str, sentence: Stretch, characters: int) -> Iterator[Stretch]:
    """A sentence, or parts of one that is too long, cut at blanks where there are any."""
    start = sentence.start
    while sentence.end - start > characters:
        window = text[start : start + characters + 1]
        blank = max((match.start() for match in BLANK.finditer(window)), default=0)
        cut = start + (blank or characters)
        yield Stretch(start, cut - len(text[start:cut]) + len(text[start:cut].rstrip()))
        start = cut + len(text[cut : sentence.end]) - len(text[cut : sentence.end].lstrip())
    if start < sentence.end:
        yield Stretch(start, sentence.end)
