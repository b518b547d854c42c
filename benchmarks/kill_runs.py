"""`kill -9` at random moments of `polyloom run`, then the same command again until it ends.

    python -m benchmarks.kill_runs --kills 20 --json

A run that ends before its kill is compared with the undisturbed one, and the kills go on with a fresh state folder.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, share, show
from flows.templates import write_scenario
from ingestion.snapshots import open_snapshot
from polyloom.durable import read_json
from releases.bundle import verify
from releases.mlflow_store import connect
from retrieval.live import open_index

NAME = "killed"
# Every step is a checkpoint, and there are enough of them that most kills fall into the fit.
SETTINGS = ("recipe.epochs=40", "recipe.patience=0", "recipe.batch_size=16", "recipe.checkpoint_seconds=0")
LIMIT_SECONDS = 300
POLL_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.5


@dataclass
class Survived:
    """What the killed runs came to."""

    kills: int = 0
    finished: list[dict[str, Any]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    runs: list[list[str]] = field(default_factory=list)


def write_job(folder: Path) -> Path:
    """The scenario that is run and killed."""
    return write_scenario(NAME, folder=folder)


def start(scenario: Path, environment: Mapping[str, str]) -> "subprocess.Popen[str]":
    """The command, started."""
    overrides = [word for setting in SETTINGS for word in ("--set", setting)]
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "run", str(scenario), *overrides, "--json"],
        cwd=scenario.parent,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """The result of a run that is left alone."""
    try:
        out, err = process.communicate(timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    if process.returncode != 0:
        raise RuntimeError(f"the run ended with {process.returncode}:\n{err}")
    result: dict[str, Any] = json.loads(out)
    return result


def kill_at(process: "subprocess.Popen[str]", home: Path, *, event: int, pause: float) -> bool:
    """`kill -9` once this start has written so many events to its journal; False when the run had ended before.

    Events, not seconds: where the machine is busy, a moment on the clock would mostly fall into the imports.
    """
    older = events(home)
    while process.poll() is None:
        if events(home) - older >= event:
            time.sleep(pause)
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return process.returncode == -signal.SIGKILL
        time.sleep(POLL_SECONDS)
    return False


def events(home: Path) -> int:
    """How many events all runs of a state folder have written."""
    return sum(journal.read_bytes().count(b"\n") for journal in home.glob(f"journal/{NAME}/*.jsonl"))


def broken_folders(home: Path) -> list[str]:
    """Published folders under a state folder that are not whole; names that begin with a dot are not published."""
    found = []
    for folder, check in published(home):
        try:
            check(folder)
        except Exception as error:  # noqa: BLE001 - whatever a reader may meet is what is counted
            found.append(f"{folder}: {type(error).__name__}: {error}")
    return found


def published(home: Path) -> list[tuple[Path, Any]]:
    """Every published folder with what opens it."""
    kinds = {
        f"snapshots/*/{'[0-9a-f]' * 64}": read_snapshot,
        "runs/*/*/checkpoints/step-*": lambda folder: read_json(folder / "state.json"),
        "runs/*/*/fitted": lambda folder: read_json(folder / "tasks" / "tone.json"),
        "runs/*/*/preparation": lambda folder: read_json(folder / "words" / "preparation.json"),
        "runs/*/*/heads": lambda folder: read_json(folder / "tone" / "head.json"),
        "runs/*/*/evaluation": lambda folder: read_json(folder / "decoders.json"),
        "releases/*/*": read_bundle,
    }
    return [
        (folder, check)
        for pattern, check in kinds.items()
        for folder in sorted(home.glob(pattern))
        if folder.is_dir() and not folder.name.startswith(".")
    ]


def read_snapshot(folder: Path) -> None:
    """Every file of a snapshot, by its digest."""
    snapshot = open_snapshot(folder)
    snapshot.table("reviews")
    snapshot.quarantine()


def read_bundle(folder: Path) -> None:
    """Every file of a bundle by its digest, and its index."""
    verify(folder, expected=folder.name)
    digest = read_json(folder / "application.json")["modalities"]["words"]["digest"]
    open_index(folder / "index", encoders={"words": digest}, trusted=True)


def run_states(tracking_uri: str) -> list[str]:
    """The states of all MLflow runs of the scenario."""
    client = connect(tracking_uri)
    experiment = client.get_experiment_by_name(NAME)
    return [run.info.status for run in client.search_runs([experiment.experiment_id])] if experiment else []


def disturb(
    scenario: Path,
    environment: Mapping[str, str],
    *,
    kills: int,
    last_event: int,
    seed: int,
    finish_last: bool = True,
) -> Survived:
    """Kill runs in one state folder until `kills` fell or a run ended; then let it end, if `finish_last`."""
    home, chance = Path(environment["POLYLOOM_HOME"]), random.Random(seed)
    survived = Survived()
    while survived.kills < kills:
        process = start(scenario, environment)
        moment, pause = chance.randint(0, last_event), chance.uniform(0.0, LONGEST_PAUSE_SECONDS)
        if not kill_at(process, home, event=moment, pause=pause):
            survived.finished.append(finish(process))
            break
        survived.kills += 1
        survived.broken += broken_folders(home)
    if not survived.finished and finish_last:
        survived.finished.append(finish(start(scenario, environment)))
    survived.broken += broken_folders(home)
    survived.runs.append(run_states(environment["MLFLOW_TRACKING_URI"]))
    return survived


def state(folder: Path) -> dict[str, str]:
    """A state folder of its own."""
    home = folder / "home"
    home.mkdir(parents=True)
    return {"POLYLOOM_HOME": str(home), "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}"}


def measure(*, kills: int, seed: int) -> list[Figure]:
    """Kill until the number is reached, over as many applications as it takes."""
    with tempfile.TemporaryDirectory() as given:
        folder = Path(given)
        scenario = write_job(folder)
        quiet = state(folder / "undisturbed")
        undisturbed = finish(start(scenario, quiet))
        last_event = events(Path(quiet["POLYLOOM_HOME"]))
        parts: list[Survived] = []
        while (left := kills - sum(part.kills for part in parts)) > 0:
            number = len(parts)
            part = disturb(
                scenario, state(folder / f"part{number}"), kills=left, last_event=last_event, seed=seed + number
            )
            parts.append(part)
            print(f"{sum(one.kills for one in parts)} of {kills} kills", *part.broken, sep="\n", file=sys.stderr)
    return figures(undisturbed, parts, kills=kills)


def figures(undisturbed: dict[str, Any], parts: list[Survived], *, kills: int) -> list[Figure]:
    """What the issue asks of killed runs."""
    same = sum(part.finished[0]["metrics"] == undisturbed["metrics"] for part in parts)
    bytewise = sum(part.finished[0]["release"]["digest"] == undisturbed["release"]["digest"] for part in parts)
    single = sum(part.runs == [["FINISHED"]] for part in parts)
    broken = sum(len(part.broken) for part in parts)
    return [
        share("kills", done=sum(part.kills for part in parts), of=kills, unit="kills"),
        share("ended with the undisturbed run's metrics", done=same, of=len(parts), unit="applications"),
        share(
            "ended with the undisturbed run's bundle, byte for byte", done=bytewise, of=len(parts), unit="applications"
        ),
        share("one MLflow run each, FINISHED", done=single, of=len(parts), unit="applications"),
        Figure(name="half-written published folders", value=broken, unit="folders", goal="0", met=broken == 0),
    ]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    return show("kill_runs", measure(kills=asked.kills, seed=asked.seed), as_json=asked.json)


if __name__ == "__main__":
    sys.exit(main())
