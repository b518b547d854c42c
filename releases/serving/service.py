"""The scenarios that a server answers for, with everything that stands between a request and its release."""

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from polyloom.errors import RequestError
from releases.runtime import Runtime
from releases.serving import schemas
from releases.serving.access import Access, Caller
from releases.serving.actions import Actions, Task
from releases.serving.batches import Outcome, work_of
from releases.serving.champion import Champion, Served
from releases.serving.context import Context
from releases.serving.described import described
from releases.serving.feedback import Feedback
from releases.serving.handled import Handled
from releases.serving.lane import Lane
from releases.serving.limits import Limits
from releases.serving.metrics import Metrics
from releases.serving.prediction_log import PredictionLog
from releases.serving.refusal import Refused
from releases.serving.request_id import request_id
from releases.serving.routes import Route
from releases.serving.server_log import ServerLog
from releases.serving.traces import RequestSpan, Tracer
from releases.serving.turning_away import TurningAway

Explorer = Callable[[Runtime], Any]
NO_SCENARIO = ""
PICTURE_BYTES = 4_096
"""A body of more than this may hold a picture, and is not taken apart on the loop that all others wait for."""


@dataclass(kw_only=True)
class Parts:
    """What a service is put together from."""

    champions: Mapping[str, Champion]
    access: Access
    limits: Limits
    metrics: Metrics
    log: ServerLog
    tracer: Tracer
    keeping: PredictionLog
    feedback: Feedback
    explorer: Explorer | None = None
    check_caller: Callable[[str | None, str | None], None] = field(default=lambda _host, _origin: None)
    threads: int = 1


class Service:
    """Answers requests that were let in; see `releases.serving.guard` for who is."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.limits = parts.limits
        self.log = parts.log
        self.scenarios = frozenset(parts.champions)
        self._is_closing = False
        self._intake = ThreadPoolExecutor(max_workers=2, thread_name_prefix="intake")
        self._lanes = {
            name: Lane(
                name,
                most=parts.limits.under_way,
                wait_seconds=parts.limits.wait_seconds,
                most_rows=parts.limits.rows,
                threads=parts.threads,
                watching=parts.metrics,
            )
            for name in parts.champions
        }
        self.turning_away = TurningAway(self._lanes, handled=parts.metrics.handled, told=self._told_turned_away)
        self._watch()

    @property
    def is_open(self) -> bool:
        """Whether anybody on this machine may ask."""
        return self.parts.access.is_open

    async def answer(self, scenario: str, action: str, asked: Any, context: Context) -> Outcome:
        """What a release says to a request. Raises: Refused and RequestError."""
        served = self.champion(scenario).served
        context.release, context.version = served.digest, served.version
        task = await self._task(served, action, asked, context)
        context.rows = len(task.rows)
        work = work_of(served, task, request_id=context.request_id, keeping=self.parts.keeping)
        began = time.monotonic()
        found: Outcome = await self._lanes[scenario].answer(work, seconds=self.limits.answer_seconds)
        if context.span is not None:
            context.span.was("release", begun=began, ended=time.monotonic(), rows=len(task.rows))
        if found.prediction is None and task.run is None:
            self.parts.metrics.unlogged("off" if self.parts.keeping.status.state == "off" else "failed")
        return found

    async def feedback(self, scenario: str, given: Any) -> schemas.Kept:
        """Keep what came back. Raises: Refused and RequestError."""
        served = self.champion(scenario).served
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._intake, self.parts.feedback.take, served, given)

    def champion(self, scenario: str) -> Champion:
        """The champion of a scenario. Raises: Refused (404) for one that is not served here."""
        found = self.parts.champions.get(scenario)
        if found is None:
            raise Refused(404, "no_such_scenario", f"This server answers for {', '.join(sorted(self.scenarios))}.")
        return found

    def described(self, scenario: str, *, whole: bool = False) -> dict[str, Any]:
        """A scenario as callers see it."""
        return described(self.champion(scenario), whole=whole)

    def readiness(self) -> dict[str, Any]:
        """Whether requests are answered; which releases do; and what is not as it should be.

        Anybody may ask for it: where tokens are needed it says no more than a load balancer has to know.
        """
        champions, status = self.parts.champions, self.parts.keeping.status
        if not self.is_open:
            stale = any(one.standing.stale_since is not None for one in champions.values())
            return {"ready": not self._is_closing, "stale": stale, "prediction_log": {"state": status.state}}
        kept = {"state": status.state, "reason": status.reason, "lost": status.lost}
        told = {name: described(champion) for name, champion in champions.items()}
        return {"ready": not self._is_closing, "scenarios": told, "prediction_log": kept}

    def metrics_text(self, accept: str) -> tuple[bytes, str]:
        """What Prometheus gets."""
        return self.parts.metrics.text(accept)

    def request_id(self, given: str | None) -> str:
        """The id of a request."""
        return request_id(given)

    def admit(self, headers: dict[bytes, bytes], route: Route, client: str) -> Caller:
        """Let a request in; what names no scenario of this server is to whoever may not know them all one of those.

        Raises: Refused.
        """
        authorization, host, origin = (header(headers, name) for name in (b"authorization", b"host", b"origin"))
        if self.is_open:
            self.parts.check_caller(host, origin)
        scope = None if route.scope == "any" else route.scope
        named = NO_SCENARIO if route.scenario is None and "{scenario}" in route.template else route.scenario
        return self.parts.access.admit(authorization, scope=scope, scenario=named, address=client)

    def check_lane(self, route: Route) -> None:
        """Raises: Refused where a request would wait too long, or the server closes."""
        if self._is_closing and route.action:
            raise Refused(503, "closing", "This server is closing down. Ask another one.", retry_after_seconds=1)
        if route.scenario is not None and route.action not in {None, "feedback"}:
            self._lanes[route.scenario].check()

    def span(self, traceparent: str | None, route: Route) -> AbstractContextManager[RequestSpan]:
        """The span of a request, where requests are traced."""
        return self.parts.tracer.request(traceparent, route.template)

    def handled(self, handled: Handled) -> None:
        """A request was answered."""
        self.parts.metrics.handled(handled)
        self.parts.log.handled(handled)

    def failed(self, error: BaseException, request_id: str) -> None:
        """A request died of something that is not its own fault."""
        self.parts.log.failure(error, request_id)

    def begin_closing(self) -> None:
        """Say that nothing new should come; what is here is answered."""
        self._is_closing = True

    def close(self) -> None:
        """Answer what waits, keep what is to be kept, and end."""
        self._is_closing = True
        for champion in self.parts.champions.values():
            champion.close()
        for lane in self._lanes.values():
            lane.close()
        self._intake.shutdown()
        self.parts.keeping.close()
        self.parts.tracer.close()
        self.parts.log.close()

    async def _task(self, served: Served, action: str, asked: Any, context: Context) -> Task:
        actions: Actions = served.door
        prepare = getattr(actions, action)
        if action == "recommend" and asked.explore:
            if self.parts.explorer is None:
                raise RequestError("This server does not explore. Leave explore out.")
            explore = self.parts.explorer(served.runtime)
            return await self._aside(lambda: prepare(asked, explore=explore))
        if action == "recommend" or context.bytes_in > PICTURE_BYTES:
            return await self._aside(lambda: prepare(asked))
        found: Task = prepare(asked)
        return found

    async def _aside(self, prepare: Callable[[], Task]) -> Task:
        """Prepare a request where nobody waits for it."""
        return await asyncio.get_running_loop().run_in_executor(self._intake, prepare)

    def _told_turned_away(self, scenario: str, count: int) -> None:
        self.log.event("turned_away", level="warning", scenario=scenario, count=count)

    def _watch(self) -> None:
        metrics = self.parts.metrics
        for name, champion in self.parts.champions.items():
            lane = self._lanes[name]
            metrics.released(name, champion.served.version, champion.served.digest)
            self._watch_one(name, champion, lane)
        metrics.watch("prediction_log_up", lambda: self.parts.keeping.status.state == "on")
        metrics.watch("server_log_lost_lines", lambda: self.parts.log.lost)

    def _watch_one(self, name: str, champion: Champion, lane: Lane) -> None:
        metrics = self.parts.metrics
        metrics.watch("queue_depth", lambda: lane.depth, scenario=name)
        metrics.watch("rows_per_second", lambda: lane.pace.rows_per_second, scenario=name)
        metrics.watch("stale_since_timestamp_seconds", lambda: champion.standing.stale_since, scenario=name)


def header(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    """A header as text."""
    return headers[name].decode("latin-1") if name in headers else None
