"""Excel: one sheet of an .xlsx file, whose first row with values names the columns."""

import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import ParseError

import openpyxl
from defusedxml.common import DefusedXmlException
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.workbook import Workbook

from ingestion.readers.excel_sheet import Merged, examine_sheet
from ingestion.readers.reader import RawRow, original_text, refused_row
from ingestion.readers.zip_limits import check_zip
from ingestion.refusals import Refusal, shown
from polyloom.errors import DataError, RequestError, suggestion

ROWS_AT_ONCE = 500
NOT_AVAILABLE = "#N/A"
ERRORS = frozenset({"#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!"})
OLD_FORMAT_MARK = b"\xd0\xcf\x11\xe0"
DAMAGE = (
    zipfile.BadZipFile,
    InvalidFileException,
    ParseError,
    DefusedXmlException,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OSError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)

Cells = tuple[object, ...]


class Row(NamedTuple):
    """A row of a sheet; `uncomputed` is its first cell whose formula has no value."""

    number: int
    cells: Cells
    uncomputed: str | None


class ExcelReader:
    """The rows of one sheet; `sheet` may be left out where only one has values.

    A row has the number that Excel shows. Rows without values are none. A merged cell's value counts for every row
    and column that it spans, a formula's for what Excel last computed, and `#N/A` for a missing value.
    """

    def __init__(self, path: Path, *, sheet: str | None = None) -> None:
        self._path = path
        _check_start(path)
        self._sheet = self._chosen(sheet)
        self._source = f'{path.name}, sheet "{self._sheet}"'

    def header(self) -> frozenset[str]:
        """The columns that the first row with values names."""
        return frozenset(name for name in self._names(next(self._filled(), None)) if name is not None)

    def rows(self) -> Iterator[RawRow]:
        """Every row below the names that has a value."""
        rows = self._filled()
        names = self._names(next(rows, None))
        for row in rows:
            yield self._row(names, row)

    def _row(self, names: Sequence[str | None], row: Row) -> RawRow:
        cells = row.cells + (None,) * (len(names) - len(row.cells))
        values = {
            name: None if value == NOT_AVAILABLE else value
            for name, value in zip(names, cells, strict=False)
            if name is not None
        }
        refusal = _refusal(names, row, cells)
        if refusal is None:
            return RawRow(self._source, row.number, values)
        content = original_text(RawRow(self._source, row.number, values))
        return refused_row(self._source, row.number, refusal, content)

    def _names(self, row: Row | None) -> list[str | None]:
        if row is None:
            raise DataError(f"{self._source} is empty: its first row must name the columns.")
        names = [None if value is None else str(value).strip() or None for value in row.cells]
        for name in names:
            if name is not None and names.count(name) > 1:
                raise DataError(
                    f"{self._source}, row {row.number}: the column {name!r} stands twice. The first row that has "
                    f"values must name the columns, each once; take out a title above them."
                )
        return names

    def _filled(self) -> Iterator[Row]:
        """Each row that has a value or should have one, with merged cells spread out."""
        with damage_named(self._path):
            facts = examine_sheet(self._path, self._sheet)
        merged = Merged(facts.merged)
        for number, cells in enumerate(_sheet_rows(self._path, self._sheet), start=1):
            spread = merged.spread(number, cells)
            uncomputed = facts.uncomputed.get(number)
            if uncomputed or any_value(spread):
                yield Row(number, spread, uncomputed)

    def _chosen(self, sheet: str | None) -> str:
        with opened_workbook(self._path) as book:
            names = [one.title for one in book.worksheets]
            visible = [one.title for one in book.worksheets if one.sheet_state == "visible"]
        if sheet is None:
            return self._only(visible)
        if sheet not in names:
            raise RequestError(
                f"{self._path.name} has no sheet {sheet!r}.{suggestion(sheet, names)} It has {_listed(names)}."
            )
        return sheet

    def _only(self, visible: Sequence[str]) -> str:
        """The one sheet that has values."""
        found = [name for name in visible if any(map(any_value, _sheet_rows(self._path, name)))]
        if not found:
            raise DataError(f"{self._path.name} is empty: no sheet of it has values. Put rows there.")
        if len(found) > 1:
            example = f"{self._path.name}!{found[0]}"
            raise RequestError(
                f"{self._path.name} has more than one sheet with values: {_listed(found)}. "
                f"Name the one you mean, such as {example!r}."
            )
        return found[0]


@contextmanager
def opened_workbook(path: Path) -> Iterator[Workbook]:
    """A workbook whose sheets are streamed. Raises DataError when it proves to be damaged while it is open."""
    with damage_named(path), path.open("rb") as stream:
        check_zip(path)
        with _no_warnings():
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        try:
            yield book
        finally:
            book.close()


@contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """Raises DataError, which names the file, for what openpyxl and zipfile raise over a damaged one."""
    try:
        yield
    except DAMAGE as error:
        said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise DataError(
            f"{path.name} is not a whole Excel file: {said}. Open it in Excel and save it again."
        ) from error


def _refusal(names: Sequence[str | None], row: Row, cells: Cells) -> Refusal | None:
    if row.uncomputed:
        return Refusal(
            "missing_value",
            f"cell {row.uncomputed} holds a formula that was never computed. Open the file in Excel and save it.",
        )
    for position, value in enumerate(cells):
        name = names[position] if position < len(names) else None
        if name is None and value is not None:
            return Refusal("ragged_row", f"{shown(value)} stands in a column that the first row does not name.")
        if isinstance(value, str) and value in ERRORS:
            return Refusal("wrong_type", f"{name!r}: Excel shows the error {value}. Correct the formula and save.")
    return None


def any_value(cells: Cells) -> bool:
    """Whether any cell has a value."""
    return any(value is not None for value in cells)


def _sheet_rows(path: Path, sheet: str) -> Iterator[Cells]:
    with opened_workbook(path) as book:
        worksheet = book[sheet]
        # The stated dimension may be too small; columns would be cut.
        worksheet.reset_dimensions()
        rows = worksheet.iter_rows(values_only=True)
        while True:
            with _no_warnings():
                some = list(islice(rows, ROWS_AT_ONCE))
            if not some:
                return
            yield from some


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Unknown extensions and styles do not concern the values."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_start(path: Path) -> None:
    with path.open("rb") as stream:
        start = stream.read(len(OLD_FORMAT_MARK))
    if not start:
        raise DataError(f"{path.name} is empty: it has 0 bytes. Save the workbook again.")
    if start == OLD_FORMAT_MARK:
        raise DataError(
            f"{path.name} is an old .xls file or is locked with a password. Save it as .xlsx without a password."
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names))
