"""Documents as rows: passages with their places, and documents that cannot be read beside good ones."""

import zipfile
from pathlib import Path

import pytest

from ingestion.readers.choice import files_of, open_reader
from ingestion.readers.documents import COLUMNS, DocumentsReader
from ingestion.snapshots import open_snapshot
from ingestion.sources import TableSource
from polyloom.errors import DataError, RequestError
from tests.ingestion.conftest import ingest  # noqa: F401
from tests.ingestion.documents.test_document import pdf

DELIVERY = "# Delivery\n\nStandard delivery takes two days.\n\n## Costs\n\nIt costs 4.90.\n"
CUT = {"pattern": "**/*", "characters": 1200, "overlap": 200}
KINDS = {
    "document": "category",
    "title": "text",
    "heading": "text",
    "start": "number",
    "end": "number",
    "page": "number",
}


def source(path: Path, **options: object) -> TableSource:
    return TableSource(
        name="handbook",
        paths={"": path},
        kind="documents",
        key="passage",
        text=("text",),
        columns=KINDS,
        options={**CUT, **options},
    )


def folder_of(folder: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def test_passages_with_their_places(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", delivery_md=DELIVERY, more__terms_pdf=pdf(["One page.", "Returns are free."]))
    rows = list(DocumentsReader(folder).rows())
    told = [tuple(row.values[name] for name in ("document", "title", "heading", "page")) for row in rows]
    assert told == [
        ("delivery.md", "Delivery", "Delivery", None),
        ("delivery.md", "Delivery", "Costs", None),
        ("more/terms.pdf", None, None, 1),
    ]
    assert all(set(row.values) == set(COLUMNS) for row in rows)
    first = rows[1].values
    assert DELIVERY[first["start"] : first["end"]] == first["text"] == "## Costs\n\nIt costs 4.90."


def test_a_snapshot_keeps_the_good_ones_and_says_why_others_are_not(tmp_path: Path, ingest) -> None:  # noqa: F811
    folder = folder_of(
        tmp_path / "in",
        delivery_md=DELIVERY,
        locked_pdf=pdf(["x"], password="secret"),
        empty_txt="",
        broken_pdf=b"%PDF-1.4 and nothing",
        scan_pdf=pdf([""]),
        notes_docx=b"PK",
        hidden_md="x",
    )
    (folder / "hidden.md").rename(folder / ".hidden.md")
    report = ingest(source(folder))
    snapshot = open_snapshot(report.folder)
    assert snapshot.table("handbook")["document"].to_pylist() == ["delivery.md"] * 2
    refused = {row["source"]: (row["reason"], row["message"]) for row in snapshot.quarantine().to_pylist()}
    assert {reason for reason, _ in refused.values()} == {"document_unreadable"}
    for name, why in (
        ("locked.pdf", "locked.pdf: this PDF is encrypted"),
        ("empty.txt", "empty.txt: the file is empty"),
        ("broken.pdf", "broken.pdf: this PDF is damaged"),
        ("scan.pdf", "scan.pdf: none of its 1 pages has text"),
        ("notes.docx", "notes.docx: '.docx' tells no kind of document"),
    ):
        assert why in refused.pop(name)[1]
    assert not refused
    assert (report.rows_in, report.rows_kept, report.rows_quarantined) == (7, 2, 5)


def test_only_a_document_that_changed_is_read_again(tmp_path: Path, ingest) -> None:  # noqa: F811
    folder = folder_of(tmp_path / "in", a_md=DELIVERY, b_md="# Other\n\nText.")
    first = ingest(source(folder))
    (folder / "b.md").write_text("# Other\n\nOther text.")
    (folder / "c.md").write_text("A new one.")
    second = ingest(source(folder))
    assert (second.tables["handbook"].parts, second.tables["handbook"].parts_reused) == (3, 1)
    keys = [set(open_snapshot(one.folder).table("handbook")["_key"].to_pylist()) for one in (first, second)]
    assert len(keys[0] & keys[1]) == 2
    shorter = ingest(source(folder, characters=20, overlap=0))
    assert shorter.rows_kept > second.rows_kept


def test_places_hold_in_what_is_kept(tmp_path: Path, ingest) -> None:  # noqa: F811
    folder = folder_of(tmp_path / "in", a_txt="\x07" + "Cafe\u0301s are open.\fThe shop is closed. " * 40)
    report = ingest(source(folder, characters=100, overlap=0))
    for row in open_snapshot(report.folder).table("handbook").to_pylist():
        assert row["end"] - row["start"] == len(row["text"])


def test_an_archive_one_file_and_a_pattern(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "home"))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("handbook/a.md", DELIVERY)
        archive.writestr("handbook/terms/b.txt", "Text.")
    given = source(tmp_path / "all.zip")
    (folder,) = files_of(given, tmp_path / "all.zip")
    assert {row.source for row in open_reader(given, folder, columns=[]).rows()} == {"a.md", "terms/b.txt"}
    assert {row.source for row in DocumentsReader(folder, pattern="terms/*").rows()} == {"terms/b.txt"}
    assert {row.source for row in DocumentsReader(folder / "a.md").rows()} == {"a.md"}
    with zipfile.ZipFile(tmp_path / "none.zip", "w"):
        pass
    with pytest.raises(DataError, match=r"none\.zip holds no documents"):
        files_of(given, tmp_path / "none.zip")


def test_an_empty_folder_and_patterns_that_mean_nothing(tmp_path: Path, ingest) -> None:  # noqa: F811
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(DataError, match=r"in holds no document that fits the pattern '\*\*/\*'"):
        ingest(source(folder))
    for pattern in ("../*", "/etc/*", " "):
        with pytest.raises(RequestError, match="does not name files below the folder"):
            DocumentsReader(folder, pattern=pattern)
    with pytest.raises(RequestError, match="an overlap of 900"):
        DocumentsReader(folder, overlap=900)
    with pytest.raises(RequestError, match="there is no"):
        ingest(source(tmp_path / "nowhere"))
