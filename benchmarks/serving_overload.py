"""Ten times more than the server can answer: what is answered stays quick, the rest is told when to come again."""

import sys
from dataclasses import replace

from benchmarks.figures import Figure, below, ratio
from benchmarks.serving_answers import Answers
from benchmarks.serving_home import ServingHome
from benchmarks.serving_load import ClosedLoop, Generator, OpenLoop, drive
from benchmarks.serving_server import Server, polyloom_serving, predict_requests
from benchmarks.serving_texts import customers_texts

TEXTS, SINGLES = 30_000, 3_000
CALLERS = 32
TIMES = 10
CAPACITY_SECONDS, SINGLE_SECONDS, TRIAL_SECONDS = 20.0, 10.0, 5.0
CONNECTIONS = 1_000
LOOK_SECONDS = 5.0
TRIALS = 4
# A rate counts as sent where so few of its requests were not, in a trial that also opens the connections.
UNSENT = 0.15
SLOWER, LARGER, AFTERWARDS = 2.0, 1.5, 1.25


def overload_figures(home: ServingHome, *, seconds: float) -> list[Figure]:
    """Capacity first, then an open loop of ten times that, or of as much as this machine can send beside the server."""
    requests = predict_requests(customers_texts(home.questions, count=TEXTS))
    # Texts of their own, which no server remembers: before and afterwards are to cost the same.
    first, last, requests = requests[:SINGLES], requests[SINGLES : 2 * SINGLES], requests[2 * SINGLES :]
    with polyloom_serving(home) as server:
        closed = ClosedLoop(port=server.port, requests=requests, seconds=CAPACITY_SECONDS, callers=CALLERS)
        single = replace(closed, requests=first, callers=1, seconds=SINGLE_SECONDS)
        drive(replace(closed, seconds=TRIAL_SECONDS))
        before, alone, resident = said(drive(closed)), said(drive(single)), server.resident_bytes
        rate = sendable(server, requests, TIMES * before.per_second)
        load = Generator(overload(server, requests, rate=rate, seconds=seconds))
        seen = [server.resident_bytes]
        while not load.ended_within(LOOK_SECONDS):
            seen.append(server.resident_bytes)
        during = said(load.answers())
        afterwards = said(drive(replace(single, requests=last)))
        return [
            *refusals(during),
            sent(during, before),
            ratio(
                "95th percentile of what was answered meanwhile", during.p95, "ms", against=before.p95, at_most=SLOWER
            ),
            ratio("memory, the highest meanwhile", max(seen) / 2**20, "MiB", against=resident / 2**20, at_most=LARGER),
            ratio(
                "median of single requests afterwards",
                afterwards.milliseconds(0.5),
                "ms",
                against=alone.milliseconds(0.5),
                at_most=AFTERWARDS,
            ),
        ]


def overload(server: Server, requests: list[bytes], *, rate: float, seconds: float) -> OpenLoop:
    """So many requests a second, whatever the answers."""
    return OpenLoop(port=server.port, requests=requests, seconds=seconds, rate=rate, connections=CONNECTIONS)


def sendable(server: Server, requests: list[bytes], wanted: float) -> float:
    """The wanted rate, or less where generator and server together find no more processor."""
    rate = wanted
    for _ in range(TRIALS):
        trial = said(drive(overload(server, requests, rate=rate, seconds=TRIAL_SECONDS)))
        if trial.unsent <= UNSENT * (trial.unsent + len(trial.status)):
            break
        rate = min(0.9 * rate, len(trial.status) / TRIAL_SECONDS)
    return rate


def sent(during: Answers, before: Answers) -> Figure:
    """How much of an overload it was."""
    return ratio(
        f"sent in {during.seconds:.0f} s, beside what 32 callers get answered; {during.unsent:,} could not be sent",
        len(during.status) / during.seconds,
        "requests/s",
        against=before.per_second,
        at_least=TIMES,
    )


def refusals(during: Answers) -> list[Figure]:
    """Whether everything was answered, or refused as it should be."""
    others = sum(count for status, count in during.counts.items() if status not in {200, 429})
    told = f"{during.counts.get(200, 0):,} answered, {during.counts.get(429, 0):,} refused"
    return [
        below(
            f"neither answered nor refused with 429 ({told}; {during.failures or 'no failures'})",
            others,
            "requests",
            limit=0,
        ),
        below("refused without Retry-After", during.busy_without_wait, "requests", limit=0),
    ]


def said(answers: Answers) -> Answers:
    """The same, shown to those who watch."""
    print(answers.line(), file=sys.stderr, flush=True)
    return answers
