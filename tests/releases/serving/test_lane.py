"""The queue before a release: what waits together is answered together, and nobody waits for nothing."""

import asyncio
import threading

import pytest

from releases.serving.lane import Lane, Work
from releases.serving.refusal import Refused


class Seen:
    """Notes batches and waits."""

    def __init__(self):
        self.batches, self.waits = [], []

    def batch(self, *, scenario, action, rows, seconds):
        self.batches.append((scenario, action, rows))

    def waited(self, *, scenario, seconds):
        self.waits.append(seconds)


class Gate:
    """Answers with its payloads, once it is open; notes which were together."""

    def __init__(self):
        self.open, self.begun, self.together = threading.Event(), threading.Event(), []

    def __call__(self, works):
        self.begun.set()
        self.open.wait(10)
        self.together.append([work.payload for work in works])
        return [work.payload for work in works]


def work(run, payload, *, key="same", rows=1):
    # What holds the others up must not count for the pace of predictions, which says how large a batch may be.
    action = "hold" if payload in {0, "first"} else "predict"
    return Work(action=action, run=run, rows=rows, key=key, payload=payload)


@pytest.fixture
def lane():
    lanes = []

    def make(**settings):
        lanes.append(Lane("shop", **{"most": 8, "wait_seconds": 5.0, **settings}))
        return lanes[-1]

    yield make
    for one in lanes:
        one.close()


def test_what_waits_together_is_answered_together_and_the_first_waits_for_nobody(lane):
    seen, gate = Seen(), Gate()
    one = lane(watching=seen)

    async def ask():
        first = asyncio.create_task(one.answer(work(gate, 0), seconds=5))
        await asyncio.to_thread(gate.begun.wait, 5)
        rest = [asyncio.create_task(one.answer(work(gate, number), seconds=5)) for number in (1, 2, 3)]
        await asyncio.sleep(0.05)
        assert one.depth == 3
        gate.open.set()
        return await asyncio.gather(first, *rest)

    assert asyncio.run(ask()) == [0, 1, 2, 3]
    assert gate.together == [[0], [1, 2, 3]]
    one.close()
    assert seen.batches == [("shop", "hold", 1), ("shop", "predict", 3)]
    assert len(seen.waits) == 4


def test_only_works_of_one_key_are_together_and_nobody_is_overtaken_for_long(lane):
    gate = Gate()
    one = lane()

    async def ask():
        first = asyncio.create_task(one.answer(work(gate, "first"), seconds=5))
        await asyncio.to_thread(gate.begun.wait, 5)
        keys = {"a1": "a", "b1": "b", "a2": "a", "alone": None, "b2": "b"}
        rest = [asyncio.create_task(one.answer(work(gate, name, key=key), seconds=5)) for name, key in keys.items()]
        await asyncio.sleep(0.05)
        gate.open.set()
        await asyncio.gather(first, *rest)

    asyncio.run(ask())
    assert gate.together == [["first"], ["a1", "a2"], ["b1", "b2"], ["alone"]]


def test_a_batch_has_no_more_rows_than_it_may(lane):
    gate = Gate()
    one = lane(most_rows=4)

    async def ask():
        first = asyncio.create_task(one.answer(work(gate, "first"), seconds=5))
        await asyncio.to_thread(gate.begun.wait, 5)
        sizes = {"two": 2, "three": 3, "one": 1, "nine": 9}
        rest = [asyncio.create_task(one.answer(work(gate, name, rows=rows), seconds=5)) for name, rows in sizes.items()]
        await asyncio.sleep(0.05)
        gate.open.set()
        await asyncio.gather(first, *rest)

    asyncio.run(ask())
    # Three rows do not fit beside two, one row does; nine are more than a batch may have and run alone.
    assert gate.together == [["first"], ["two", "one"], ["three"], ["nine"]]


def test_a_full_queue_refuses_and_says_when_to_come_back(lane):
    gate = Gate()
    one = lane(most=3)

    async def ask():
        tasks = [asyncio.create_task(one.answer(work(gate, 0), seconds=5))]
        await asyncio.to_thread(gate.begun.wait, 5)
        tasks += [asyncio.create_task(one.answer(work(gate, number), seconds=5)) for number in (1, 2)]
        await asyncio.sleep(0.05)
        with pytest.raises(
            Refused, match=r"3 requests of 'shop' are under way already\. Try again in 1 s\."
        ) as refused:
            await one.answer(work(gate, 3), seconds=5)
        gate.open.set()
        await asyncio.gather(*tasks)
        return refused.value

    refused = asyncio.run(ask())
    assert (refused.status, refused.reason, refused.headers) == (429, "busy", {"Retry-After": "1"})


def test_who_would_wait_too_long_by_the_pace_of_late_is_refused_but_never_the_first(lane):
    gate = Gate()
    one = lane(wait_seconds=1.0, most=100)
    one.pace.note("predict", rows=1, seconds=0.4)

    async def ask():
        tasks = [asyncio.create_task(one.answer(work(gate, 0, rows=50), seconds=5))]
        await asyncio.to_thread(gate.begun.wait, 5)
        tasks += [asyncio.create_task(one.answer(work(gate, number), seconds=5)) for number in (1, 2)]
        await asyncio.sleep(0.05)
        with pytest.raises(Refused, match="3 requests of"):
            await one.answer(work(gate, 3), seconds=5)
        gate.open.set()
        await asyncio.gather(*tasks)

    asyncio.run(ask())


def test_one_bad_row_costs_only_its_own_request(lane):
    def run(works):
        if any(one.payload == "bad" for one in works):
            raise ValueError("bad")
        gate.together.append(len(works))
        return [one.payload for one in works]

    gate = Gate()
    one = lane()

    async def ask():
        first = asyncio.create_task(one.answer(work(gate, "first"), seconds=5))
        await asyncio.to_thread(gate.begun.wait, 5)
        rest = [asyncio.create_task(one.answer(work(run, name), seconds=5)) for name in ("good", "bad", "fine")]
        await asyncio.sleep(0.05)
        gate.open.set()
        return await asyncio.gather(first, *rest, return_exceptions=True)

    _, good, bad, fine = asyncio.run(ask())
    assert (good, fine) == ("good", "fine")
    assert isinstance(bad, ValueError)


def test_an_answer_that_does_not_come_is_given_up_and_its_work_is_not_begun(lane):
    gate = Gate()
    one = lane()

    async def ask():
        first = asyncio.create_task(one.answer(work(gate, "first"), seconds=5))
        await asyncio.to_thread(gate.begun.wait, 5)
        with pytest.raises(Refused, match=r"No answer within 0\.05 s\. Ask for fewer rows at once\.") as refused:
            await one.answer(work(gate, "late"), seconds=0.05)
        gate.open.set()
        await first
        return refused.value

    assert asyncio.run(ask()).status == 504
    one.close()
    assert gate.together == [["first"]]


def test_a_closed_lane_answers_what_waits_and_takes_nothing_more(lane):
    gate = Gate()
    gate.open.set()
    one = lane()

    async def ask():
        found = await one.answer(work(gate, "here"), seconds=5)
        await asyncio.to_thread(one.close)
        with pytest.raises(Refused, match="This server is closing down"):
            await one.answer(work(gate, "more"), seconds=5)
        return found

    assert asyncio.run(ask()) == "here"


def test_several_threads_answer_at_once(lane):
    both = threading.Barrier(2, timeout=5)

    def run(works):
        both.wait()
        return [one.payload for one in works]

    one = lane(threads=2)

    async def ask():
        return await asyncio.gather(
            *(one.answer(work(run, number, key=None), seconds=5) for number in (1, 2)), return_exceptions=True
        )

    assert asyncio.run(ask()) == [1, 2]
