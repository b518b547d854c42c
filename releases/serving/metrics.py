"""What a server tells Prometheus: counts, times and states, by names of its own and never by what callers sent."""

import math
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics

from polyloom.version import VERSION
from releases.serving.handled import Handled
from releases.serving.known import OTHER, Known, one_of
from releases.serving.process_threads import process_threads

OPEN_METRICS = "application/openmetrics-text"
SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
WHY_UNLOGGED = frozenset({"off", "slow", "full", "failed", "closed"})
# Read when they are scraped: what they are, and by which labels.
WATCHED = {
    "in_flight": ("Requests that are being answered.", ()),
    "queue_depth": ("Rows that wait for a batch.", ("scenario",)),
    "rows_per_second": ("Rows a second that the server takes itself to manage.", ("scenario",)),
    "stale_since_timestamp_seconds": (
        "Since when the registry has not confirmed the champion; 0 while it does.",
        ("scenario",),
    ),
    "prediction_log_up": ("1 while predictions are kept, 0 while they cannot be.", ()),
    "server_log_lost_lines": ("Lines that the server's own log could not take.", ()),
}


class Metrics:
    """Metrics in a registry of their own, so that two servers in one process do not share them."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self.registry = own = CollectorRegistry()
        by_scenario, by_action = ("scenario",), ("scenario", "action")
        self._requests = Counter(
            "polyloom_requests", "Answered requests.", ("route", "scenario", "status"), registry=own
        )
        self._latency = Histogram(
            "polyloom_request_seconds",
            "From the first byte of a request to the last of its answer, where it was not refused (4xx).",
            ("route", "scenario"),
            registry=own,
            buckets=SECONDS,
        )
        self._refusals = Counter("polyloom_refusals", "Refused requests.", ("reason",), registry=own)
        self._rows = Counter("polyloom_rows", "Rows that were answered.", by_scenario, registry=own)
        self._waits = Histogram(
            "polyloom_queue_seconds", "How long rows waited for a batch.", by_scenario, registry=own, buckets=SECONDS
        )
        self._batch_rows = Histogram(
            "polyloom_batch_rows", "Rows in a batch.", by_action, registry=own, buckets=BATCH_ROWS
        )
        self._batch_seconds = Histogram(
            "polyloom_batch_seconds", "How long a batch took.", by_action, registry=own, buckets=SECONDS
        )
        self._release = Gauge(
            "polyloom_release", "The release that answers.", ("scenario", "version", "digest"), registry=own
        )
        self._switches = Counter(
            "polyloom_switches", "Changes to another release.", ("scenario", "outcome"), registry=own
        )
        self._unlogged = Counter("polyloom_unlogged", "Answers that are not in the log.", ("reason",), registry=own)
        self._watched = {
            name: Gauge(f"polyloom_{name}", what, labels, registry=own) for name, (what, labels) in WATCHED.items()
        }
        Info("polyloom_build", "The code that serves.", registry=own).info({"version": VERSION})
        Gauge("polyloom_threads", "Threads of the process.", registry=own).set_function(process_threads)
        ProcessCollector(registry=own)
        self._answering: dict[str, tuple[str, str]] = {}

    def handled(self, handled: Handled) -> None:
        """Count an answered request."""
        told = self._known.clean(handled)
        scenario = one_of(self._known.scenarios, told.scenario)
        self._requests.labels(told.route, scenario, told.status or OTHER).inc()
        # Thousands of quick refusals would hide that answers are slow.
        if not 400 <= told.status < 500:
            self._latency.labels(told.route, scenario).observe(told.seconds)
        if told.refused:
            self._refusals.labels(told.refused).inc()
        if told.rows and not told.refused:
            self._rows.labels(scenario).inc(told.rows)

    def cut_off(self, reason: str) -> None:
        """A client that was turned away before it had asked anything."""
        self._refusals.labels(one_of(self._known.reasons, reason)).inc()

    def batch(self, *, scenario: str, action: str, rows: int, seconds: float) -> None:
        """A batch that went through a release."""
        labels = one_of(self._known.scenarios, scenario), one_of(self._known.actions, action)
        self._batch_rows.labels(*labels).observe(rows)
        self._batch_seconds.labels(*labels).observe(seconds)

    def waited(self, *, scenario: str, seconds: float) -> None:
        """How long a request's rows stood in the queue."""
        self._waits.labels(one_of(self._known.scenarios, scenario)).observe(seconds)

    def released(self, scenario: str, version: str, digest: str) -> None:
        """Which release answers from now on, in place of the one before."""
        scenario = one_of(self._known.scenarios, scenario)
        before = self._answering.get(scenario)
        self._answering[scenario] = version, digest
        self._release.labels(scenario, version, digest).set(1)
        if before is not None and before != (version, digest):
            self._release.remove(scenario, *before)

    def switched(self, scenario: str, *, ok: bool) -> None:
        """A change to another release, or one that failed and left the old one answering."""
        self._switches.labels(one_of(self._known.scenarios, scenario), "done" if ok else "failed").inc()

    def unlogged(self, reason: str) -> None:
        """An answer that was given and not kept."""
        self._unlogged.labels(one_of(WHY_UNLOGGED, reason)).inc()

    def watch(self, name: str, read: Callable[[], float | None], *, scenario: str | None = None) -> None:
        """A state that is read whenever it is scraped, one of WATCHED; None is 0, and a failure to read is NaN."""
        gauge = self._watched[name]
        if scenario is not None:
            gauge = gauge.labels(one_of(self._known.scenarios, scenario))
        gauge.set_function(lambda: quietly(read))

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """All of it, and its content type: OpenMetrics where the Accept header asks for that, else Prometheus' own."""
        # The library's own choice echoes the header's version and dies of one that is no number.
        if OPEN_METRICS in accept:
            written: bytes = openmetrics.generate_latest(self.registry)  # type: ignore[no-untyped-call]
            return written, openmetrics.CONTENT_TYPE_LATEST
        return generate_latest(self.registry), CONTENT_TYPE_PLAIN_0_0_4


def quietly(read: Callable[[], float | None]) -> float:
    """A state, or NaN: one that cannot be read must not cost all the others."""
    try:
        return float(read() or 0)
    except Exception:  # noqa: BLE001  (whatever is watched may die of anything)
        return math.nan
