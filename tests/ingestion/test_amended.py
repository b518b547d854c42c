"""What people change beside the sources: repaired rows count once, forgotten items stay out."""

from pathlib import Path

import pytest

from ingestion.amendments import amendments_digest
from ingestion.forget import forget
from ingestion.quarantine_export import export_quarantine
from ingestion.quarantine_view import open_quarantine
from ingestion.replaying import replay_again, replay_file
from ingestion.rules import ColumnRule, Rules
from ingestion.snapshots import SnapshotReport, open_snapshot
from ingestion.sources import TableSource

ROWS = "id,text,age\n1,one,10\n2,two,x\n3,three,300\n3,again,30\n4,four,40\n4,late,41\n5,,50\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text(ROWS)
    return tmp_path / "rows.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "snapshots/toy"


def source(path: Path, **given) -> TableSource:
    rules = Rules(columns={"age": ColumnRule(maximum=120)})
    return TableSource(
        name="t", paths={"": path}, key="id", text=("text",), columns={"age": "number"}, rules=rules, **given
    )


def counts(report: SnapshotReport) -> tuple[int, int, dict[str, int]]:
    table = report.tables["t"]
    snapshot = open_snapshot(report.folder)
    assert snapshot.table("t").num_rows == table.rows_kept
    assert snapshot.quarantine().num_rows == table.rows_quarantined
    assert table.rows_in == table.rows_kept + table.rows_quarantined == table.rows_available
    return table.rows_in, table.rows_kept, dict(table.reasons)


def repair(folder: Path, into: Path, **changes: str) -> None:
    """Export the quarantine, change texts in it, replay it."""
    export_quarantine(open_quarantine(folder), into)
    text = into.read_text(encoding="utf-8-sig")
    for before, after in changes.values():
        assert before in text
        text = text.replace(before, after)
    into.write_text(text)
    replay_file(folder, into)


def test_a_repaired_row_leaves_quarantine_and_counts_once(ingest, path, folder, tmp_path) -> None:
    first = ingest(source(path))
    assert counts(first) == (7, 3, {"duplicate_key": 1, "empty_text": 1, "out_of_range": 1, "wrong_type": 1})
    unamended = amendments_digest(folder)
    repair(folder, tmp_path / "refused.csv", age=(",2,two,x", ",2,two,20"), key=(",4,late,41", ",6,late,41"))
    assert amendments_digest(folder) != unamended
    second = ingest(source(path))
    assert counts(second) == (7, 5, {"empty_text": 1, "out_of_range": 1})
    rows = {row["id"]: row for row in open_snapshot(second.folder).table("t").to_pylist()}
    assert (rows["2"]["age"], rows["2"]["_source"], rows["2"]["_row"]) == (20.0, "rows.csv (replayed)", 3)
    assert (rows["6"]["text"], rows["4"]["text"]) == ("late", "four")
    assert ingest(source(path)).id == second.id
    replay_file(folder, tmp_path / "refused.csv")
    assert ingest(source(path)).id == second.id


def test_a_repaired_row_that_is_still_wrong_goes_back_with_its_new_reason(ingest, path, folder, tmp_path) -> None:
    ingest(source(path))
    repair(folder, tmp_path / "refused.csv", age=(",2,two,x", ",2,two,999"), key=(",4,late,41", ",1,late,41"))
    assert counts(ingest(source(path))) == (7, 3, {"duplicate_key": 1, "empty_text": 1, "out_of_range": 2})
    repair(folder, tmp_path / "again.csv", age=(",2,two,999", ",2,two,99"))
    assert counts(ingest(source(path))) == (7, 4, {"duplicate_key": 1, "empty_text": 1, "out_of_range": 1})


def test_a_source_that_was_repaired_itself_needs_no_replay(ingest, path, folder, tmp_path) -> None:
    ingest(source(path))
    repair(folder, tmp_path / "refused.csv", age=(",2,two,x", ",2,two,20"))
    path.write_text(ROWS.replace("2,two,x", "2,two,22"))
    report = ingest(source(path))
    assert counts(report)[:2] == (7, 4)
    rows = {row["id"]: row for row in open_snapshot(report.folder).table("t").to_pylist()}
    assert (rows["2"]["age"], rows["2"]["_source"]) == (22.0, "rows.csv")


def test_rows_as_they_are_pass_once_the_rules_allow_them(ingest, path, folder) -> None:
    ingest(source(path))
    replay_again(folder, open_quarantine(folder).select(reason="out_of_range"))
    assert counts(ingest(source(path)))[2]["out_of_range"] == 1


def test_the_sample_of_a_table_with_repaired_rows_keeps_its_size(ingest, path, folder, tmp_path) -> None:
    sampled = source(path, sample={"train": 2})
    before = ingest(sampled).tables["t"]
    export_quarantine(open_quarantine(folder), tmp_path / "refused.csv")
    text = (tmp_path / "refused.csv").read_text(encoding="utf-8-sig").replace(",2,two,x", ",2,two,20")
    (tmp_path / "refused.csv").write_text(text)
    replay_file(folder, tmp_path / "refused.csv")
    assert ingest(sampled).tables["t"].rows_in == before.rows_in


def test_a_forgotten_item_stays_out_of_later_ingestions(ingest, path, folder, tmp_path) -> None:
    ingest(source(path))
    forget(folder, ["4"], blobs=tmp_path / "blobs", references={})
    path.write_text(ROWS + "6,six,60\n")
    report = ingest(source(path))
    assert counts(report)[0] == 6
    assert report.tables["t"].rows_forgotten == 2
    assert "4" not in open_snapshot(report.folder).table("t").column("id").to_pylist()
    assert "4" not in open_snapshot(report.folder).quarantine().column("key").to_pylist()
