"""The log of what was shown: whole lines, rewards joined later, arrays."""

import dataclasses

import numpy as np
import pytest

from polyloom.errors import DataError, RequestError
from retrieval.exploring.exposure import Exposure, user_hash
from retrieval.exploring.exposure_log import ExposureLog, place_of


def exposure(user="ann", **changes):
    own = {
        "at": 12.5,
        "user": user_hash(user, key=b"k"),
        "candidates": ("a", "b"),
        "chosen": 1,
        "propensity": 0.25,
        "policy": "thompson",
        "version": "6",
        "contexts": ((1.0, 0.0), (0.5, 2.0)),
    }
    return Exposure(**{**own, **changes})


@pytest.fixture
def log(tmp_path):
    return ExposureLog(tmp_path / "shop")


def test_what_was_noted_is_read_and_found_by_its_id(log):
    assert log.exposures() == []
    first = log.add([exposure()])
    rest = log.add([exposure(chosen=0, contexts=()), exposure()])
    assert log.add([]) == []
    assert log.exposures() == [*first, *rest]
    assert [place_of(one.id) for one in first] == [0]
    for one in (*first, *rest):
        assert log.exposure(one.id) == one
        assert dataclasses.replace(one, id="") in (exposure(), exposure(chosen=0, contexts=()))
    assert (log.folder.stat().st_mode & 0o777) == 0o700


@pytest.mark.parametrize("id_", ["", "0", "zz-1", "-1", "0-00000000", "ffffff-00000000", "-5-0", "0x0-a", "9" * 80])
def test_an_exposure_that_there_is_not_is_refused(log, id_):
    log.add([exposure()])
    with pytest.raises(RequestError, match=r"There is no exposure '.*' in .*shop\. Give the `exposure` of an item"):
        log.exposure(id_)
    with pytest.raises(RequestError, match="There is no exposure"):
        log.reward(id_, 1.0, at=0.0)
    assert log.rewards() == {}


def test_rewards_are_joined_by_id_and_the_last_one_counts(log):
    first, second, _ = log.add([exposure(user) for user in "abc"])
    log.reward(second.id, 0.0, at=13.0)
    log.reward(first.id, 1.0, at=14.0)
    assert log.reward(second.id, 3.0, at=15.0).before == 0.0
    known = log.choices()
    assert known.rewards.tolist() == [1.0, 3.0]
    assert known.propensities.tolist() == [0.25, 0.25]
    assert known.users.tolist() == [first.user, second.user]
    assert known.features.tolist() == [[0.5, 2.0], [0.5, 2.0]]
    assert log.choices(without_reward=-1.0).rewards.tolist() == [1.0, 3.0, -1.0]


def test_the_same_reward_again_is_not_noted_again(log):
    (one,) = log.add([exposure()])
    assert log.reward(one.id, 1.0, at=1.0) == (one.id, 1.0, None, True)
    assert log.reward(one.id, 1.0, at=2.0) == (one.id, 1.0, 1.0, False)
    assert len(log.rewarded.read_text().splitlines()) == 1
    log.reward(one.id, 0.0, at=3.0)
    assert log.reward(one.id, 1.0, at=4.0).counted
    assert [(found.reward, found.before) for found, _ in log.rewards_since()] == [(1.0, None), (0.0, 1.0), (1.0, 0.0)]


@pytest.mark.parametrize("reward", [float("nan"), float("inf")])
def test_a_reward_that_is_no_number_is_refused(log, reward):
    (one,) = log.add([exposure()])
    with pytest.raises(RequestError, match=r"The reward is (nan|inf); it must be a finite number"):
        log.reward(one.id, reward, at=0.0)


def test_a_torn_line_is_passed_over_and_spoils_no_other(log):
    (first,) = log.add([exposure()])
    whole = log.shown.read_bytes()
    log.shown.write_bytes(whole + whole[:-30])
    assert log.exposures() == [first]
    (second,) = log.add([exposure("bob")])
    assert log.exposure(second.id) == second
    log.reward(second.id, 1.0, at=1.0)
    whole = log.rewarded.read_bytes()
    log.rewarded.write_bytes(whole + whole.replace(b"1.0", b"7.0")[:-9])
    assert log.exposures() == [first, second]
    assert log.rewards() == {second.id: 1.0}
    assert log.reward(second.id, 2.0, at=2.0).before == 1.0
    assert log.rewards() == {second.id: 2.0}


def test_any_cut_of_the_file_leaves_whole_exposures(log):
    first, _ = log.add([exposure(), exposure()])
    whole = log.shown.read_bytes()
    end = whole.index(b"\n")
    for cut in range(0, len(whole), 7):
        log.shown.write_bytes(whole[:cut])
        assert log.exposures() == ([first] if cut > end else [])


def test_lines_of_something_else_are_passed_over(log):
    log.folder.mkdir()
    log.shown.write_text('7\n{"id": "x"}\n\xff\n{"id": "x", "contexts": 3, "candidates": [1]}\n', encoding="latin-1")
    log.rewarded.write_text('[]\n{"id": "x"}\n{"id": "x", "reward": "much"}\n', encoding="utf-8")
    (one,) = log.add([exposure()])
    assert [found.id for found in log.exposures()] == [one.id]
    assert log.rewards() == {}
    with pytest.raises(DataError, match="shop holds no exposure with contexts and a reward"):
        log.choices()


def test_a_users_hash_needs_the_key():
    assert user_hash("ann", key=b"k") == user_hash("ann", key=b"k")
    assert len({user_hash("ann", key=b"k"), user_hash("ann", key=b"l"), user_hash("bob", key=b"k")}) == 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"chosen": 2}, "'' is of place 2 among 2 candidates"),
        ({"propensity": 0.0}, "'' has the propensity 0.0; it must be above 0"),
        ({"contexts": ((1.0,),)}, "'' has 1 contexts of 2 candidates"),
    ],
)
def test_exposures_that_cannot_be_are_refused(changes, said):
    with pytest.raises(DataError, match=said):
        exposure(**changes)


def test_what_is_read_are_arrays(log):
    (one,) = log.add([exposure()])
    log.reward(one.id, 1, at=0.0)
    known = log.choices()
    assert {field.name for field in dataclasses.fields(known)} == {
        "contexts",
        "chosen",
        "propensities",
        "rewards",
        "users",
    }
    assert np.array_equal(known.contexts[0], [[1.0, 0.0], [0.5, 2.0]])
