"""Our server as a user starts it: `polyloom serve support shop`, and what the system tells of its process."""

import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measured import content
from benchmarks.serving_home import SCENARIO, SCENARIOS, ServingHome
from benchmarks.serving_http import post
from flows.processes import Running, healthy, launch, pick_port, stop, tail

NAME = "bench-serve"
START_SECONDS = 120.0
POLL_SECONDS = 0.02
# All load comes from one address: what bounds it must be the server's room, not the address's share.
PER_MINUTE = 100_000_000


@dataclass(frozen=True)
class Server:
    """A process that answers; `ready_seconds` is how long it took from its start until `/ready` said so."""

    running: Running
    ready_seconds: float

    @property
    def port(self) -> int:
        """Where it listens, on this machine alone."""
        return self.running.port

    @property
    def resident_bytes(self) -> int:
        """Its memory now (proc(5), `status`, VmRSS); 0 when it is gone."""
        found = re.search(rb"VmRSS:\s+(\d+) kB", content(Path(f"/proc/{self.running.pid}/status")))
        return int(found[1]) * 1024 if found else 0

    @property
    def has_torch(self) -> bool:
        """Whether torch is in the process: a library stays mapped, whatever Python's list of modules says."""
        return b"libtorch" in content(Path(f"/proc/{self.running.pid}/maps"))


@contextmanager
def polyloom_serving(home: ServingHome, *options: str) -> Iterator[Server]:
    """A server of both scenarios for as long as the block runs."""
    port = pick_port()
    command = [sys.executable, "-m", "flows.cli", "serve", *SCENARIOS, "--port", str(port), "--open"]
    command += ["--per-minute", str(PER_MINUTE), *options]
    started = time.monotonic()
    running = launch(NAME, command, port=port, url=f"http://127.0.0.1:{port}", environment=home.environment)
    try:
        while not healthy(port, "/ready"):
            if not running.alive() or time.monotonic() - started > START_SECONDS:
                sys.exit(f"polyloom serve does not answer. Its log {running.log} ends:\n{tail(running)}")
            time.sleep(POLL_SECONDS)
        yield Server(running, time.monotonic() - started)
    finally:
        stop(running)


def predict_requests(texts: Sequence[str]) -> list[bytes]:
    """A request with one row for each text; five labels each, as the peer gives."""
    return [post(f"/v1/{SCENARIO}/predict", {"rows": [{"text": text}], "top": 5}) for text in texts]
