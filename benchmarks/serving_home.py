"""A state folder for the benchmark alone, with both demo scenarios released: whoever measures keeps their champions."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from polyloom.home import home

if TYPE_CHECKING:
    from releases.registry import Registered, Registry

SCENARIO = "support"
SCENARIOS = ("support", "shop")
# What the scenario says, then others: a release each.
SEEDS = (7, 8, 9)
REFUSED_BY_GATE = 3


@dataclass(frozen=True)
class ServingHome:
    """The folder; made once, used again until it is removed. `changes` are of the scenario, `KEY=VALUE`."""

    folder: Path
    changes: tuple[str, ...] = ()

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs that works on it."""
        root = str(Path(__file__).parent.parent)
        return {
            "POLYLOOM_HOME": str(self.folder),
            "MLFLOW_TRACKING_URI": self.tracking_uri,
            "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")])),
        }

    @property
    def tracking_uri(self) -> str:
        """Its own MLflow store."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def questions(self) -> Path:
        """The rows that the customers' texts are made of."""
        return self.folder / "datasets" / "support" / "questions.jsonl"

    def registry(self) -> "Registry":
        """Its releases."""
        from releases.registry import Registry

        return Registry(self.tracking_uri, self.folder / "ledger")

    def releases(self, count: int) -> list["Registered"]:
        """So many releases of the scenario, oldest first; what lacks is made by fits with other seeds."""
        registry = self.registry()
        for seed in SEEDS:
            if len(registry.versions(SCENARIO)) < count:
                self.run(SCENARIO, "--set", f"recipe.seed={seed}")
        return sorted(registry.versions(SCENARIO), key=lambda one: int(one.version))[:count]

    def run(self, scenario: str, *options: str) -> None:
        """Release a scenario, or leave it as it is where nothing changed; the gate may refuse it."""
        changed = [part for change in self.changes if scenario == SCENARIO for part in ("--set", change)]
        command = [sys.executable, "-m", "flows.cli", "run", scenario, *changed, *options, "--json"]
        done = subprocess.run(command, env={**os.environ, **self.environment}, stdout=subprocess.DEVNULL, check=False)
        if done.returncode not in {0, REFUSED_BY_GATE}:
            sys.exit(f"polyloom run {scenario} {' '.join(options)}: exit code {done.returncode}")


def serving_home(changes: Sequence[str] = ()) -> ServingHome:
    """`bench/serving` in the state folder with a champion of each scenario; with changes a folder of its own."""
    name = "-".join(["serving", *(re.sub(r"[^\w.]+", "_", change) for change in changes)])
    found = ServingHome(home() / "bench" / name, tuple(changes))
    for scenario in SCENARIOS:
        if not (found.folder / "ledger" / f"{scenario}.jsonl").is_file():
            found.run(scenario)
    return found
