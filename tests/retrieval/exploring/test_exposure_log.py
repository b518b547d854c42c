"""The log of what was shown: whole lines, rewards joined later, arrays."""

import dataclasses

import numpy as np
import pytest

from polyloom.errors import DataError
from retrieval.exploring.exposure_log import Exposure, ExposureLog, user_hash


def exposure(id_="e1", **changes):
    own = {
        "id": id_, "at": 12.5, "user": user_hash("ann", key=b"k"), "candidates": ("a", "b"), "chosen": 1,
        "propensity": 0.25, "policy": "thompson", "version": "6", "contexts": ((1.0, 0.0), (0.5, 2.0)),
    }  # fmt: skip
    return Exposure(**{**own, **changes})


def test_what_was_noted_is_read(tmp_path):
    log = ExposureLog(tmp_path / "log" / "shown.jsonl")
    assert log.exposures() == []
    log.add(exposure())
    log.add(exposure("e2", chosen=0, contexts=()))
    log.add(exposure("e1", chosen=0))
    assert log.exposures() == [exposure(), exposure("e2", chosen=0, contexts=())]


def test_rewards_are_joined_by_id_and_the_last_one_counts(tmp_path):
    log = ExposureLog(tmp_path / "shown.jsonl")
    for id_ in ("e1", "e2", "e3"):
        log.add(exposure(id_, user=id_))
    log.reward("e2", 0.0, at=13.0)
    log.reward("e1", 1.0, at=14.0)
    log.reward("e2", 3.0, at=15.0)
    log.reward("gone", 9.0, at=15.0)
    known = log.choices()
    assert known.rewards.tolist() == [1.0, 3.0]
    assert known.propensities.tolist() == [0.25, 0.25]
    assert known.users.tolist() == ["e1", "e2"]
    assert known.features.tolist() == [[0.5, 2.0], [0.5, 2.0]]
    assert log.choices(without_reward=-1.0).rewards.tolist() == [1.0, 3.0, -1.0]


def test_a_torn_line_is_passed_over_and_spoils_no_other(tmp_path):
    log = ExposureLog(tmp_path / "shown.jsonl")
    log.add(exposure())
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + whole[:-30])
    assert log.exposures() == [exposure()]
    log.add(exposure("e2"))
    log.reward("e2", 1.0, at=1.0)
    assert [one.id for one in log.exposures()] == ["e1", "e2"]
    assert log.rewards() == {"e2": 1.0}


def test_any_cut_of_the_file_leaves_whole_exposures(tmp_path):
    log = ExposureLog(tmp_path / "shown.jsonl")
    for id_ in ("e1", "e2"):
        log.add(exposure(id_))
    whole = log.path.read_bytes()
    first = whole.index(b"\n")
    for end in range(0, len(whole), 7):
        log.path.write_bytes(whole[:end])
        assert log.exposures() == ([exposure("e1")] if end >= first else [])


def test_lines_of_something_else_are_passed_over(tmp_path):
    log = ExposureLog(tmp_path / "shown.jsonl")
    log.path.write_text('7\n{"kind": "exposure", "id": "x"}\n{"kind": "reward", "id": "x"}\n', encoding="utf-8")
    log.add(exposure())
    assert [one.id for one in log.exposures()] == ["e1"]
    assert log.rewards() == {}
    with pytest.raises(DataError, match="holds no exposure with contexts and a reward"):
        log.choices()


def test_a_users_hash_needs_the_key():
    assert user_hash("ann", key=b"k") == user_hash("ann", key=b"k")
    assert len({user_hash("ann", key=b"k"), user_hash("ann", key=b"l"), user_hash("bob", key=b"k")}) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chosen": 2}, "'e1' is of place 2 among 2 candidates"),
        ({"propensity": 0.0}, "'e1' has the propensity 0.0; it must be above 0"),
        ({"contexts": ((1.0,),)}, "'e1' has 1 contexts of 2 candidates"),
    ],
)
def test_exposures_that_cannot_be_are_refused(changes, said):
    with pytest.raises(DataError, match=said):
        exposure(**changes)


def test_what_is_read_are_arrays(tmp_path):
    log = ExposureLog(tmp_path / "shown.jsonl")
    log.add(exposure())
    log.reward("e1", 1, at=0.0)
    known = log.choices()
    assert {field.name for field in dataclasses.fields(known)} == {
        "contexts", "chosen", "propensities", "rewards", "users",
    }  # fmt: skip
    assert np.array_equal(known.contexts[0], [[1.0, 0.0], [0.5, 2.0]])
