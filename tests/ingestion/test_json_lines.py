from pathlib import Path

import pytest

from ingestion.readers.json_lines import JsonLinesReader
from ingestion.sources import TableSource
from polyloom.errors import DataError


@pytest.mark.parametrize(
    ("line", "reason", "message"),
    [
        (b'{"a": 1', "bad_json", "not JSON"),
        (b"[1]", "bad_json", "is not a JSON object"),
        (b"[" * 100_000, "bad_json", "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "bad_json", "not JSON"),
        (b'{"a": "caf\xe9"}', "bad_encoding", "declare the file's own encoding"),
        (b'{"a": "\x00"}', "bad_encoding", "NUL"),
    ],
)
def test_a_broken_line_is_refused_and_the_next_is_read(tmp_path: Path, line: bytes, reason: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 0}\n\n' + line + b'\n{"a": "\xe4\xb8\xad"}\n')
    first, broken, last = JsonLinesReader(path, encoding="utf-8").rows()
    assert (first.values, last.values) == ({"a": 0}, {"a": "中"})
    assert (broken.number, broken.refusal.reason) == (3, reason)
    assert message in broken.refusal.message
    assert broken.content == line.decode(errors="replace").replace("\ufffd", "?")[:100_000]


def test_a_column_that_some_objects_lack_is_missing_there(tmp_path: Path, ingest) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "x", "n": 1}\n{"a": "y"}\n{"a": "\\ud800"}\n')
    report = ingest(TableSource(name="t", paths={"": path}, text=("a",), columns={"n": "number"}))
    assert report.tables["t"].reasons == {"bad_encoding": 1}
    assert report.rows_kept == 2


def test_a_column_that_every_object_lacks_is_an_error(tmp_path: Path, ingest) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "x"}\n')
    with pytest.raises(DataError, match=r"rows.jsonl: no column 'txt'. Columns there: 'text'. Did you mean 'text'?"):
        ingest(TableSource(name="t", paths={"": path}, text=("txt",)))
