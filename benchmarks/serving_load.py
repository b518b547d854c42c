"""Load on a local server out of a process of its own, so that neither its clock nor its garbage waits for the measurer.

Closed loop: callers that each send their next request when the last is answered. Open loop: requests at a fixed rate
with Poisson gaps, whatever the answers; latency counts from when a request was due, also where it waits behind others.
"""

import asyncio
import gc
import multiprocessing
import random
import re
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.connection import Connection as Pipe

from benchmarks.serving_answers import Answers, Told
from benchmarks.serving_http import Line, NoAnswer

DIGEST = re.compile(rb"\b[0-9a-f]{64}\b")
# A server that refuses connections is asked again, not hammered.
PAUSE_SECONDS = 0.05
# A generator so far behind cannot send at this rate: that is told, and is not the server's latency.
LATE_SECONDS = 0.5
spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, kw_only=True)
class ClosedLoop:
    """`requests` are sent in their order, again from the first, by whichever caller is free."""

    port: int
    requests: Sequence[bytes]
    seconds: float
    callers: int = 32
    timeout_seconds: float = 30.0

    async def told(self, told: list[Told]) -> int:
        """Send until the time is over; what was not sent: nothing."""
        requests, end = cycle(self.requests), time.monotonic() + self.seconds
        await asyncio.gather(*(self._call(requests, end, told) for _ in range(self.callers)))
        return 0

    async def _call(self, requests: Iterator[bytes], end: float, told: list[Told]) -> None:
        line = Line(self.port, timeout_seconds=self.timeout_seconds)
        while (now := time.monotonic()) < end:
            told.append(await asked(line, next(requests), due=now))
            if told[-1].status == 0:
                await asyncio.sleep(PAUSE_SECONDS)
        line.close()


@dataclass(frozen=True, kw_only=True)
class OpenLoop:
    """`rate` is requests a second; `connections` bounds those in flight, `waiting` those that wait for one."""

    port: int
    requests: Sequence[bytes]
    seconds: float
    rate: float
    connections: int = 256
    waiting: int = 256
    timeout_seconds: float = 30.0
    seed: int = 7

    async def told(self, told: list[Told]) -> int:
        """Send until the time is over; gives how many could not be sent."""
        gaps, requests = random.Random(self.seed), cycle(self.requests)
        # Last in, first out: few connections at a low rate, none so idle that the server closes it.
        idle = [Line(self.port, timeout_seconds=self.timeout_seconds) for _ in range(self.connections)]
        waiting, running, unsent = deque[float](), set[asyncio.Task[None]](), 0
        due = time.monotonic()
        end = due + self.seconds
        while (due := due + gaps.expovariate(self.rate)) < end:
            # Also where nothing is to be waited for, so that answers are read.
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if time.monotonic() - due > LATE_SECONDS:
                unsent += 1
            elif idle:
                task = asyncio.create_task(self._send(idle.pop(), idle, waiting, requests, due, told))
                running.add(task)
                task.add_done_callback(running.discard)
            elif len(waiting) < self.waiting:
                waiting.append(due)
            else:
                unsent += 1
        await asyncio.gather(*running)
        for line in idle:
            line.close()
        return unsent

    async def _send(
        self,
        line: Line,
        idle: list[Line],
        waiting: deque[float],
        requests: Iterator[bytes],
        due: float,
        told: list[Told],
    ) -> None:
        told.append(await asked(line, next(requests), due=due))
        while waiting:
            told.append(await asked(line, next(requests), due=waiting.popleft()))
        idle.append(line)


async def asked(line: Line, request: bytes, *, due: float) -> Told:
    """One request, whatever becomes of it."""
    sent = time.monotonic()
    try:
        reply = await line.ask(request)
    except NoAnswer as none:
        return Told(due, sent, time.monotonic(), 0, none.kind, retry_after=False, release="")
    ended = time.monotonic()
    found = DIGEST.search(reply.head) or DIGEST.search(reply.body)
    release = found[0].decode() if found else ""
    return Told(due, sent, ended, reply.status, "", retry_after=b"\r\nretry-after:" in reply.head, release=release)


class Generator:
    """A load that goes on beside the caller, from when this is made until `answers`."""

    def __init__(self, load: ClosedLoop | OpenLoop) -> None:
        self._load = load
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(target=generate, args=(load, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.started: float = self._pipe.recv()

    def ended_within(self, seconds: float) -> bool:
        """Wait for the end, but no longer."""
        return self._pipe.poll(seconds)

    def answers(self) -> Answers:
        """All answers, once the load's time is over. Raises: EOFError when the process died."""
        answers: Answers = self._pipe.recv()
        self._process.join()
        return answers


def drive(load: ClosedLoop | OpenLoop) -> Answers:
    """A load from start to end."""
    return Generator(load).answers()


def generate(load: ClosedLoop | OpenLoop, pipe: "Pipe[object, object]") -> None:
    """The process: it says when it starts, and at the end what was told."""
    # What is kept here holds no cycles, and a collection would stop all callers at once.
    gc.disable()
    told: list[Told] = []
    started = time.monotonic()
    pipe.send(started)
    unsent = asyncio.run(load.told(told))
    pipe.send(Answers.of(told, started=started, seconds=load.seconds, unsent=unsent))
