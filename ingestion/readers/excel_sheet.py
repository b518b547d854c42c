"""What a stream of an Excel sheet's values does not tell: merged cells, and formulas that were never computed."""

import posixpath
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from defusedxml import ElementTree

from polyloom.durable import CHUNK_BYTES

# A formula has at most 8,192 characters, so no cell that holds one is longer than this.
LONGEST_CELL_BYTES = 1 << 16
MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="\$?([A-Z]+)\$?(\d+):\$?([A-Z]+)\$?(\d+)"')
UNCOMPUTED = re.compile(
    rb"<(?:\w+:)?c\s([^>]*)>\s*<(?:\w+:)?f(?:\s[^>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
PLACE = re.compile(rb'\br="([A-Z]+)(\d+)"')
EMPTY_TEXT = b't="str"'


class Span(NamedTuple):
    """A merged cell: its rows and columns, from 1, both ends included."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int


class SheetFacts(NamedTuple):
    """The merged cells of a sheet, and by row the first cell whose formula has no value."""

    merged: tuple[Span, ...]
    uncomputed: Mapping[int, str]


@dataclass
class Active:
    """A merged cell that the current row lies in."""

    span: Span
    value: object


class Merged:
    """Gives the value of a merged cell to each cell that it spans, row after row."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._starting: dict[int, list[Span]] = defaultdict(list)
        for span in spans:
            self._starting[span.first_row].append(span)
        self._active: list[Active] = []

    def spread(self, number: int, cells: tuple[object, ...]) -> tuple[object, ...]:
        """The cells of row `number`; rows come in ascending order."""
        self._active = [one for one in self._active if one.span.last_row >= number]
        for span in self._starting.get(number, ()):
            place = span.first_column - 1
            self._active.append(Active(span, cells[place] if place < len(cells) else None))
        if not self._active:
            return cells
        spread = list(cells)
        for span, value in ((one.span, one.value) for one in self._active):
            if value is not None:
                spread += [None] * (span.last_column - len(spread))
                spread[span.first_column - 1 : span.last_column] = [value] * (span.last_column - span.first_column + 1)
        return tuple(spread)


def examine_sheet(path: Path, sheet: str) -> SheetFacts:
    """Read the XML of a sheet once, in blocks. Raises KeyError, BadZipFile or ParseError where the file is damaged."""
    merged: set[Span] = set()
    uncomputed: dict[int, str] = {}
    with zipfile.ZipFile(path) as archive:
        for text in _blocks(archive, _part(archive, sheet)):
            for found in MERGED.findall(text):
                merged.add(Span(int(found[1]), _column(found[0]), int(found[3]), _column(found[2])))
            for attributes in UNCOMPUTED.findall(text):
                place = PLACE.search(attributes)
                if place and EMPTY_TEXT not in attributes:
                    uncomputed.setdefault(int(place[2]), (place[1] + place[2]).decode())
    return SheetFacts(tuple(sorted(merged)), uncomputed)


def _blocks(archive: zipfile.ZipFile, part: str) -> Iterator[bytes]:
    """The text of a part; blocks overlap, so that each cell is whole in one of them."""
    tail = b""
    with archive.open(part) as stream:
        while block := stream.read(CHUNK_BYTES):
            yield tail + block
            tail = block[-LONGEST_CELL_BYTES:]


def _part(archive: zipfile.ZipFile, sheet: str) -> str:
    """The name of the file in the archive that holds a sheet."""
    book = _related(archive, "", "officeDocument")[0]
    for element in ElementTree.fromstring(archive.read(book)).iter():
        if element.tag.endswith("}sheet") and element.get("name") == sheet:
            wanted = next(value for name, value in element.items() if name.endswith("}id"))
            return next(target for one, target in _relations(archive, book) if one == wanted)
    raise KeyError(sheet)


def _related(archive: zipfile.ZipFile, part: str, kind: str) -> list[str]:
    root = ElementTree.fromstring(archive.read(_relations_of(part)))
    return [_resolved(part, one.get("Target", "")) for one in root if one.get("Type", "").endswith(f"/{kind}")]


def _relations(archive: zipfile.ZipFile, part: str) -> list[tuple[str, str]]:
    root = ElementTree.fromstring(archive.read(_relations_of(part)))
    return [(one.get("Id", ""), _resolved(part, one.get("Target", ""))) for one in root]


def _relations_of(part: str) -> str:
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _resolved(part: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", posixpath.dirname(part), target)).lstrip("/")


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number
