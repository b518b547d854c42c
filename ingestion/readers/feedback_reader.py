"""The rows that came back from serving, with the columns of the table that they belong to."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ingestion.blobs import blob_path
from ingestion.event_log import is_log
from ingestion.feedback import TARGETS
from ingestion.feedback_places import BLOBS, CORRECTIONS, PICTURE
from ingestion.readers.chunks import Chunk, RowChunk, row_chunks, rows_digest
from ingestion.readers.event_log_reader import EventLogReader
from ingestion.readers.reader import RawRow
from ingestion.sources import TableSource

KEY = "feedback-{}"


class FeedbackReader:
    """The rows of a log of corrections or clicks. `columns` are all of the table; what a row does not have is missing.

    A row that was corrected several times counts once, as it was corrected last. One that no task of the table was told
    of, or not every one, is passed over until it is: it is of no use before.
    """

    def __init__(self, log: Path, source: TableSource, *, columns: Sequence[str]) -> None:
        self._log = log
        self._source = source
        self._empty = dict.fromkeys(columns)

    def header(self) -> frozenset[str]:
        """The columns of the table."""
        return frozenset(self._empty)

    def rows(self) -> Iterator[RawRow]:
        """Every row, known by the line of the log that it was first told of in."""
        if not is_log(self._log):
            return
        lines = enumerate(EventLogReader(self._log).rows(), start=1)
        told = ((number, raw.values) for number, raw in lines if raw.refusal is None)
        found = self._corrections(told) if self._log.name == CORRECTIONS else self._clicks(told)
        for number, values in found:
            kept = {**self._empty, **{name: value for name, value in values.items() if name in self._empty}}
            yield RawRow(self._log.name, number, kept, content=json.dumps(kept, ensure_ascii=False))

    def chunks(self, kinds: Mapping[str, str]) -> Iterator[Chunk]:  # noqa: ARG002 - its rows have the columns already
        """The rows by the chunk; one without rows where there are none, since a table has to have some part."""
        any_rows = False
        for chunk in row_chunks(self._log.name, self.rows()):
            any_rows = True
            yield chunk
        if not any_rows:
            yield RowChunk(self._log.name, rows_digest([]), [])

    def _corrections(self, told: Iterator[tuple[int, Mapping[str, Any]]]) -> Iterator[tuple[int, dict[str, Any]]]:
        merged: dict[str, tuple[int, dict[str, Any]]] = {}
        source = self._source
        for number, line in told:
            name = KEY.format(f"{line['prediction']}-{line['row']}")
            first, values = merged.get(name, (number, {**line["values"], **_named(source.key, name)}))
            values |= {line["target"]: line["label"], **_named(source.time, line["at"])}
            merged[name] = (first, values | _named(source.split, "train"))
        targets = source.options.get(TARGETS) or ()
        for first, values in merged.values():
            if all(values.get(target) is not None for target in targets):  # type: ignore[attr-defined]  # a list
                yield first, {name: self._restored(value) for name, value in values.items()}

    def _clicks(self, told: Iterator[tuple[int, Mapping[str, Any]]]) -> Iterator[tuple[int, dict[str, Any]]]:
        source = self._source
        names = (source.user, source.item, source.weight, source.time)
        for number, line in told:
            values = _named(source.key, KEY.format(line["id"])) | _named(source.split, "train")
            for name, value in zip(names, (line["user"], line["item"], line["event"], line["at"]), strict=True):
                values |= _named(name, value)
            yield number, values

    def _restored(self, value: Any) -> Any:
        """A picture as the path of its blob, any other value as it is."""
        if isinstance(value, dict) and value.keys() == {PICTURE}:
            return str(blob_path(self._log.parent / BLOBS, str(value[PICTURE])))
        return value


def _named(column: str | None, value: Any) -> dict[str, Any]:
    """A column with a value, where the table has such a column."""
    return {} if column is None else {column: value}
