"""The peer: `mlflow models serve` of the same release's pyfunc, as MLflow itself would have it.

MLflow's defaults hold (uvicorn, one worker, 60 s for a request) but for the environment, which is ours: by default
it would install the same packages once more. `--peer-workers` gives it more processes.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.serving_http import post
from flows.processes import Running, launch, pick_port, stop, wait_healthy

NAME = "bench-peer"
START_SECONDS = 180.0


@contextmanager
def mlflow_serving(model: Path, *, workers: int | None = None) -> Iterator[Running]:
    """A server of the model in a folder for as long as the block runs, warm enough to answer `/ping`."""
    port = pick_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(model), "--port", str(port)]
    command += ["--env-manager", "local", *(["--workers", str(workers)] if workers else [])]
    # MLflow starts `uvicorn` by its name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    running = launch(NAME, command, port=port, url=f"http://127.0.0.1:{port}", environment={"PATH": path})
    try:
        wait_healthy(running, "/ping", timeout_seconds=START_SECONDS)
        yield running
    finally:
        stop(running)


def peer_requests(texts: Sequence[str]) -> list[bytes]:
    """A request with one row for each text."""
    return [post("/invocations", {"dataframe_split": {"columns": ["text"], "data": [[text]]}}) for text in texts]
