"""What the benchmark of serving makes of answers, texts and processes."""

import json
import os
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.serving_answers import Answers, Told
from benchmarks.serving_overload import refusals, sent
from benchmarks.serving_server import Server
from benchmarks.serving_switching import figures_of, switches
from benchmarks.serving_texts import customers_texts, returning_texts
from benchmarks.serving_throughput import compared

ONE, OTHER = "1" * 64, "2" * 64


def told(*, due=0.0, took=0.1, status=200, failure="", retry_after=False, release=ONE):
    return Told(due, due, due + took, status, failure, retry_after=retry_after, release=release)


def answers(*rows, seconds=1.0, unsent=0):
    return Answers.of(rows, started=0.0, seconds=seconds, unsent=unsent)


def questions(folder):
    rows = [{"text": f"How do I pay {number}?", "language": "en"} for number in range(20)]
    rows += [{"text": f"怎么付款{number}？", "language": "zh"} for number in range(20)]
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_quantiles_are_of_what_was_answered():
    found = answers(*(told(took=number / 1000) for number in range(1, 102)), told(status=429, took=9.0))
    assert found.milliseconds(0.5) == pytest.approx(51)
    assert found.p95 == pytest.approx(96)
    assert found.milliseconds(1.0) == pytest.approx(101)
    assert found.per_second == 101


def test_without_an_answer_there_is_no_latency():
    assert np.isnan(answers().p95)
    assert answers().counts == {}
    assert "0 sent" in answers().line()


def test_a_stretch_has_what_was_due_in_it():
    found = answers(*(told(due=float(number)) for number in range(10)), seconds=10.0).between(2, 4)
    assert found.due.tolist() == [2.0, 3.0]
    assert found.per_second == 1.0


def test_texts_are_distinct_and_the_seed_decides(tmp_path):
    path = questions(tmp_path)
    found = customers_texts(path, count=500)
    assert len(set(found)) == 500
    assert found == customers_texts(path, count=500)
    assert found != customers_texts(path, count=500, seed=8)
    assert any("你好" in text for text in found)


def test_more_texts_than_there_can_be_are_refused(tmp_path):
    with pytest.raises(ValueError, match="larger than population"):
        customers_texts(questions(tmp_path), count=100_000)


def test_texts_that_come_back_come_back_as_often_as_they_should():
    texts = [f"question {number}" for number in range(100)]
    asked = returning_texts(texts, count=20_000)
    assert asked == returning_texts(texts, count=20_000)
    counts = Counter(asked)
    assert set(counts) == set(texts)
    assert counts[texts[0]] / counts[texts[9]] == pytest.approx(10, rel=0.2)


def test_medians_of_both_sides_are_compared():
    ours = [answers(*[told(took=0.1)] * count) for count in (10, 100, 12)]
    rate, latency, done = compared(ours, [answers(*[told(took=0.2)] * count) for count in (2, 2, 2)], "new")
    assert (rate.value, rate.against, rate.met) == (12, 2, True)
    assert (latency.ratio, latency.met) == (0.5, True)
    assert (done.value, done.against) == (122, 122)
    assert not compared(ours, ours, "new")[0].met


def test_a_switch_is_one_minute_answered_by_one_release_and_the_next_by_another():
    rows = [told(due=at, release=ONE) for at in (1, 59, 61, 181)]
    rows += [told(due=at, release=OTHER) for at in (60.5, 119, 121, 179)]
    # By the ends of the minutes: one, other, other, one.
    assert switches(answers(*rows)) == 2


def test_memory_is_compared_from_minute_two_on():
    rows = [told(due=1.0), told(due=61.0, release=OTHER)]
    memory = [(10.0, 50 << 20), *((float(at), 100 << 20) for at in range(120, 600, 5)), (600.0, 200 << 20)]
    failed, seen, followed, flat = figures_of(answers(*rows, seconds=600.0), memory, 1, {ONE, OTHER})
    assert (failed.value, seen.value, followed.value) == (0, 2, 1)
    assert (flat.value, flat.against, flat.met) == (100, 100, True)
    grown = [(float(at), (100 + at // 50) << 20) for at in range(120, 600, 5)]
    assert not figures_of(answers(*rows), grown, 1, {ONE})[-1].met


def test_whatever_is_not_answered_counts_while_champions_switch():
    rows = [told(), told(status=429), told(status=0, failure="closed", release="")]
    failed = figures_of(answers(*rows), [(1.0, 1 << 20)], 0, {ONE})[0]
    assert (failed.value, failed.met) == (2, False)


def test_an_overload_is_answered_or_refused_with_a_wait():
    good = [told(), told(status=429, retry_after=True)]
    assert all(figure.met for figure in refusals(answers(*good)))
    others, waits = refusals(answers(*good, told(status=503), told(status=0, failure="timeout"), told(status=429)))
    assert (others.value, waits.value) == (2, 1)
    assert "'timeout': 1" in others.name


def test_what_was_sent_is_held_against_ten_times_the_capacity():
    before = answers(told())
    assert sent(answers(*[told()] * 10), before).met
    short = sent(answers(*[told()] * 9, unsent=4), before)
    assert not short.met
    assert "4 could not be sent" in short.name


def test_memory_and_libraries_are_those_of_the_process():
    server = Server(SimpleNamespace(pid=os.getpid(), port=1), 1.0)
    assert 10 << 20 < server.resident_bytes < 64 << 30
    gone = Server(SimpleNamespace(pid=2**22 + 1, port=1), 1.0)
    assert (gone.resident_bytes, gone.has_torch) == (0, False)
