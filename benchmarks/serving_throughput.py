"""Answers a second and the 95th percentile beside `mlflow models serve` of the same release, turn by turn."""

import sys
from statistics import median

from benchmarks.figures import Figure, ratio, share
from benchmarks.serving_answers import Answers
from benchmarks.serving_home import SCENARIO, ServingHome
from benchmarks.serving_load import ClosedLoop, drive
from benchmarks.serving_peer import mlflow_serving, peer_requests
from benchmarks.serving_server import polyloom_serving, predict_requests
from benchmarks.serving_texts import customers_texts, returning_texts

CALLERS = 32
TEXTS_A_ROUND, RETURNING = 8_000, 500
WARM_UP_TEXTS, WARM_UP_SECONDS = 500, 5.0
GOAL = 5.0


def throughput_figures(home: ServingHome, *, rounds: int, seconds: float, workers: int | None = None) -> list[Figure]:
    """Both servers up, one asked after the other, the same texts in the same order.

    First texts that no server has met before, each once; then 500 of them as customers ask, some again and again. The
    medians of all rounds are compared. What else the machine does falls on both.
    """
    champion = home.registry().resolve(SCENARIO)
    new = customers_texts(home.questions, count=WARM_UP_TEXTS + rounds * TEXTS_A_ROUND)
    again = returning_texts(new[:RETURNING], count=WARM_UP_TEXTS + rounds * TEXTS_A_ROUND)
    model = home.folder / "models" / SCENARIO / champion.digest
    figures = []
    with polyloom_serving(home) as server, mlflow_serving(model, workers=workers) as peer:
        ports = {"polyloom": server.port, "mlflow": peer.port}
        for name, texts in {"each text new": new, "500 texts that come back": again}.items():
            found = turns(ports, texts, rounds=rounds, seconds=seconds)
            figures += compared(found["polyloom"], found["mlflow"], name)
    return figures


def turns(ports: dict[str, int], texts: list[str], *, rounds: int, seconds: float) -> dict[str, list[Answers]]:
    """What both sides answered, turn by turn, warm before the first."""
    sides = {"polyloom": predict_requests(texts), "mlflow": peer_requests(texts)}
    for name, requests in sides.items():
        part = requests[:WARM_UP_TEXTS]
        drive(ClosedLoop(port=ports[name], requests=part, seconds=WARM_UP_SECONDS, callers=CALLERS))
    found: dict[str, list[Answers]] = {name: [] for name in sides}
    for number in range(rounds):
        part = slice(WARM_UP_TEXTS + number * TEXTS_A_ROUND, WARM_UP_TEXTS + (number + 1) * TEXTS_A_ROUND)
        for name, requests in sides.items():
            load = ClosedLoop(port=ports[name], requests=requests[part], seconds=seconds, callers=CALLERS)
            found[name].append(drive(load))
            print(f"{name}: {found[name][-1].line()}", file=sys.stderr, flush=True)
    return found


def compared(ours: list[Answers], theirs: list[Answers], kind: str) -> list[Figure]:
    """The figures of both sides' rounds over one kind of texts."""
    rates, latencies = ([[getattr(one, name) for one in side] for side in (ours, theirs)] for name in COMPARED)
    return [
        ratio(
            f"requests answered a second, {CALLERS} callers, {kind}, beside mlflow models serve",
            median(rates[0]),
            "requests/s",
            against=median(rates[1]),
            at_least=GOAL,
        ),
        ratio(
            f"95th percentile of the same, {kind}",
            median(latencies[0]),
            "ms",
            against=median(latencies[1]),
            at_most=1.0,
        ),
        share(
            f"requests answered with 200, {kind}",
            done=sum(one.counts.get(200, 0) for one in ours),
            of=sum(len(one.status) for one in ours),
            unit="requests",
        ),
    ]


COMPARED = ("per_second", "p95")
