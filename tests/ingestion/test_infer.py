"""An inferred scenario is loaded, ingested as it stands, and says what each guess rests on."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.assembly import table_sources
from flows.scenario_file import load_data_scenario
from ingestion.infer import infer
from ingestion.snapshots import open_snapshot
from polyloom.errors import DataError, RequestError


def write_csv(path: Path, names, rows, *, separator=",", encoding="utf-8"):
    with path.open("w", newline="", encoding=encoding) as stream:
        csv.writer(stream, delimiter=separator).writerows([names, *rows])
    return path


def toys(count: int = 100):
    return [
        [n, f"a fine {('red', 'blue')[n % 2]} kite {n}", n / 4, ("red", "blue")[n % 2], f"2026-01-{n % 28 + 1:02}"]
        for n in range(count)
    ]


NAMES = ["id", "title", "price", "colour", "sold"]


@pytest.fixture
def ingested(tmp_path, ingest):
    """Write an inferred scenario beside nothing, load it, and ingest what it names."""

    def run(inferred):
        path = tmp_path / "inferred.yaml"
        path.write_text(inferred.text, encoding="utf-8")
        loaded = load_data_scenario(str(path))
        assert yaml.safe_load(inferred.text)["data"] == {inferred.name: inferred.data}
        return ingest(*table_sources(loaded.scenario, beside=tmp_path), max_share=0.05)

    return run


def test_a_table_is_described_and_ingested_as_it_stands(tmp_path, ingested):
    inferred = infer(write_csv(tmp_path / "My Toys-2.csv", NAMES, toys()))
    assert inferred.name == "my_toys_2"
    assert inferred.complete
    assert inferred.rows_read == 100
    assert {word: inferred.data[word] for word in ("key", "text", "columns", "checks", "required")} == {
        "key": "id",
        "text": ["title"],
        "columns": {"price": "number", "colour": "category", "sold": "time"},
        "checks": {"colour": {"allowed": ["red", "blue"]}},
        "required": ["title", "price", "colour", "sold"],
    }
    lines = inferred.text.splitlines()
    assert lines[0] == "# Proposed by `polyloom ingest --infer` for My Toys-2.csv, from all 100 rows."
    assert "    key: id    # 'id' has a value in every row that was read, and none twice" in lines
    assert "      colour: category    # 2 different values in 100 rows, such as 'red'" in lines
    assert "    #   price: {min: 0.0, max: 24.75}    the range that was seen" in lines
    report = ingested(inferred)
    assert (report.rows_in, report.rows_kept) == (100, 100)


def test_encoding_and_separator_are_found(tmp_path, ingested):
    rows = [[n, f"这是第{n}个问题，我想知道什么时候可以收到我的新卡", "卡"] for n in range(60)]
    inferred = infer(write_csv(tmp_path / "问题.csv", ["id", "问题", "类"], rows, separator=";", encoding="gb18030"))
    assert (inferred.name, inferred.data["encoding"], inferred.data["separator"]) == ("data", "gb18030", ";")
    assert inferred.reasons["separator"] == "the first line holds it 2 times"
    assert inferred.data["text"] == ["问题"]
    assert ingested(inferred).rows_kept == 60


def test_only_the_first_rows_are_read_and_the_text_says_so(tmp_path, ingested):
    rows = [*toys(50), [50, "new", "", "green", ""]]
    inferred = infer(write_csv(tmp_path / "toys.csv", NAMES, rows), rows=50)
    assert not inferred.complete
    assert "from the first 50 rows." in inferred.text
    report = ingested(inferred)
    assert (report.rows_in, report.rows_kept) == (51, 50)


def test_json_lines_with_lists_and_mappings(tmp_path, ingested):
    path = tmp_path / "rows.jsonl"
    rows = [{"uid": f"u{n}", "tags": ["a", "b"][: n % 3], "nested": {"x": 1}, "split": "train"} for n in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    inferred = infer(path)
    assert (inferred.data["key"], inferred.data["split"], inferred.data["columns"]) == (
        "uid",
        "split",
        {"tags": "labels"},
    )
    assert "# left out: nested: holds dict values, which have no column kind" in inferred.text
    assert ingested(inferred).rows_kept == 30


def test_pictures_in_parquet_and_in_folders(tmp_path, ingested, picture):
    rows = pa.table({"id": list(range(20)), "photo": [picture("red")] * 20, "label": ["a", "b"] * 10})
    pq.write_table(rows, tmp_path / "photos.parquet")
    inferred = infer(tmp_path / "photos.parquet")
    assert (inferred.data["image"], inferred.data["key"]) == ("photo", "id")
    assert ingested(inferred).rows_kept == 20
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        (tmp_path / "pets" / name / "1.png").write_bytes(picture(kind="PNG"))
    folder = infer(tmp_path / "pets")
    assert folder.data == {"kind": "pictures", "path": str(tmp_path / "pets"), "required": ["label"]}
    assert folder.reasons["kind"] == "a folder of 2 pictures in 2 class folders: cat, dog"
    report = ingested(folder)
    assert set(open_snapshot(report.folder).table("pets")["label"].to_pylist()) == {"cat", "dog"}


def test_paths_of_pictures_count_only_where_pictures_are(tmp_path, ingested, picture):
    path = write_csv(tmp_path / "photos.csv", ["id", "photo"], [[n, f"pictures/{n}.png"] for n in range(5)])
    inferred = infer(path)
    assert "image" not in inferred.data
    assert "# left out: photo: holds paths of pictures such as 'pictures/0.png', but no such file lies" in inferred.text
    (tmp_path / "pictures").mkdir()
    for number in range(5):
        (tmp_path / "pictures" / f"{number}.png").write_bytes(picture())
    inferred = infer(path)
    assert inferred.data["image"] == "photo"
    assert ingested(inferred).rows_kept == 5


def test_refused_rows_do_not_stand_in_the_way(tmp_path, ingested):
    path = write_csv(tmp_path / "toys.csv", NAMES, toys())
    path.write_text(path.read_text() + "ragged,row\n")
    report = ingested(infer(path))
    assert (report.rows_kept, report.rows_in) == (100, 101)


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("no.csv", None, RequestError, "there is no .*no.csv. Check the path"),
        ("a.csv", "id,title\n", DataError, "a.csv holds no row that can be read"),
        ("a.jsonl", "nonsense\n", DataError, "a.jsonl holds no row that can be read"),
        ("a.parquet", "nonsense\n", DataError, "a.parquet is not a readable Parquet file"),
    ],
)
def test_what_cannot_be_inferred(tmp_path, name, content, error, message):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(error, match=message):
        infer(tmp_path / name)


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match=r"holds no pictures\. Name a file with a table"):
        infer(tmp_path)


names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8) | st.sampled_from(
    ["yes", "null", "1", "a: b", "# x", "'", '"', "- a", "{", "on", "是", "2026-01-01", "~", "*a", "a,b"]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(names, min_size=1, max_size=4, unique=True), names)
def test_any_names_and_values_stay_what_they_are_in_yaml(tmp_path, columns, value):
    path = tmp_path / "rows.jsonl"
    rows = [dict.fromkeys(columns, one) for one in (value, "other") * 10]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    inferred = infer(path)
    assert yaml.safe_load(inferred.text)["data"] == {"rows": inferred.data}
