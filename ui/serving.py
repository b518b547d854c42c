"""What the page knows of a server: its own words at `/ready` and `/metrics`, and the predictions that it kept."""

import contextlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from flows import processes
from flows.serving_record import SERVE
from polyloom.errors import PolyloomError
from polyloom.home import home
from releases.serving.recent_predictions import Kept, recent

__all__ = ["Kept", "ServedScenario", "Serving", "kept_predictions", "server_url", "serving"]

ADDRESS = "POLYLOOM_API_URL"
SECONDS = 2.0
Labels = Mapping[str, str]


@dataclass(frozen=True)
class ServedScenario:
    """A scenario as a server answers for it. Counts are since its start, `p95_seconds` is None before the first."""

    name: str
    version: str
    digest: str
    stale_because: str | None
    answered: int
    rows: int
    waiting: int
    rows_per_second: float
    p95_seconds: float | None


@dataclass(frozen=True)
class Serving:
    """A server at one moment, `at` in seconds of a clock that only goes on.

    A server that asks for tokens says no more than whether it is ready: `is_open` is false, and there are no figures.
    """

    url: str
    is_ready: bool
    is_open: bool
    log_state: str
    scenarios: tuple[ServedScenario, ...] = ()
    refused: Mapping[str, int] = field(default_factory=dict)
    memory_bytes: int = 0
    at: float = field(default_factory=time.monotonic)


def server_url() -> str | None:
    """The server to look at: the one that a variable names, that `polyloom up` or that `polyloom serve` started."""
    named = os.environ.get(ADDRESS)
    if named:
        return named.rstrip("/")
    records = [processes.read_record(name) for name in ("api", SERVE)]
    return next((one.url for one in records if one is not None and one.alive()), None)


def serving(url: str) -> Serving:
    """A server as it stands. Raises: PolyloomError where none answers there."""
    told = _ready(url)
    log_state = str(told["prediction_log"]["state"])
    if "scenarios" not in told:
        return Serving(url, told["ready"], is_open=False, log_state=log_state)
    figures = Figures(_get(f"{url}/metrics").decode())
    return Serving(
        url,
        told["ready"],
        is_open=True,
        log_state=log_state,
        scenarios=tuple(served(name, one, figures) for name, one in sorted(told["scenarios"].items())),
        refused=figures.counts("polyloom_refusals_total", by="reason"),
        memory_bytes=int(figures.total("process_resident_memory_bytes")),
    )


def _ready(url: str) -> dict[str, Any]:
    told = None
    with contextlib.suppress(ValueError):
        told = json.loads(_get(f"{url}/ready", also=(503,)))
    if not isinstance(told, dict) or not {"ready", "prediction_log"} <= told.keys():
        raise PolyloomError(f"{url}/ready says something else than a server of polyloom would.")
    return told


def served(name: str, told: Mapping[str, Any], figures: "Figures") -> ServedScenario:
    """One scenario, out of what the server says of it and its figures."""
    return ServedScenario(
        name=name,
        version=told["version"],
        digest=told["digest"],
        stale_because=told["stale_because"] if told["stale_since"] else None,
        answered=int(figures.total("polyloom_requests_total", scenario=name, status="200")),
        rows=int(figures.total("polyloom_rows_total", scenario=name)),
        waiting=int(figures.total("polyloom_queue_depth", scenario=name)),
        rows_per_second=figures.total("polyloom_rows_per_second", scenario=name),
        p95_seconds=figures.quantile("polyloom_request_seconds_bucket", 0.95, scenario=name),
    )


def kept_predictions(*, count: int) -> list[Kept]:
    """The predictions that servers of this home kept last."""
    return recent(home() / "predictions", count=count)


class Figures:
    """Prometheus' text, to be asked for sums over labels."""

    def __init__(self, text: str) -> None:
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples[sample.name].append(sample)

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric over all that has these labels."""
        return sum(sample.value for sample in self._of(name, labels))

    def counts(self, name: str, *, by: str) -> dict[str, int]:
        """A counter's values by one label, the largest first; none that are zero."""
        found: dict[str, int] = defaultdict(int)
        for sample in self._of(name, {}):
            found[sample.labels[by]] += int(sample.value)
        return dict(sorted(((key, count) for key, count in found.items() if count), key=lambda pair: -pair[1]))

    def quantile(self, name: str, share: float, **labels: str) -> float | None:
        """A quantile out of a histogram's buckets, straight within a bucket, as Prometheus' `histogram_quantile`."""
        counts: dict[float, float] = defaultdict(float)
        for sample in self._of(name, labels):
            counts[float(sample.labels["le"])] += sample.value
        bounds = sorted(counts)
        if not bounds or not counts[bounds[-1]]:
            return None
        wanted, low, below = share * counts[bounds[-1]], 0.0, 0.0
        for bound in bounds[:-1]:
            if counts[bound] >= wanted:
                return low + (bound - low) * (wanted - below) / (counts[bound] - below)
            low, below = bound, counts[bound]
        return low

    def _of(self, name: str, labels: Labels) -> Iterable[Sample]:
        return (one for one in self._samples[name] if labels.items() <= one.labels.items())


def _get(url: str, *, also: tuple[int, ...] = ()) -> bytes:
    """What a server answers. Raises: PolyloomError where it does not, or with another status than 200 or `also`."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=SECONDS) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            if error.code in also:
                return error.read()
        raise PolyloomError(f"{url} answered with {error.code}. Is it a server of polyloom?") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise PolyloomError(f"{url} does not answer: {getattr(error, 'reason', error)}") from error
