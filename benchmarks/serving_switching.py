"""Minutes of load while the champion is another release each minute: what fails, who answers, and the memory."""

import sys
import time
from itertools import pairwise
from statistics import median

from benchmarks.figures import Figure, share
from benchmarks.serving_answers import Answers
from benchmarks.serving_home import SCENARIO, ServingHome
from benchmarks.serving_load import ClosedLoop, Generator
from benchmarks.serving_server import polyloom_serving, predict_requests
from benchmarks.serving_texts import customers_texts

TEXTS = 20_000
EACH_SECONDS = 60.0
LOOK_SECONDS = 5.0
# By then both releases have been open once, and so has the memory for the second beside the first.
SETTLED_SECONDS = 120.0
FLAT = 0.05
# What one look shows is chance: a batch on its way, a release that opens.
LOOKS = 6


def switching_figures(home: ServingHome, *, minutes: float, callers: int = 32) -> list[Figure]:
    """A real promotion each minute, by the registry, from the process that measures."""
    one, other = home.releases(2)
    registry = home.registry()
    requests = predict_requests(customers_texts(home.questions, count=TEXTS))
    with polyloom_serving(home) as server:
        load = Generator(ClosedLoop(port=server.port, requests=requests, seconds=60 * minutes, callers=callers))
        memory, promoted = list[tuple[float, int]](), 0
        while not load.ended_within(LOOK_SECONDS):
            since = time.monotonic() - load.started
            memory.append((since, server.resident_bytes))
            if since >= EACH_SECONDS * (promoted + 1) and since < 60 * minutes - LOOK_SECONDS:
                champion = registry.resolve(SCENARIO).version
                following = other if champion == one.version else one
                registry.promote(SCENARIO, following.version, expected=champion, who="bench", why="another minute")
                promoted += 1
                print(f"{since:.0f} s: version {following.version}, {told(memory)}", file=sys.stderr, flush=True)
        return figures_of(load.answers(), memory, promoted, {one.digest, other.digest})


def figures_of(answers: Answers, memory: list[tuple[float, int]], promoted: int, digests: set[str]) -> list[Figure]:
    """What was told of the whole time."""
    print(answers.line(), file=sys.stderr)
    failed = len(answers.status) - answers.counts.get(200, 0)
    answered_after = switches(answers)
    settled = [value for since, value in memory if since >= SETTLED_SECONDS] or [value for _, value in memory]
    first, last = median(settled[:LOOKS]), median(settled[-LOOKS:])
    return [
        Figure(
            name=f"requests not answered with 200, {promoted} promotions, {len(answers.status):,} requests",
            value=failed,
            unit="requests",
            goal="0",
            met=failed == 0,
        ),
        share("releases seen in answers", done=len(digests & set(answers.releases)), of=len(digests), unit="releases"),
        share("promotions that answers followed", done=answered_after, of=promoted, unit="promotions"),
        Figure(
            name=f"memory at the end beside minute 2, {told(memory)}",
            value=round(last / 2**20, 1),
            unit="MiB",
            against=round(first / 2**20, 1),
            ratio=round(last / first, 4),
            goal="within 5%",
            met=abs(last / first - 1) <= FLAT,
        ),
    ]


def switches(answers: Answers) -> int:
    """How many times the answers, in the order in which they came, went over to another release for good."""
    order = answers.ended.argsort()
    minutes = (answers.ended[order] - answers.started) // EACH_SECONDS
    # Around a switch batches of both come back; by the end of its minute one release answers.
    last = {
        int(minute): str(release) for minute, release in zip(minutes, answers.release[order], strict=True) if release
    }
    stood = [last[minute] for minute in sorted(last)]
    return sum(before != after for before, after in pairwise(stood))


def told(memory: list[tuple[float, int]]) -> str:
    """The range of what was seen."""
    values = [value / 2**20 for _, value in memory]
    return f"{min(values):.0f} to {max(values):.0f} MiB seen"
