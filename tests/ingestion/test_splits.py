from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.snapshots import open_snapshot
from ingestion.sources import TableSource
from ingestion.splits import split_of, stratified_sample

FRACTIONS = {"validation": 0.1, "test": 0.2}


def write(path: Path, rows: list[str], header: str = "id,text") -> Path:
    path.write_text("\n".join([header, *rows, ""]))
    return path


def splits(folder: Path) -> dict[str, str]:
    table = open_snapshot(folder).table("t")
    return dict(zip(table.column("_key").to_pylist(), table.column("_split").to_pylist(), strict=True))


def test_fractions_are_met() -> None:
    counts = Counter(split_of(str(number), seed=7, fractions=FRACTIONS) for number in range(20_000))
    assert counts["validation"] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert counts["test"] / 20_000 == pytest.approx(0.2, abs=0.01)


def test_another_seed_is_another_split() -> None:
    drawn = [[split_of(str(number), seed=seed, fractions=FRACTIONS) for number in range(50)] for seed in (1, 2)]
    assert drawn[0] != drawn[1]


@pytest.mark.parametrize("key", ["id", None])
def test_no_row_moves_when_rows_are_added_before_and_after(tmp_path: Path, ingest, key: str | None) -> None:
    rows = [f"k{number},text {number}" for number in range(200)]
    path = write(tmp_path / "rows.csv", rows[50:150])
    source = TableSource(name="t", paths={"": path}, key=key, text=("text",))
    before = splits(ingest(source).folder)
    write(path, rows)
    after = splits(ingest(source).folder)
    assert len(after) == 200
    assert before.items() <= after.items()
    assert set(after.values()) == {"train", "validation", "test"}


def test_only_validation_is_cut_where_files_give_train_and_test(tmp_path: Path, ingest) -> None:
    train = write(tmp_path / "train.csv", [f"a{number},text" for number in range(300)])
    test = write(tmp_path / "test.csv", [f"b{number},text" for number in range(50)])
    source = TableSource(name="t", paths={"test": test, "train": train}, key="id", text=("text",))
    found = splits(ingest(source).folder)
    assert {key for key, split in found.items() if split == "test"} == {f"b{number}" for number in range(50)}
    assert 15 < Counter(found.values())["validation"] < 50


def test_a_column_can_name_the_split(tmp_path: Path, ingest) -> None:
    rows = ["1,x,train", "2,x,Dev", "3,x,test", "4,x,", "5,x,later"]
    path = write(tmp_path / "rows.csv", rows, "id,text,part")
    report = ingest(TableSource(name="t", paths={"": path}, key="id", text=("text",), split="part"))
    assert splits(report.folder) == {"1": "train", "2": "validation", "3": "test"}
    messages = open_snapshot(report.folder).quarantine().column("message").to_pylist()
    assert "'later' is not a split; allowed: train" in messages[1]
    assert report.tables["t"].reasons == {"unknown_split": 2}


def test_equal_rows_without_a_key_stay_apart_but_in_one_split(tmp_path: Path, ingest) -> None:
    path = write(tmp_path / "rows.csv", ["1,same"] * 3 + ["2,other"])
    found = splits(ingest(TableSource(name="t", paths={"": path}, text=("text",))).folder)
    assert len(found) == 4
    first = next(iter(found))
    assert found[first] == found[f"{first}-2"] == found[f"{first}-3"]


def test_a_sample_keeps_the_shares_of_the_labels(tmp_path: Path, ingest) -> None:
    path = write(tmp_path / "rows.csv", [f"{n},text {n},{'a' if n % 4 else 'b'}" for n in range(400)], "id,text,label")
    test = write(tmp_path / "test.csv", [f"t{n},text,a" for n in range(9)], "id,text,label")
    source = TableSource(
        name="t", paths={"train": path, "test": test}, key="id", text=("text",), columns={"label": "category"},
        sample={"train": 40, "test": 5},
    )  # fmt: skip
    reports = [ingest(source, rare_labels={"t": ["label"]}) for _ in range(2)]
    table = open_snapshot(reports[0].folder).table("t").to_pylist()
    assert Counter(row["label"] for row in table if row["_split"] == "train") == {"a": 30, "b": 10}
    assert Counter(row["_split"] for row in table)["test"] == 5
    assert reports[0].id == reports[1].id
    assert reports[0].tables["t"].rows_available == 409
    assert reports[0].rows_in == reports[0].rows_kept < 409


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60), st.integers(1, 60))
def test_a_sample_has_its_size_and_fair_quotas(strata: list[str], size: int) -> None:
    chosen = stratified_sample([str(n) for n in range(len(strata))], strata, size=size, seed=3)
    assert len(chosen) == min(size, len(strata))
    assert chosen == sorted(set(chosen))
    counts, total = Counter(strata), Counter(strata[n] for n in chosen)
    for name, count in counts.items():
        assert abs(total[name] - min(size, len(strata)) * count / len(strata)) < 1
