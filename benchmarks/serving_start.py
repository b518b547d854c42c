"""From the start of the process until `/ready`, with two scenarios; the memory then, and whether torch is in it."""

from statistics import median

from benchmarks.figures import Figure, below
from benchmarks.serving_home import SCENARIOS, ServingHome
from benchmarks.serving_server import polyloom_serving

TIMES = 5
GOAL_SECONDS = 5.0


def start_figures(home: ServingHome) -> list[Figure]:
    """Started so many times, one after the other; the files are in the system's cache from the second time on."""
    seconds, resident, with_torch = list[float](), list[float](), 0
    for _ in range(TIMES):
        with polyloom_serving(home) as server:
            seconds.append(server.ready_seconds)
            resident.append(server.resident_bytes / 2**20)
            with_torch += server.has_torch
    return [
        below(
            f"start to ready with {' and '.join(SCENARIOS)}, the median of {TIMES}",
            median(seconds),
            "s",
            limit=GOAL_SECONDS,
        ),
        below("the same, the best", min(seconds), "s", limit=GOAL_SECONDS),
        below(f"processes with torch in them ({median(resident):.0f} MiB each)", with_torch, "processes", limit=0),
    ]
