"""The queue before a release: bounded, and what waits together is answered together.

Nothing waits for company: whatever came while the last batch ran is the next batch. So a lone request is answered at
once, and under load batches grow by themselves, up to as many rows as were answered within `BATCH_SECONDS` of late.
A request that would have to wait too long is refused before anything is done for it.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from releases.serving.pace import Pace
from releases.serving.priority import compute_behind_others
from releases.serving.refusal import Refused, seconds_to_wait

Run = Callable[[Sequence["Work"]], Sequence[Any]]


class Watching(Protocol):
    """Who is told of batches."""

    def batch(self, *, scenario: str, action: str, rows: int, seconds: float) -> None:
        """A batch was answered."""

    def waited(self, *, scenario: str, seconds: float) -> None:
        """A request's time in the queue."""


@dataclass(kw_only=True, eq=False)
class Work:
    """What one request wants: works of one `key` that is not None may run as one batch, by the `run` of the first.

    `run` gives a result for each of its works, in their order; one that is an exception is raised for that work alone.
    """

    action: str
    run: Run
    rows: int = 1
    key: Hashable | None = None
    payload: Any = None
    release: str = ""
    since: float = field(default_factory=time.monotonic)
    answer: "asyncio.Future[Any] | None" = None


class Lane:
    """The queue of one scenario and the threads that answer it. Use from one event loop."""

    def __init__(
        self,
        scenario: str,
        *,
        most: int,
        wait_seconds: float,
        most_rows: int = 64,
        threads: int = 1,
        watching: Watching | None = None,
    ) -> None:
        self.scenario = scenario
        self.pace = Pace(most_rows=most_rows, workers=threads)
        self._most = most
        self._open = 0
        self._wait_seconds = wait_seconds
        self._watching = watching
        self._queue: deque[Work] = deque()
        self._expected = 0.0
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"{scenario} {number}", daemon=True) for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def depth(self) -> int:
        """How many requests wait."""
        return len(self._queue)

    @property
    def is_full(self) -> bool:
        """Whether a further request would have to wait too long."""
        return self._has_no_room()

    def check(self, action: str = "", rows: int = 1) -> None:
        """Raises: Refused (429) where such a request would have to wait too long."""
        if self._has_no_room(self.pace.seconds(action, rows)):
            raise self.refusal()

    def refusal(self) -> Refused:
        """What is said to a request for which there is no room."""
        wait, others = self.pace.wait(self._expected), f"{self._open} requests of {self.scenario!r}"
        return Refused(
            429,
            "busy",
            f"{others} are under way already. Try again in {seconds_to_wait(wait)} s.",
            retry_after_seconds=wait,
        )

    def _has_no_room(self, seconds: float = 0.0) -> bool:
        wait = self.pace.wait(self._expected) + seconds
        return self._open >= self._most or bool(self._queue and wait > self._wait_seconds)

    async def answer(self, work: Work, *, seconds: float) -> Any:
        """The result of a work. Raises: Refused where the queue is full (429) or `seconds` passed (504)."""
        loop = asyncio.get_running_loop()
        work.answer = loop.create_future()
        self._put(work)
        self._open += 1
        handle = loop.call_later(seconds, self._give_up, work, seconds)
        try:
            return await work.answer
        finally:
            self._open -= 1
            handle.cancel()

    def close(self) -> None:
        """Answer what waits, then end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _put(self, work: Work) -> None:
        self.check(work.action, work.rows)
        with self._changed:
            if self._closed:
                raise Refused(503, "closing", "This server is closing down. Ask another one.", retry_after_seconds=1)
            self._queue.append(work)
            self._expected += self.pace.seconds(work.action, work.rows)
            self._changed.notify()

    @staticmethod
    def _give_up(work: Work, seconds: float) -> None:
        if work.answer is not None and not work.answer.done():
            work.answer.set_exception(
                Refused(504, "too_slow", f"No answer within {seconds:g} s. Ask for fewer rows at once.")
            )

    def _work(self) -> None:
        """One thread: batch after batch, until closed and empty."""
        compute_behind_others()
        while batch := self._next():
            began = time.monotonic()
            results = self._results(batch)
            self._hand_out(batch, results)
            self._note(batch, began)

    def _next(self) -> list[Work]:
        """The next batch; works whose caller has gone are passed over. Empty once closed."""
        with self._changed:
            while True:
                while self._queue:
                    batch = self._taken()
                    if batch:
                        return batch
                if self._closed:
                    return []
                self._changed.wait()

    def _taken(self) -> list[Work]:
        first = self._queue.popleft()
        batch, rest, rows = [first], [], first.rows
        most = self.pace.most_rows
        while first.key is not None and self._queue and rows < most:
            work = self._queue.popleft()
            if work.key == first.key and rows + work.rows <= most:
                batch.append(work)
                rows += work.rows
            else:
                rest.append(work)
        self._queue.extendleft(reversed(rest))
        waits = (self.pace.seconds(work.action, work.rows) for work in self._queue)
        self._expected = sum(waits)
        return [work for work in batch if work.answer is not None and not work.answer.done()]

    def _results(self, batch: list[Work]) -> Sequence[Any]:
        try:
            return batch[0].run(batch)
        except Exception as error:  # noqa: BLE001  (whatever one request dies of, the thread and the others live)
            if len(batch) == 1:
                return [error]
        # Somebody's row is at fault; the others must not suffer for it.
        return [self._results([work])[0] for work in batch]

    @staticmethod
    def _hand_out(batch: list[Work], results: Sequence[Any]) -> None:
        """Give each its result, in one call of the loop."""

        def settle() -> None:
            for work, result in zip(batch, results, strict=True):
                if work.answer is None or work.answer.done():
                    continue
                if isinstance(result, Exception):
                    work.answer.set_exception(result)
                else:
                    work.answer.set_result(result)

        if batch[0].answer is not None:
            batch[0].answer.get_loop().call_soon_threadsafe(settle)

    def _note(self, batch: list[Work], began: float) -> None:
        seconds, rows, action = time.monotonic() - began, sum(work.rows for work in batch), batch[0].action
        self.pace.note(action, rows=rows, seconds=seconds, release=batch[0].release)
        if self._watching is not None:
            self._watching.batch(scenario=self.scenario, action=action, rows=rows, seconds=seconds)
            for work in batch:
                self._watching.waited(scenario=self.scenario, seconds=began - work.since)
