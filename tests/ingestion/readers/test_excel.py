import datetime as dt
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from ingestion.readers import zip_limits
from ingestion.readers.excel import ExcelReader
from polyloom.errors import DataError, RequestError


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., Path]:
    def make(*fills: Callable[[Worksheet], None], name: str = "prices.xlsx") -> Path:
        book = openpyxl.Workbook()
        book.remove(book.active)
        for number, fill in enumerate(fills, start=1):
            fill(book.create_sheet(f"Sheet{number}"))
        book.save(tmp_path / name)
        return tmp_path / name

    return make


def rows_of(*rows: list[object]) -> Callable[[Worksheet], None]:
    def fill(sheet: Worksheet) -> None:
        for row in rows:
            sheet.append(row)

    return fill


def rewritten(path: Path, change: Callable[[str], str], part: str = "xl/worksheets/sheet1.xml") -> Path:
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content[part] = change(content[part].decode()).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return path


def outcomes(path: Path) -> list[tuple[int, object]]:
    return [(row.number, row.refusal.reason if row.refusal else dict(row.values)) for row in ExcelReader(path).rows()]


def test_types_empty_rows_and_rows_above(book: Callable[..., Path]) -> None:
    when, day = dt.datetime.fromisoformat("2026-01-31T12:30:00"), dt.datetime.fromisoformat("2026-02-01")
    path = book(
        rows_of([], ["名称", "price", "sold", "at"], ["鞋", 12.5, True, when], [], [" x ", 3, False, day], [None, 4])
    )
    assert outcomes(path) == [
        (3, {"名称": "鞋", "price": 12.5, "sold": True, "at": when}),
        (5, {"名称": " x ", "price": 3, "sold": False, "at": day}),
        (6, {"名称": None, "price": 4, "sold": None, "at": None}),
    ]


def test_merged_cells_count_for_every_row_they_span(book: Callable[..., Path]) -> None:
    def fill(sheet: Worksheet) -> None:
        rows_of(["kind", "name", "a", "b"], ["shoe", "one", 1, None], [None, "two", 2, 3], ["hat", "three", 4, 5])(
            sheet
        )
        sheet.merge_cells("A2:A3")
        sheet.merge_cells("C2:D2")

    assert [values for _, values in outcomes(book(fill))] == [
        {"kind": "shoe", "name": "one", "a": 1, "b": 1},
        {"kind": "shoe", "name": "two", "a": 2, "b": 3},
        {"kind": "hat", "name": "three", "a": 4, "b": 5},
    ]


def test_a_formula_counts_for_what_excel_computed(book: Callable[..., Path]) -> None:
    path = book(rows_of(["a", "b"], [1, "=A2*2"], [3, "=A3*2"]))
    path = rewritten(
        path,
        lambda text: text.replace("<f>A2*2</f><v></v>", "<f>A2*2</f><v>2</v>").replace(
            "<f>A2*2</f><v />", "<f>A2*2</f><v>2</v>"
        ),
    )
    assert outcomes(path) == [(2, {"a": 1, "b": 2}), (3, "missing_value")]
    refused = list(ExcelReader(path).rows())[1]
    assert refused.refusal.message.startswith("cell B3 holds a formula that was never computed.")
    assert '"a": 3' in refused.content


def test_errors_of_excel_and_values_without_a_name(book: Callable[..., Path]) -> None:
    path = book(rows_of(["a", "b", None], [1, "#N/A"], [2, "#DIV/0!"], [3, "x", "stray"], [4, "y"]))
    assert outcomes(path) == [
        (2, {"a": 1, "b": None}), (3, "wrong_type"), (4, "ragged_row"), (5, {"a": 4, "b": "y"}),
    ]  # fmt: skip


def test_the_stated_dimension_may_be_wrong(book: Callable[..., Path]) -> None:
    path = rewritten(book(rows_of(["a", "b"], [1, 2])), lambda text: text.replace('ref="A1:B2"', 'ref="A1"'))
    assert outcomes(path) == [(2, {"a": 1, "b": 2})]


def test_which_sheet(book: Callable[..., Path]) -> None:
    def hidden(sheet: Worksheet) -> None:
        sheet.append(["secret"])
        sheet.sheet_state = "hidden"

    one = book(rows_of(["a"], [1]), rows_of(), hidden)
    assert outcomes(one) == [(2, {"a": 1})]
    assert ExcelReader(one, sheet="Sheet3").header() == {"secret"}
    two = book(rows_of(["a"], [1]), rows_of(["b"], [2]))
    with pytest.raises(
        RequestError, match=r"more than one sheet with values: 'Sheet1', 'Sheet2'. .*'prices.xlsx!Sheet1'"
    ):
        ExcelReader(two)
    assert next(ExcelReader(two, sheet="Sheet2").rows()).source == 'prices.xlsx, sheet "Sheet2"'
    with pytest.raises(RequestError, match=r"has no sheet 'Shet2'. Did you mean 'Sheet2'\? It has 'Sheet1', 'Sheet2'"):
        ExcelReader(two, sheet="Shet2")


def test_a_title_above_the_names(book: Callable[..., Path]) -> None:
    def fill(sheet: Worksheet) -> None:
        rows_of(["Prices of 2026", None], ["a", "b"], [1, 2])(sheet)
        sheet.merge_cells("A1:B1")

    with pytest.raises(
        DataError, match=r"row 1: the column 'Prices of 2026' stands twice. .*take out a title above them"
    ):
        ExcelReader(book(fill)).header()


def test_only_names_are_no_rows(book: Callable[..., Path]) -> None:
    assert outcomes(book(rows_of(["a", "b"]))) == []
    with pytest.raises(DataError, match=r"prices.xlsx is empty: no sheet of it has values"):
        ExcelReader(book(rows_of(), rows_of()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "prices.xlsx is empty: it has 0 bytes"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" * 100,
            "is an old .xls file or is locked with a password. Save it as .xlsx",
        ),
        (b"a,b\n1,2\n", "is not a whole Excel file: File is not a zip file. Open it in Excel and save it again"),
    ],
)
def test_what_is_no_workbook(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "prices.xlsx").write_bytes(content)
    with pytest.raises(DataError, match=message):
        ExcelReader(tmp_path / "prices.xlsx")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: '<!DOCTYPE x [<!ENTITY e "e">]>' + text.replace("<sheetData>", "<sheetData>&e;"),
        lambda text: text.replace('<c r="A2"', '<c r="A2" t="s"').replace("<v>1</v>", "<v>999</v>"),
    ],
    ids=["cut", "entity", "text that is not there"],
)
def test_damage_inside(book: Callable[..., Path], change: Callable[[str], str]) -> None:
    path = rewritten(book(rows_of(["a", "b"], [1, 2])), change)
    with pytest.raises(DataError, match=r"prices.xlsx is not a whole Excel file: .*save it again"):
        outcomes(path)


def test_a_workbook_that_unpacks_to_too_much(book: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_limits, "RATIO_COUNTS_FROM_BYTES", 1000)
    path = rewritten(book(rows_of(["a"], [1])), lambda text: text + " " * 100)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/bomb.xml", b" " * 50_000_000)
    with pytest.raises(DataError, match=r"prices.xlsx unpacks to more than 250 times its size, like a zip bomb"):
        ExcelReader(path)
