from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.snapshots import open_snapshot
from ingestion.sources import TableSource
from ingestion.splits import (
    TEST,
    TRAIN,
    VALIDATION,
    Boundaries,
    group_identities,
    identity_of,
    named_splits,
    sample_positions,
    split_codes,
    time_boundaries,
    time_codes,
)

FRACTIONS = {"validation": 0.1, "test": 0.2}


def write(path: Path, rows: list[str], header: str = "id,text") -> Path:
    path.write_text("\n".join([header, *rows, ""]))
    return path


def splits(folder: Path) -> dict[str, str]:
    table = open_snapshot(folder).table("t")
    return dict(zip(table.column("_key").to_pylist(), table.column("_split").to_pylist(), strict=True))


def drawn(identities: np.ndarray, seed: int = 7) -> np.ndarray:
    return split_codes(identities, seed=seed, fractions=FRACTIONS)


def random_identities(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2**64, count, dtype=np.uint64)


@pytest.mark.parametrize("identities", [random_identities(100_000), np.arange(100_000, dtype=np.uint64)])
@pytest.mark.parametrize("seed", [1, 7, 1234])
def test_shares_lie_within_binomial_bounds(identities: np.ndarray, seed: int) -> None:
    counts = np.bincount(drawn(identities, seed), minlength=3)
    for code, share in ((TRAIN, 0.7), (VALIDATION, 0.1), (TEST, 0.2)):
        assert abs(counts[code] - share * 100_000) < 5 * (100_000 * share * (1 - share)) ** 0.5


def test_another_seed_is_an_independent_split() -> None:
    identities = random_identities(50_000)
    both = np.mean((drawn(identities, 1) == TEST) & (drawn(identities, 2) == TEST))
    assert both == pytest.approx(0.2 * 0.2, abs=0.005)


identity_lists = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50)


@settings(deadline=None)
@given(identity_lists, identity_lists, st.randoms())
def test_a_split_knows_neither_other_rows_nor_their_order(mine: list[int], others: list[int], random) -> None:
    alone = dict(zip(mine, drawn(np.array(mine, dtype=np.uint64)), strict=True))
    mixed = [*mine, *others]
    random.shuffle(mixed)
    together = dict(zip(mixed, drawn(np.array(mixed, dtype=np.uint64)), strict=True))
    assert alone.items() <= together.items()


@settings(deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=1, max_size=60))
def test_groups_are_never_divided(groups: list[str | None]) -> None:
    own = random_identities(len(groups))
    identities = group_identities(pa.array(groups, pa.string()), own)
    for group in set(groups) - {None}:
        same = [identities[place] for place, one in enumerate(groups) if one == group]
        assert set(same) == {identity_of(group)}
    alone = [place for place, one in enumerate(groups) if one is None]
    assert (identities[alone] == own[alone]).all()


def test_the_newest_rows_are_the_test_and_the_next_newest_validation() -> None:
    times = np.random.default_rng(0).permutation(100) * 1_000
    boundaries = time_boundaries(times, FRACTIONS)
    assert boundaries == Boundaries(validation=70_000, test=80_000)
    codes = time_codes(times, boundaries)
    assert times[codes == TRAIN].max() < times[codes == VALIDATION].min()
    assert np.bincount(codes).tolist() == [70, 10, 20]


@settings(deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.lists(st.integers(0, 100), max_size=60))
def test_a_fixed_boundary_stays_whatever_comes(times: list[int], later: list[int]) -> None:
    first = time_boundaries(np.array(times), FRACTIONS)
    grown = np.array([*times, *later])
    second = time_boundaries(grown, FRACTIONS, first)
    assert second == first
    assert (time_codes(grown, second)[: len(times)] == time_codes(np.array(times), first)).all()


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=60))
def test_rows_of_one_moment_stay_together_and_shares_are_as_near_as_they_allow(times: list[int]) -> None:
    moments = np.array(times)
    boundaries = time_boundaries(moments, {"test": 0.2})
    reached = {int((moments >= cut).sum()) for cut in range(11)}
    found = int((time_codes(moments, boundaries) == TEST).sum())
    wanted = round(len(times) * 0.2)
    assert abs(found - wanted) == min(abs(one - wanted) for one in reached)
    assert boundaries.validation is None


def test_no_time_at_all_fixes_no_boundary() -> None:
    assert time_boundaries(np.zeros(0, dtype=np.int64), FRACTIONS) == Boundaries()


def test_a_column_of_names_becomes_codes_and_refusals() -> None:
    named = named_splits(pa.array(["train", "Dev", None, "TEST", "later"]))
    assert named.codes.tolist() == [TRAIN, VALIDATION, TRAIN, TEST, TRAIN]
    assert {place: refusal.reason for place, refusal in named.refused.items()} == dict.fromkeys((2, 4), "unknown_split")
    assert named.refused[4].message.startswith("'later' is not a split; allowed: train, training, validation")


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
        name="t",
        paths={"train": path, "test": test},
        key="id",
        text=("text",),
        columns={"label": "category"},
        sample={"train": 40, "test": 5},
    )
    reports = [ingest(source, rare_labels={"t": ["label"]}) for _ in range(2)]
    table = open_snapshot(reports[0].folder).table("t").to_pylist()
    labels = Counter(row["label"] for row in table if row["_split"] == "train")
    # A quarter of all rows is `b`; of those left for training it may be one more or less.
    assert labels["a"] + labels["b"] == 40
    assert labels["b"] == pytest.approx(10, abs=1)
    assert Counter(row["_split"] for row in table)["test"] == 5
    assert reports[0].id == reports[1].id
    assert reports[0].tables["t"].rows_available == 409
    assert reports[0].rows_in == reports[0].rows_kept < 409


@settings(deadline=None)
@given(st.lists(st.integers(-1, 3), min_size=1, max_size=60), st.integers(1, 60), st.randoms())
def test_a_sample_has_its_size_and_fair_quotas_in_any_order(strata: list[int], size: int, random) -> None:
    identities = random_identities(len(strata))
    chosen = sample_positions(identities, np.array(strata), size=size, seed=3)
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert len(chosen) == min(size, len(strata))
    counts, total = Counter(strata), Counter(strata[place] for place in chosen)
    for name, count in counts.items():
        assert abs(total[name] - min(size, len(strata)) * count / len(strata)) < 1
    order = np.array(random.sample(range(len(strata)), len(strata)))
    renumbered = np.array([5 - one for one in strata])[order]
    again = order[sample_positions(identities[order], renumbered, size=size, seed=3)]
    assert set(again.tolist()) == set(chosen.tolist())
