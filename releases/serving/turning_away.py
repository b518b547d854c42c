"""Refusals of a full queue, made before a request is: a look into a dictionary, and an answer that is nearly ready."""

import time
from collections.abc import Callable, Mapping
from uuid import uuid4

import orjson

from releases.serving.handled import Handled
from releases.serving.lane import Lane
from releases.serving.refusal import PROBLEM, Refused
from releases.serving.routes import ACTIONS

FEEDBACK = "feedback"
TOLD_SECONDS = 1.0


class TurningAway:
    """Answers for lanes that are full. `handled` counts each request; `told` hears once a second how many it were."""

    def __init__(
        self, lanes: Mapping[str, Lane], *, handled: Callable[[Handled], None], told: Callable[[str, int], None]
    ) -> None:
        self._lanes = {
            f"/v1/{scenario}/{action}".encode(): (scenario, action, lane)
            for scenario, lane in lanes.items()
            for action in ACTIONS
            if action != FEEDBACK
        }
        self._handled = handled
        self._told = told
        self._counts: dict[str, int] = {}
        self._since = float("-inf")

    def __call__(self, url: bytes) -> bytes | None:
        """The whole answer to a request for `url`; None where there is room for it, or it is for somebody else."""
        found = self._lanes.get(url)
        if found is None or not found[2].is_full:
            return None
        scenario, action, lane = found
        request_id = uuid4().hex
        self._handled(
            Handled(
                request_id=request_id,
                method="POST",
                route=f"/v1/{{scenario}}/{action}",
                status=429,
                seconds=0.0,
                scenario=scenario,
                refused="busy",
            )
        )
        self._count(scenario)
        return answer(lane.refusal(), request_id)

    def _count(self, scenario: str) -> None:
        self._counts[scenario] = self._counts.get(scenario, 0) + 1
        now = time.monotonic()
        if now - self._since >= TOLD_SECONDS:
            for name, count in self._counts.items():
                self._told(name, count)
            self._counts, self._since = {}, now


def answer(refused: Refused, request_id: str) -> bytes:
    """A refusal as the bytes of an answer after which the connection goes on."""
    body = orjson.dumps(refused.problem(request_id))
    headers = {
        "content-type": PROBLEM,
        "content-length": str(len(body)),
        "x-request-id": request_id,
        **{name.lower(): value for name, value in refused.headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {refused.status} Too Many Requests\r\n{head}\r\n".encode() + body
