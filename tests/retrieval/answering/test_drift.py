"""Drift of questions: seen where it is, seldom seen where it is not, by what is logged and by nothing else."""

import numpy as np
from scipy.stats import ks_2samp

from retrieval.answering.drift import KEPT_LINES, MOST_LINES, WINDOW, ScoreLog, drifted, gap, largest_gap


def test_the_gap_is_that_of_scipy():
    random = np.random.default_rng(0)
    for _ in range(20):
        first, second = random.beta(2, 1, 70).round(2), random.beta(1, 2, 30).round(2)
        assert np.isclose(gap(first, second), ks_2samp(first, second).statistic)
    assert gap([], [0.5]) == gap([0.5], []) == 0.0
    assert gap([0.1, 0.2], [0.8]) == 1.0


def test_questions_drawn_alike_are_seldom_called_unlike():
    random = np.random.default_rng(1)
    alarms = [drifted(random.beta(2, 1, 400), random.beta(2, 1, WINDOW)) for _ in range(2000)]
    assert sum(alarms) <= 2


def test_other_questions_are_called_unlike_once_a_window_of_them_is_whole():
    random = np.random.default_rng(2)
    known, other = random.beta(4, 1, 400), random.beta(1, 2, WINDOW)
    assert not drifted(known, other[: WINDOW - 1])
    assert drifted(known, other)
    # Windows do not overlap: what comes after does not count before it is whole.
    assert drifted(known, [*other, *random.beta(4, 1, WINDOW - 1)])
    assert not drifted(known, [*other, *random.beta(4, 1, WINDOW)])
    assert not drifted([], other)
    assert largest_gap(400, 100) < gap(known, other)


def test_a_log_holds_scores_alone_and_leaves_out_what_a_crash_cut_off(tmp_path):
    log = ScoreLog(tmp_path / "new" / "asked.jsonl")
    assert log.scores() == []
    for score in (0.25, 0.123456):
        log.add(score)
    assert log.path.read_bytes() == b"0.25\n0.1235\n"
    with log.path.open("ab") as stream:
        stream.write(b'0.5\n{"broken')
    assert log.scores() == [0.25, 0.1235, 0.5]
    log.clear()
    assert log.scores() == []
    log.clear()


def test_a_long_log_is_shortened_by_whole_windows(tmp_path):
    log = ScoreLog(tmp_path / "asked.jsonl")
    log.path.write_bytes(b"".join(b"%d\n" % number for number in range(MOST_LINES + 37)))
    kept = log.scores()
    assert kept[0] % WINDOW == 0
    assert KEPT_LINES <= len(kept) < KEPT_LINES + 2 * WINDOW
    assert kept[-1] == MOST_LINES + 36
    assert log.scores() == kept
