"""What is read at once equals what is read row by row, and a chunk that was read before is not read again."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion import tables
from ingestion.readers import json_lines, separated, separated_chunk, stretches
from ingestion.readers.chunks import Chunk, row_chunks, rows_digest
from ingestion.snapshots import open_snapshot, take_snapshot
from ingestion.sources import TableSource

FRACTIONS = {"validation": 0.2, "test": 0.2}
KINDS = {"n": "number", "label": "category", "at": "time", "many": "labels"}
SHORT = st.sampled_from(["", "a", " b ", "中文", "e\u0301", '"', ",", "\n", "\r", "\x07", "😀", "1", "null", "\u3000"])
NUMBER = st.one_of(st.integers(-9, 9), st.floats(), st.sampled_from(["5", " 1.5 ", "x", "NaN", "+3", "1e999", ""]))
TIME = st.sampled_from(["2026-01-31", "2026-01-31T10:00:00Z", "1700000000", "2026-01-31 10:00", "yesterday", "", None])
MANY = st.one_of(st.lists(SHORT, max_size=3), st.sampled_from(["a|b", '["a"]', "", None]))
OBJECT = st.fixed_dictionaries(
    {"id": st.one_of(st.integers(0, 30), SHORT), "text": st.one_of(SHORT, st.text(max_size=6))},
    optional={
        "n": NUMBER,
        "label": st.one_of(SHORT, st.booleans(), st.none()),
        "at": TIME,
        "many": MANY,
        "extra": SHORT,
    },
)
BITS = st.lists(
    st.sampled_from([b'"', b'""', b",", b"\n", b"\r\n", b"\r", b"a", b"\xff", b"1", b"\0", b"\xe4\xb8\xad", b'"a\nb"']),
    max_size=80,
).map(b"".join)


def told(path: Path, name: str) -> tuple[list, list]:
    """What an ingestion keeps and refuses."""
    source = TableSource(name="t", paths={"": path}, key="id", text=("text",), columns=KINDS)
    report = take_snapshot(
        scenario="toy",
        tables=[source],
        store=path.parent / name,
        blobs=path.parent / "blobs",
        max_share=1.0,
        fractions=FRACTIONS,
        seed=1,
        rare_labels={},
    )
    snapshot = open_snapshot(report.folder)
    return [report.id, *snapshot.table("t").to_pylist()], snapshot.quarantine().to_pylist()


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every reader give rows instead of columns."""

    def as_rows(reader, kinds, source):
        return row_chunks(source, reader.rows())

    monkeypatch.setattr(tables, "chunks_of", as_rows)
    monkeypatch.setattr("ingestion.quarantined.chunks_of", as_rows)


def compare(path: Path) -> None:
    at_once = told(path, "at_once")
    with pytest.MonkeyPatch.context() as patch:
        one_by_one(patch)
        by_row = told(path, "by_row")
    assert repr(at_once) == repr(by_row)


@settings(max_examples=100, deadline=None)
@given(objects=st.lists(OBJECT, min_size=1, max_size=12), ascii_only=st.booleans())
def test_jsonl(objects, ascii_only) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "ROWS_READ_ONE_BY_ONE", 1)
        path = Path(folder) / "rows.jsonl"
        fine = {"id": "fine", "text": "fine", "n": 1, "label": "x", "at": "2026-01-01", "many": ["a"]}
        lines = [json.dumps(one, ensure_ascii=ascii_only) for one in (fine, *objects)]
        path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
        compare(path)


@settings(max_examples=200, deadline=None)
@given(body=BITS)
@example(body=b'2,"two\r\nlines",1,x,,\n3,three,2,y,,\n')
@example(body=b'2,a "quoted" word,1,x,,\n\n\n3,"",2,y,2026-01-01,a|b\n')
def test_csv(body) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(separated_chunk, "RECORDS_READ_ONE_BY_ONE", 1)
        path = Path(folder) / "rows.csv"
        path.write_bytes(b"id,text,n,label,at,many\n1,fine,1,x,2026-01-01,a\n" + body)
        compare(path)


@pytest.mark.parametrize("size", [40, 64, 100])
@settings(max_examples=60, deadline=None)
@given(body=BITS)
def test_csv_in_small_chunks(size, body) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(separated, "CHUNK_BYTES", size)
        patch.setattr(separated_chunk, "RECORDS_READ_ONE_BY_ONE", 1)
        path = Path(folder) / "rows.csv"
        path.write_bytes(b"id,text,n,label,at,many\n1,fine,1,x,2026-01-01,a\n" + body + b"\n9,end,1,x,,\n" + body)
        compare(path)


def read_again(monkeypatch: pytest.MonkeyPatch) -> list[Chunk]:
    """The chunks whose rows are asked for from now on."""
    asked: list[Chunk] = []
    of = json_lines.JsonLinesChunk.segments

    def counted(self):
        asked.append(self)
        return of(self)

    monkeypatch.setattr(json_lines.JsonLinesChunk, "segments", counted)
    return asked


def test_only_new_chunks_are_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(stretches, "CHUNK_BYTES", 2000)
    path = tmp_path / "rows.jsonl"
    lines = [
        json.dumps({"id": n, "text": f"row {n}", "n": n, "label": "x", "at": None, "many": None}) + "\n"
        for n in range(400)
    ]
    path.write_text("".join(lines[:300]))
    first = told(path, "store")
    asked = read_again(monkeypatch)
    assert told(path, "store") == first
    assert asked == []
    path.write_text("".join(lines))
    (_, *rows), _ = told(path, "store")
    assert len(rows) == 400
    total = sum(chunk.content.count(b"\n") for chunk in asked)
    assert 100 <= total <= 100 + 2000 // len(lines[0])


def test_other_rules_read_all_again(tmp_path, monkeypatch) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": 1, "text": "a", "n": 1, "label": "x", "at": null, "many": null}\n')
    told(path, "store")
    asked = read_again(monkeypatch)
    monkeypatch.setitem(KINDS, "n", "category")
    told(path, "store")
    assert len(asked) == 1


def test_generic_rows_come_in_chunks_of_the_asked_size() -> None:
    from ingestion.readers.reader import RawRow

    rows = [RawRow("s", number, {"a": number}) for number in range(1, 8)]
    found = list(row_chunks("s", rows, size=3))
    assert [chunk.first for chunk in found] == [1, 4, 7]
    assert len({chunk.digest for chunk in found}) == 3
    assert rows_digest(rows[:3]) == found[0].digest
