"""A registered release opened and asked in a process of its own, as a service would: nothing of the training is there.

    python -m releases.load_test < request.json > result.json

The request: `tracking_uri`, `ledgers`, `scenario`, `version`, `task`, and `rows`, each a JSON object. The result: the
answers in the order of the rows, the milliseconds of each row asked alone, those from start to ready, and what of the
training code was imported, which is nothing.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from polyloom.errors import IntegrityError

TIMEOUT_SECONDS = 300
# The first questions pay for what is loaded late.
WARM_UP = 3
HEAVY = ("torch", "transformers", "timm", "prefect")


@dataclass(frozen=True)
class LoadTest:
    """How a release did: `answers` as JSON by row, times in milliseconds."""

    answers: Sequence[Any]
    p50_milliseconds: float
    p95_milliseconds: float
    ready_milliseconds: float


def load_test(
    *, tracking_uri: str, ledgers: Path, scenario: str, version: str, task: str, rows: Sequence[Mapping[str, Any]]
) -> LoadTest:
    """Open a version from the registry in a new process and ask it every row alone.

    Raises: IntegrityError when it cannot be opened, cannot answer, takes more than five minutes, or needs the code that
    trains.
    """
    request = {
        "tracking_uri": tracking_uri,
        "ledgers": str(ledgers),
        "scenario": scenario,
        "version": version,
        "task": task,
        "rows": list(rows),
    }
    # An empty folder: nothing beside the release may help.
    with tempfile.TemporaryDirectory() as empty:
        command = [sys.executable, "-m", "releases.load_test"]
        try:
            done = subprocess.run(
                command,
                input=json.dumps(request),
                capture_output=True,
                text=True,
                timeout=TIMEOUT_SECONDS,
                cwd=empty,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise IntegrityError(f"{scenario}: version {version} did not answer in {TIMEOUT_SECONDS} s.") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise IntegrityError(
            f"{scenario}: version {version} cannot be loaded from the registry: {said[-1] if said else 'no reason'}"
        )
    return read_result(json.loads(done.stdout), scenario=scenario, version=version)


def read_result(result: Mapping[str, Any], *, scenario: str, version: str) -> LoadTest:
    """What the process said. Raises: IntegrityError when it imported what trains."""
    if result["heavy"]:
        raise IntegrityError(f"{scenario}: version {version} needs {', '.join(result['heavy'])} to answer.")
    times = np.array(result["milliseconds"][WARM_UP:] or result["milliseconds"] or [0.0])
    return LoadTest(
        answers=result["answers"],
        p50_milliseconds=float(np.quantile(times, 0.5)),
        p95_milliseconds=float(np.quantile(times, 0.95)),
        ready_milliseconds=float(result["ready"]),
    )


def main() -> None:
    """Read a request, answer it."""
    begun = time.perf_counter()
    request = json.load(sys.stdin)
    from releases.registry import Registry
    from releases.runtime import Runtime

    found = Registry(request["tracking_uri"], Path(request["ledgers"])).resolve(request["scenario"], request["version"])
    runtime = Runtime.open(found.path, digest=found.digest)
    ready = time.perf_counter() - begun
    answers, milliseconds = [], []
    for row in request["rows"]:
        asked = time.perf_counter()
        (prediction,) = runtime.predict([row])
        milliseconds.append((time.perf_counter() - asked) * 1000)
        answers.append(told(prediction.answers.get(request["task"])))
    heavy = [name for name in HEAVY if name in sys.modules]
    json.dump({"answers": answers, "milliseconds": milliseconds, "ready": ready * 1000, "heavy": heavy}, sys.stdout)


def told(answer: Any) -> Any:
    """An answer as what two processes must agree on."""
    if answer is None:
        return None
    return {"label": answer.label, "value": answer.value, "probability": answer.probability}


if __name__ == "__main__":
    main()
