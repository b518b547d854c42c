"""Personal data is masked in quarantine as it is in kept rows, and what is exported can be replayed."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ingestion.masking import Masking
from ingestion.personal import Personal
from ingestion.quarantine_export import export_quarantine
from ingestion.quarantine_view import open_quarantine
from ingestion.replaying import replay_file
from ingestion.snapshots import open_snapshot
from ingestion.sources import TableSource
from polyloom.errors import QuarantineError

MAIL, PHONE = "ada@example.org", "13812345678"


@pytest.fixture
def source(tmp_path: Path) -> TableSource:
    rows = [
        {"id": PHONE, "text": f"write to {MAIL}", "price": "dear", "note": MAIL},
        {"id": "twice", "text": "fine", "price": 1, "note": ""},
        {"id": "twice", "text": f"call {PHONE}", "price": 1, "note": ""},
        {"id": "kept", "text": f"write to {MAIL}", "price": 1, "note": ""},
        {"id": "list", "text": [MAIL], "price": 1, "note": ""},
    ]
    lines = [json.dumps(row) for row in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join([*lines, f'{{"id": "broken", "text": "{MAIL}']) + "\n")
    return TableSource(
        name="t",
        paths={"": tmp_path / "rows.jsonl"},
        key="id",
        text=("text",),
        columns={"price": "number", "note": "category"},
        mask=("mail", "phone"),
    )


def stored(folder: Path) -> str:
    """Everything that lies below a folder, as text."""
    tables = [str(pq.read_table(path).to_pylist()) for path in folder.rglob("*.parquet")]
    return "".join([*tables, *(path.read_text() for path in folder.rglob("*.json*"))])


def test_originals_are_masked_where_kept_rows_are(ingest, source: TableSource) -> None:
    report = ingest(source)
    snapshot = open_snapshot(report.folder)
    assert snapshot.table("t")["text"].to_pylist() == ["fine", "write to [mail]"]
    wrong, twice, listed, broken = snapshot.quarantine().to_pylist()
    assert json.loads(wrong["content"]) == {"id": PHONE, "text": "write to [mail]", "price": "dear", "note": MAIL}
    assert (wrong["key"], wrong["reason"]) == (PHONE, "wrong_type")
    assert json.loads(twice["content"])["text"] == "call [phone]"
    assert json.loads(listed["content"])["text"] == ["[mail]"]
    assert MAIL not in listed["message"]
    assert broken["content"] == '{"id": "broken", "text": "[mail]'


@pytest.fixture
def only_texts(source: TableSource) -> None:
    """The same source without personal data beside its texts, where it would stay."""
    path = source.paths[""]
    content = path.read_text().replace(f'"note": "{MAIL}"', '"note": ""')
    path.write_text(content.replace(f'"id": "{PHONE}"', '"id": "a"'))


@pytest.mark.usefixtures("only_texts")
def test_nothing_of_the_text_column_is_stored(ingest, source: TableSource, tmp_path: Path) -> None:
    ingest(source)
    for secret in (MAIL, PHONE):
        assert secret not in stored(tmp_path / "snapshots")
    with pytest.raises(QuarantineError):
        ingest(source, max_share=0.1)
    assert MAIL not in stored(tmp_path / "snapshots")


def test_without_a_mask_the_original_stays(ingest, source: TableSource) -> None:
    plain = TableSource(name="t", paths=source.paths, key="id", text=("text",), columns=source.columns)
    report = ingest(plain)
    contents = open_snapshot(report.folder).quarantine()["content"].to_pylist()
    assert (
        contents
        == source.paths[""].read_text().splitlines()[:1]
        + source.paths[""].read_text().splitlines()[2:3]
        + (source.paths[""].read_text().splitlines()[4:])
    )


def repaired(tmp_path: Path, **cells: str) -> Path:
    """An export of the row whose price is wrong, with other cells."""
    folder, path = tmp_path / "snapshots/toy", tmp_path / "repaired.csv"
    export_quarantine(open_quarantine(folder).select(reason="wrong_type"), path)
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["id"] == "a"]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows([{**row, **cells} for row in rows])
    return path


@pytest.mark.usefixtures("only_texts")
def test_a_masked_row_is_repaired_twice(ingest, source: TableSource, tmp_path: Path) -> None:
    ingest(source)
    folder = tmp_path / "snapshots/toy"
    assert replay_file(folder, repaired(tmp_path, text=f"write to {MAIL} now")).replayed == 1
    assert MAIL not in stored(folder)
    ingest(source)
    (again,) = [row for row in open_quarantine(folder) if row.key == "a"]
    assert (again.reason, again.source) == ("wrong_type", "rows.jsonl (replayed)")
    assert again.values["text"] == "write to [mail] now"
    assert replay_file(folder, repaired(tmp_path, price="7")).replayed == 1
    report = ingest(source)
    rows = {row["_key"]: row for row in open_snapshot(report.folder).table("t").to_pylist()}
    assert (rows["a"]["text"], rows["a"]["price"]) == ("write to [mail] now", 7.0)
    assert "a" not in [row.key for row in open_quarantine(folder)]


@pytest.mark.usefixtures("only_texts")
def test_what_masking_alone_would_change_is_no_repair(ingest, source: TableSource, tmp_path: Path) -> None:
    ingest(source)
    report = replay_file(tmp_path / "snapshots/toy", repaired(tmp_path, text=f"write to {MAIL}"))
    assert (report.replayed, report.unchanged) == (0, 1)


def test_masked_parts_are_read_again_by_another_process(ingest, source: TableSource) -> None:
    assert ingest(source).tables["t"].parts_reused == 0
    assert ingest(source).tables["t"].parts_reused == 1
    # An address in memory in a part's name would be another one in another process.
    assert repr(Personal(mask={"phone", "mail"})) == "Personal(mask=['mail', 'phone'])"


def test_only_what_is_personal_changes_a_line() -> None:
    mask = Masking(kinds=("mail",), columns=("text",))
    assert mask.content('{ "text":  "no mail" }') == '{ "text":  "no mail" }'
    assert mask.content(f'{{ "text":  "{MAIL}", "n": 1e3 }}') == '{"text": "[mail]", "n": 1000.0}'
    assert mask.content('{"text": "\\ud800 a@b.io"}') == '{"text": "? [mail]"}'
    assert mask.content(f"1;{MAIL};x") == "1;[mail];x"
