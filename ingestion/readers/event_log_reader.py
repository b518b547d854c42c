"""An event log's rows: whole lines that an append finished, and no others."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ingestion.event_log import STATE_FILE, Segment, is_log, segments
from ingestion.readers.chunks import Chunk
from ingestion.readers.json_lines import JsonLinesStretch, json_row
from ingestion.readers.reader import RawRow
from ingestion.readers.stretches import stretches
from polyloom.errors import DataError


class EventLogReader:
    """The rows of a folder that `ingestion.event_log.append` writes; it may grow meanwhile."""

    def __init__(self, folder: Path) -> None:
        if not is_log(folder):
            raise DataError(
                f"{folder.name} is empty: it is no event log yet. Write rows with ingestion.event_log.append."
            )
        self._folder = folder

    def header(self) -> None:
        """Only the rows themselves tell."""

    def rows(self) -> Iterator[RawRow]:
        """Every row, oldest first, known by its segment and its line there."""
        for segment in self._segments():
            with segment.path.open("rb") as stream:
                for number, line in enumerate(stream, start=1):
                    if stream.tell() > segment.size:
                        break
                    if not line.isspace():
                        text = line.decode("utf-8", "surrogateescape")
                        yield json_row(segment.path.name, number, text, encoding="utf-8")

    def chunks(self, kinds: Mapping[str, str]) -> Iterator[Chunk]:
        """The rows by the chunk; `kinds` are the declared columns."""
        for segment in self._segments():
            for stretch in stretches(segment.path, end=segment.size):
                yield JsonLinesStretch(segment.path.name, stretch, kinds)

    def _segments(self) -> list[Segment]:
        """What there is to read. Raises DataError where the log's own note cannot be read."""
        try:
            return list(segments(self._folder))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self._folder.name}: {STATE_FILE} cannot be read ({error}). Bring it back from a copy of the log."
            ) from error
