"""Documents in a folder, or one file; a row is a passage, in the order of the documents and of their text."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ingestion.documents.document import Document, read_document
from ingestion.documents.passages import CHARACTERS, OVERLAP, Passage, check_lengths, passages
from ingestion.readers.chunks import Segment
from ingestion.readers.reader import RawRow, refused_row
from ingestion.refusals import Refusal
from ingestion.watched import is_meant
from polyloom.durable import file_digest
from polyloom.errors import DataError, RequestError

COLUMNS = ("passage", "document", "title", "heading", "text", "start", "end", "page")
PATTERN = "**/*"
# Raised whenever the same document gives other passages than before.
EDITION = 1


@dataclass(frozen=True)
class Cut:
    """How long passages are, and how much of one may begin the next, in characters."""

    characters: int
    overlap: int


class DocumentsReader:
    """The passages of every document below a folder whose path fits the pattern, or of one file.

    Columns: `passage` (an id that follows from document and words), `document` (its path below the folder), `title`
    (its first heading) and `heading` (the nearest above), None without one, `text`, `start` and `end` (its characters
    in the document's text) and `page` (from 1, None but in a PDF). A document that cannot be read is one refused row.
    """

    def __init__(
        self, path: Path, *, pattern: str = PATTERN, characters: int = CHARACTERS, overlap: int = OVERLAP
    ) -> None:
        check_lengths(characters, overlap)
        check_pattern(pattern)
        self._path = path
        self._pattern = pattern
        self._cut = Cut(characters, overlap)

    def header(self) -> frozenset[str]:
        """The eight columns."""
        return frozenset(COLUMNS)

    def rows(self) -> Iterator[RawRow]:
        """Every passage, and each document that cannot be read."""
        for file, name in self._files():
            yield from document_rows(file, name, self._cut)

    def chunks(self, kinds: Mapping[str, str]) -> Iterator["DocumentChunk"]:
        """A chunk for each document: one whose bytes are as before is not read again."""
        del kinds
        for file, name in self._files():
            yield DocumentChunk(file, name, self._cut)

    def _files(self) -> list[tuple[Path, str]]:
        """The documents with their paths below the folder, sorted by these. Raises: DataError where there is none."""
        if not self._path.exists():
            raise RequestError(f"path: there is no {self._path}. Check the path, or put the documents there.")
        if not self._path.is_dir():
            return [(self._path, self._path.name)]
        below = [file.relative_to(self._path) for file in self._path.glob(self._pattern) if file.is_file()]
        found = sorted(one.as_posix() for one in below if is_meant(one))
        if not found:
            raise DataError(
                f"{self._path} holds no document that fits the pattern {self._pattern!r}. Put documents there, or "
                "correct the pattern."
            )
        # A name that is no text is told with question marks.
        return [(self._path / name, name.encode(errors="replace").decode()) for name in found]


@dataclass(frozen=True)
class DocumentChunk:
    """One document; it is read when its rows are asked for."""

    path: Path
    source: str
    cut: Cut

    @property
    def digest(self) -> str:
        """A hash of its bytes and of how it is cut."""
        try:
            content = file_digest(self.path)
        except OSError as error:
            content = str(error.strerror)
        told = f"{EDITION}\0{self.cut}\0{content}"
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def first(self) -> int:
        """The number of the first passage."""
        return 1

    @property
    def stretch(self) -> None:
        """It is no stretch of lines."""

    def segments(self) -> Iterator[Segment]:
        """Its passages."""
        yield list(document_rows(self.path, self.source, self.cut))


def document_rows(path: Path, name: str, cut: Cut) -> Iterator[RawRow]:
    """The passages of one document, or one refused row that says why it cannot be read."""
    try:
        document = read_document(path, source=name)
    except (DataError, RequestError) as error:
        yield refused(name, str(error).removeprefix(f"{path}: "))
        return
    except OSError as error:
        yield refused(name, f"it cannot be opened ({error.strerror}). Give yourself the right to read it.")
        return
    title = document.headings[0].text if document.headings else None
    for number, one in enumerate(passages(document, characters=cut.characters, overlap=cut.overlap), start=1):
        yield RawRow(name, number, passage_row(document, one, title))


def refused(name: str, why: str) -> RawRow:
    """A document as one row that cannot be read."""
    return refused_row(name, 1, Refusal("document_unreadable", f"{name}: {why}"), name)


def passage_row(document: Document, passage: Passage, title: str | None) -> dict[str, object]:
    """A passage as a row."""
    return {
        "passage": passage.id,
        "document": document.source,
        "title": title,
        "heading": passage.heading,
        "text": passage.text,
        "start": passage.start,
        "end": passage.end,
        "page": passage.page,
    }


def check_pattern(pattern: str) -> None:
    """Raises: RequestError for a pattern that leads out of the folder, or is none."""
    path = Path(pattern)
    if not pattern.strip() or path.is_absolute() or ".." in path.parts:
        raise RequestError(
            f"pattern: {pattern!r} does not name files below the folder. Write one such as '**/*' or 'terms/*.pdf'."
        )
