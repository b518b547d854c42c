"""CoNLL columns: one token a line, a blank line after each sentence; a row is a sentence."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from ingestion.readers.encodings import checked_codec, encoding_refusal
from ingestion.readers.reader import CONTENT_LIMIT, RawRow, refused_row
from ingestion.refusals import Refusal
from polyloom.errors import DataError, RequestError

DOCUMENT_COLUMN = "document"
DOCUMENT_MARK = "-DOCSTART-"
MAX_TOKENS = 100_000
MAX_LINE_CHARACTERS = 1_000_000
BLANKS = " \t\r\n"
# Not \s: an ideographic space or a no-break space can be a token, or stand in one.
BETWEEN_FIELDS = re.compile(r"[ \t]+")


class ConllReader:
    """The sentences of one file.

    `columns` names the fields of a line, in order; each becomes a list with one value a token. `document` numbers the
    documents, which start at lines whose first field is -DOCSTART-; it is None where no such line came before.
    Fields stand between tabs where a line has one, else between blanks; `separator` fixes it. Lines that start with
    `comment` (CoNLL-U: `#`) are left out; without it no line is, for a token may be `#`.
    """

    def __init__(
        self,
        path: Path,
        *,
        columns: Sequence[str],
        encoding: str = "utf-8",
        separator: str | None = None,
        comment: str | None = None,
    ) -> None:
        self._path = path
        self._columns = _checked_columns(columns)
        self._encoding = encoding
        self._codec = checked_codec(encoding, path)
        self._separator = separator
        self._comment = comment
        if not path.stat().st_size:
            raise DataError(f"{path.name} is empty. Put sentences there: one token a line, a blank line after each.")

    def header(self) -> frozenset[str]:
        """The named columns, and the document's number."""
        return frozenset({*self._columns, DOCUMENT_COLUMN})

    def rows(self) -> Iterator[RawRow]:
        """Every sentence, known by the line it starts on."""
        document: int | None = None
        waiting: list[str] = []
        first = 1
        for number, line in enumerate(self._lines(), start=1):
            marks = line.startswith(DOCUMENT_MARK)
            if marks or not line.strip(BLANKS):
                yield from self._sentence(first, waiting, document)
                waiting, first = [], number + 1
                document = (document or 0) + 1 if marks else document
            elif self._comment and line.startswith(self._comment):
                first += not waiting
            elif len(waiting) <= MAX_TOKENS:
                waiting.append(line)
        yield from self._sentence(first, waiting, document)

    def _lines(self) -> Iterator[str]:
        # newline="\n": str.splitlines would also break at characters that may be tokens.
        with self._path.open(encoding=self._codec, errors="surrogateescape", newline="\n") as stream:
            try:
                while line := stream.readline(MAX_LINE_CHARACTERS):
                    yield line
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self._path.name} cannot be read as {self._encoding}: {error.reason}. "
                    f"Declare the file's own encoding in the scenario."
                ) from error

    def _sentence(self, first: int, lines: list[str], document: int | None) -> Iterator[RawRow]:
        if not lines:
            return
        tokens = [self._fields(line) for line in lines]
        if refusal := self._refusal(first, lines, tokens):
            yield refused_row(self._path.name, first, refusal, "".join(lines[:MAX_TOKENS])[:CONTENT_LIMIT].rstrip())
            return
        values: dict[str, object] = dict(zip(self._columns, map(list, zip(*tokens, strict=True)), strict=True))
        yield RawRow(self._path.name, first, {**values, DOCUMENT_COLUMN: document})

    def _fields(self, line: str) -> list[str]:
        text = line.strip("\r\n")
        if self._separator is not None:
            return text.split(self._separator)
        return text.split("\t") if "\t" in text else BETWEEN_FIELDS.split(text.strip(" "))

    def _refusal(self, first: int, lines: list[str], tokens: list[list[str]]) -> Refusal | None:
        if len(lines) > MAX_TOKENS:
            return Refusal(
                "field_too_large",
                f"the sentence has more than {MAX_TOKENS:,} tokens. Is the blank line after each sentence missing?",
            )
        if refusal := encoding_refusal("".join(lines), self._encoding):
            return refusal
        for position, fields in enumerate(tokens):
            if len(fields) != len(self._columns):
                return Refusal(
                    "ragged_row",
                    f"token {position + 1} of the sentence that starts on line {first} has {len(fields)} fields, "
                    f"but {len(self._columns)} columns are named: {', '.join(self._columns)}.",
                )
        return None


def _checked_columns(columns: Sequence[str]) -> tuple[str, ...]:
    if not columns or len(set(columns)) < len(columns) or DOCUMENT_COLUMN in columns:
        raise RequestError(
            f"columns: {list(columns)} does not name the fields of a line. Name each one once, in order, such as "
            f"[tokens, pos, chunk, tags]; {DOCUMENT_COLUMN!r} is taken by the document's number."
        )
    return tuple(columns)
