"""Learning from a log: bit by bit as all at once, by any process, whatever was lost or killed."""

import itertools
import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from retrieval.exploring import learned
from retrieval.exploring.exposure_log import ExposureLog
from retrieval.exploring.learned import LEARNED, Learner, learn
from tests.retrieval.exploring.test_exposure_log import exposure

NEVER = float("-inf")


@pytest.fixture
def log(tmp_path, monkeypatch):
    monkeypatch.setattr(learned, "KEPT_EVERY", 1)
    return ExposureLog(tmp_path / "shop")


def shown(log, number, *, at=0.0, seed=0):
    """So many exposures with contexts of two numbers."""
    random = np.random.default_rng(seed)
    return log.add(
        [
            exposure(at=at, contexts=tuple(map(tuple, random.normal(size=(2, 2)).tolist())), chosen=place % 2)
            for place in range(number)
        ]
    )


def expected(pairs):
    """The model of exposures and rewards, in closed form."""
    rows = np.array([one.contexts[one.chosen] for one, _ in pairs])
    precision = np.eye(2) + rows.T @ rows
    return precision, rows.T @ np.array([reward for _, reward in pairs])


def same(payoff, pairs):
    precision, moment = expected(pairs)
    return np.allclose(payoff.precision, precision) and np.allclose(payoff.weights, np.linalg.solve(precision, moment))


def test_rewards_are_learned_and_silence_after_a_while(log):
    old, new = shown(log, 3, at=10.0), shown(log, 2, at=20.0, seed=1)
    log.reward(old[0].id, 1.0, at=11.0)
    log.reward(new[1].id, 2.0, at=21.0)
    assert same(learn(log, dim=2, until=NEVER), [(old[0], 1.0), (new[1], 2.0)])
    silent = [(old[1], 0.0), (old[2], 0.0)]
    assert same(learn(log, dim=2, until=15.0), [(old[0], 1.0), (new[1], 2.0), *silent])
    payoff = learn(log, dim=2, until=30.0)
    assert same(payoff, [(old[0], 1.0), (new[1], 2.0), *silent, (new[0], 0.0)])
    assert payoff.updates == 5


def test_learners_that_go_on_know_what_others_noted(log):
    first, second = Learner(log, dim=2), Learner(log, dim=2)
    pairs = []
    for step in range(6):
        (one,) = shown(log, 1, seed=step)
        log.reward(one.id, float(step), at=0.0)
        pairs.append((one, float(step)))
        known = first.payoff(until=NEVER)
        assert same(known, pairs)
        assert same(second.payoff(until=NEVER), pairs)
    log.reward(pairs[0][0].id, 9.0, at=0.0)
    assert not same(first.payoff(until=NEVER), pairs)
    assert same(known, pairs)


def test_a_late_reward_and_another_reward_take_the_place_of_what_was_learned(log):
    first, second = shown(log, 2)
    learn(log, dim=2, until=1.0)
    log.reward(first.id, 1.0, at=5.0)
    assert same(learn(log, dim=2, until=1.0), [(first, 1.0), (second, 0.0)])
    log.reward(first.id, 4.0, at=6.0)
    log.reward(first.id, 3.0, at=7.0)
    log.reward(second.id, 1.0, at=7.0)
    payoff = learn(log, dim=2, until=1.0)
    assert same(payoff, [(first, 3.0), (second, 1.0)])
    assert payoff.updates == 2


def test_bit_by_bit_is_as_all_at_once_and_as_anew(log):
    random, all_shown = np.random.default_rng(3), []
    for step in range(30):
        all_shown += shown(log, 2, at=float(step), seed=step)
        for one in random.choice(len(all_shown), 2):
            log.reward(all_shown[one].id, float(random.integers(3)), at=0.0)
        learn(log, dim=2, until=step - 5.0)
    bits = learn(log, dim=2, until=24.0)
    (log.folder / LEARNED).unlink()
    anew = learn(log, dim=2, until=24.0)
    rewards = log.rewards()
    assert same(anew, [(one, rewards.get(one.id, 0.0)) for one in all_shown if one.at <= 24.0 or one.id in rewards])
    assert np.allclose(bits.weights, anew.weights)
    assert np.allclose(bits.precision, anew.precision)


@pytest.mark.parametrize(
    "content", ["", "{}", "[1]", '{"precision": [[1, 0], [0, -1]], "moment": [0, 0], "updates": 1}']
)
def test_a_broken_summary_is_made_again(log, content):
    (one,) = shown(log, 1)
    log.reward(one.id, 1.0, at=0.0)
    learn(log, dim=2, until=NEVER)
    (log.folder / LEARNED).write_text(content, encoding="utf-8")
    assert same(learn(log, dim=2, until=NEVER), [(one, 1.0)])


def test_a_log_that_is_shorter_than_the_summary_is_learned_anew(log):
    shown(log, 4)
    learn(log, dim=2, until=1.0)
    log.shown.unlink()
    assert learn(log, dim=2, until=1.0).updates == 0


def test_contexts_of_another_kind_and_what_was_not_chosen_teach_nothing(log):
    (other,) = shown(log, 1)
    (only,) = log.add([exposure(candidates=("a",), chosen=0, propensity=1.0, contexts=())])
    for one in (other, only):
        log.reward(one.id, 1.0, at=0.0)
    assert learn(log, dim=3, until=1.0).updates == 0
    assert learn(log, dim=2, until=1.0).updates == 1


def test_a_reward_of_an_exposure_that_is_gone_is_passed_over(log):
    first, second = shown(log, 2)
    log.reward(second.id, 1.0, at=0.0)
    content = log.shown.read_bytes()
    log.shown.write_bytes(content[: content.index(b"\n") + 1] + b"x" * 900 + b"\n")
    assert same(learn(log, dim=2, until=1.0), [(first, 0.0)])


def test_a_few_lines_are_learned_without_writing_it_down(log, monkeypatch):
    monkeypatch.setattr(learned, "KEPT_EVERY", 5)
    shown(log, 4)
    assert learn(log, dim=2, until=1.0).updates == learn(log, dim=2, until=1.0).updates == 4
    assert not (log.folder / LEARNED).exists()
    shown(log, 1)
    assert learn(log, dim=2, until=1.0).updates == 5
    assert (log.folder / LEARNED).exists()


def test_the_summary_stays_where_nothing_is_new(log):
    shown(log, 4)
    learn(log, dim=2, until=1.0)
    before = (log.folder / LEARNED).stat().st_mtime_ns
    learn(log, dim=2, until=1.0)
    assert (log.folder / LEARNED).stat().st_mtime_ns == before


WORKING = """
import itertools, sys
from pathlib import Path
from retrieval.exploring.exposure_log import ExposureLog
from retrieval.exploring.learned import learn
from tests.retrieval.exploring.test_exposure_log import exposure
log, rounds = ExposureLog(Path(sys.argv[1])), int(sys.argv[2])
for number in itertools.islice(itertools.count(), rounds):
    first, second = log.add([exposure(sys.argv[3]), exposure(sys.argv[3], chosen=0)])
    print(first.id, flush=True)
    log.reward(first.id, 1.0, at=0.0)
    print("rewarded", first.id, flush=True)
    learn(log, dim=2, until=float("-inf"))
"""


def worker(log, rounds, name):
    command = [sys.executable, "-c", WORKING, str(log.folder), str(rounds), name]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_processes_at_once_lose_nothing(log):
    workers = [worker(log, 40, name) for name in "abc"]
    said = [one.communicate(timeout=120)[0].splitlines() for one in workers]
    assert [one.returncode for one in workers] == [0, 0, 0]
    rewarded = {line.split()[1] for lines in said for line in lines if line.startswith("rewarded")}
    assert len(rewarded) == 120
    assert log.rewards() == dict.fromkeys(rewarded, 1.0)
    assert len(log.exposures()) == 240
    payoff = learn(log, dim=2, until=NEVER)
    rewards = log.rewards()
    assert payoff.updates == 120
    assert same(payoff, [(one, 1.0) for one in log.exposures() if one.id in rewards])


@pytest.mark.parametrize("attempt", range(4))
def test_killed_in_the_middle_nothing_that_was_told_is_lost(log, attempt):
    child = worker(log, 10_000, "a")
    said = [child.stdout.readline().strip() for _ in range(20 + attempt)]
    time.sleep(0.002 * attempt)
    child.send_signal(signal.SIGKILL)
    said += child.stdout.read().splitlines()[:-1]
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    told = {line for line in said if not line.startswith("rewarded")}
    rewarded = {line.split()[1] for line in said if line.startswith("rewarded")}
    assert told <= {one.id for one in log.exposures()}
    assert rewarded <= set(log.rewards())
    for one in told:
        log.reward(one, 1.0, at=0.0)
    payoff = learn(log, dim=2, until=NEVER)
    rewards = log.rewards()
    assert same(payoff, [(one, rewards[one.id]) for one in log.exposures() if one.id in rewards])
    assert json.loads((log.folder / LEARNED).read_text())["updates"] == len(rewards)


def test_ids_are_never_given_twice(log):
    ids = [one.id for _ in range(20) for one in shown(log, 3)]
    assert len(set(ids)) == 60
    assert all(first < second for first, second in itertools.pairwise(int(id_.partition("-")[0], 16) for id_ in ids))
