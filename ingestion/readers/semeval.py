"""Sentences with two marked nominals and their relation, as SemEval-2010 task 8 writes them; a row is a sentence."""

import re
from collections.abc import Iterator
from pathlib import Path

from ingestion.readers.encodings import checked_codec, encoding_refusal
from ingestion.readers.reader import CONTENT_LIMIT, RawRow, refused_row
from ingestion.refusals import Refusal
from polyloom.errors import DataError

COLUMNS = ("id", "sentence", "relation", "comment")
NUMBERED = re.compile(r'([^\t]+)\t\s*"(.*)"\s*', re.DOTALL)
COMMENT = "Comment:"
MAX_LINES = 50
MAX_LINE_CHARACTERS = 1_000_000


class SemevalReader:
    """The blocks of one file: `id<TAB>"sentence"`, the relation, `Comment: …`, a blank line.

    Columns: `id`, `sentence` with its `<e1>…</e1>` and `<e2>…</e2>` and without the quotes around it, `relation` (None
    where the block has none, as in the task's unlabelled test file) and `comment`. A row's number is its first line's.
    """

    def __init__(self, path: Path, *, encoding: str = "utf-8") -> None:
        self._path = path
        self._encoding = encoding
        self._codec = checked_codec(encoding, path)
        if not path.stat().st_size:
            raise DataError(f'{path.name} is empty. Put blocks there: 1<TAB>"a sentence", its relation, a blank line.')

    def header(self) -> frozenset[str]:
        """The four columns."""
        return frozenset(COLUMNS)

    def rows(self) -> Iterator[RawRow]:
        """Every block, known by the line that it starts on."""
        waiting: list[str] = []
        first = 1
        for number, line in enumerate(self._lines(), start=1):
            if line.strip():
                waiting += [line] if len(waiting) <= MAX_LINES else []
                continue
            yield from self._block(first, waiting)
            waiting, first = [], number + 1
        yield from self._block(first, waiting)

    def _lines(self) -> Iterator[str]:
        # newline="\n": other line ends may stand in a sentence.
        with self._path.open(encoding=self._codec, errors="surrogateescape", newline="\n") as stream:
            try:
                while line := stream.readline(MAX_LINE_CHARACTERS):
                    yield line
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{self._path.name} cannot be read as {self._encoding}: {error.reason}. "
                    f"Declare the file's own encoding in the scenario."
                ) from error

    def _block(self, first: int, lines: list[str]) -> Iterator[RawRow]:
        if not lines:
            return
        found = NUMBERED.fullmatch(lines[0].strip("\r\n"))
        refusal = encoding_refusal("".join(lines), self._encoding) or self._refusal(first, lines)
        if refusal or not found:
            why = refusal or Refusal(
                "ragged_row",
                f'line {first} is not a number, a tab and a sentence in quotes, such as 1<TAB>"a sentence".',
            )
            yield refused_row(self._path.name, first, why, "".join(lines)[:CONTENT_LIMIT].rstrip())
            return
        rest = [line.strip() for line in lines[1:]]
        comments = [line.removeprefix(COMMENT).strip() for line in rest if line.startswith(COMMENT)]
        relations = [line for line in rest if not line.startswith(COMMENT)]
        values = (found[1].strip(), found[2], next(iter(relations), None), next(iter(comments), None))
        content = "".join(lines).rstrip()
        yield RawRow(self._path.name, first, dict(zip(COLUMNS, values, strict=True)), content=content)

    def _refusal(self, first: int, lines: list[str]) -> Refusal | None:
        others = [line for line in lines[1:] if not line.startswith(COMMENT)]
        if len(others) <= 1 and len(lines) <= len(COLUMNS) - 1:
            return None
        return Refusal(
            "ragged_row",
            f"the block that starts on line {first} has {len(lines)} lines or more: a sentence, a relation, a comment "
            "and what else? Is the blank line after it missing?",
        )
