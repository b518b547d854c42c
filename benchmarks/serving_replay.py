"""A hundred predictions served by three releases under load, then run again: the same to the last bit, or not."""

import asyncio
import functools
import json
import sys
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from benchmarks.figures import Figure, below, share
from benchmarks.serving_home import SCENARIO, ServingHome
from benchmarks.serving_http import Line
from benchmarks.serving_server import Server, polyloom_serving, predict_requests
from benchmarks.serving_texts import customers_texts

if TYPE_CHECKING:
    from releases.registry import Registered

PREDICTIONS, RELEASES, CALLERS = 100, 3, 32
# Were most of them alone, nothing would be shown of batches.
HALF = PREDICTIONS // 2
# Enough that a server which looks once a second has seen the change, and opened the release.
PATIENCE = 600
PAUSE_SECONDS = 0.1
TIMEOUT_SECONDS = 30.0


def replay_figures(home: ServingHome) -> list[Figure]:
    """Callers at once, so that requests share batches, whose company changes the last bits of a score."""
    releases = home.releases(RELEASES)
    requests = iter(predict_requests(customers_texts(home.questions, count=2_000)))
    answered: list[dict[str, Any]] = []
    with polyloom_serving(home) as server:
        for number, release in enumerate(releases, start=1):
            promote(home, release)
            asyncio.run(until_served(server, next(requests), release.digest))
            wanted = PREDICTIONS * number // len(releases) - len(answered)
            answered += asyncio.run(replies(server, list(islice(requests, wanted))))
    return held_against_log(home, releases, answered)


def held_against_log(
    home: ServingHome, releases: Sequence["Registered"], answered: Sequence[dict[str, Any]]
) -> list[Figure]:
    """What was answered, what the log holds, and what the release says now."""
    from releases.runtime import Runtime
    from releases.serving.prediction_log import PredictionLog
    from releases.serving.replay import differences, replay

    folders = {one.digest: one.path for one in releases}

    @functools.cache
    def opened(digest: str, threads: int) -> Runtime:
        return Runtime.open(folders[digest], digest=digest, threads=threads)

    log, same, kept, shared = PredictionLog(home.folder / "predictions"), 0, 0, 0
    for one in answered:
        logged = log.find(one["prediction"])
        again = replay(logged, opened(one["release"]["digest"], logged.batch.threads))
        same += again.same
        kept += not list(differences(0, one["predictions"], again.then))
        shared += len(logged.batch.members) > 1
        if not again.same:
            print(f"{again.prediction}: {again.why}; {again.differences[:2]}", file=sys.stderr)
    log.close()
    by = {one.version: sum(reply["release"]["digest"] == one.digest for reply in answered) for one in releases}
    told = ", ".join(f"{count} by version {version}" for version, count in by.items())
    return [
        share(
            f"predictions that are the same again, bit for bit ({told})", done=same, of=PREDICTIONS, unit="predictions"
        ),
        share("predictions of which the log holds what was answered", done=kept, of=PREDICTIONS, unit="predictions"),
        below("predictions that had a batch to themselves", len(answered) - shared, "predictions", limit=HALF),
    ]


def promote(home: ServingHome, release: "Registered") -> None:
    """Make a release champion, as a person would."""
    registry = home.registry()
    champion = registry.resolve(SCENARIO).version
    registry.promote(SCENARIO, release.version, expected=champion, who="bench", why="to be replayed")


async def until_served(server: Server, request: bytes, digest: str) -> None:
    """Wait until a release answers."""
    line = Line(server.port, timeout_seconds=TIMEOUT_SECONDS)
    for _ in range(PATIENCE):
        if digest.encode() in (await line.ask(request)).body:
            line.close()
            return
        await asyncio.sleep(PAUSE_SECONDS)
    sys.exit(f"{SCENARIO}: {digest} was promoted and does not answer")


async def replies(server: Server, requests: Sequence[bytes]) -> list[dict[str, Any]]:
    """The answers to some requests, of several callers at once."""
    lines = [Line(server.port, timeout_seconds=TIMEOUT_SECONDS) for _ in range(CALLERS)]
    found: list[dict[str, Any]] = []

    async def call(number: int) -> None:
        for request in requests[number::CALLERS]:
            found.append(json.loads((await lines[number].ask(request)).body))  # noqa: PERF401  (one after the other)

    await asyncio.gather(*map(call, range(CALLERS)))
    for line in lines:
        line.close()
    return found
