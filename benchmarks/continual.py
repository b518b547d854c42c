"""Learning in steps: `python -m benchmarks.continual [--seeds 0 1 2] [--strategy frozen] --json`.

Banking77 in seven steps of 11 intents, whose order each seed draws: after the last step all 77 compete on all test
rows, and nobody says which step a row belongs to. Replay, elastic weights, learning without forgetting and naively
going on, against one fit over all rows. Each figure is the mean over the seeds with its 95% interval (Student's t), and
each accuracy that of the exported graphs.

The recipe is the shipped scenario's, the weights are the kinds' usual ones. `--split validation` holds out a tenth of
the training file and judges by that; no setting was chosen by test rows.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.few_shot import SCENARIO, Row, read_rows
from benchmarks.figures import Figure, show

LABELS_A_STEP, MEMORY = 11, 20
GOAL = 0.92
JOINT, REPLAY = "all rows at once", f"replay, {MEMORY} rows an intent"
STEPS: Mapping[str, Any] = {"steps": LABELS_A_STEP}
WAYS: Mapping[str, Mapping[str, Any] | None] = {
    JOINT: None,
    REPLAY: {**STEPS, "kind": "replay", "memory": MEMORY},
    "naive": {**STEPS, "kind": "naive"},
    "elastic weights (EWC)": {**STEPS, "kind": "ewc"},
    "learning without forgetting": {**STEPS, "kind": "lwf"},
    **{
        f"replay, {rows} row{'s' if rows > 1 else ''} an intent": {**STEPS, "kind": "replay", "memory": rows}
        for rows in (5, 10, 40)
    },
}
STRATEGIES: Mapping[str, Mapping[str, Any]] = {
    "frozen": {},
    "full": {"epochs": 3, "batch_size": 32, "learning_rate": 3e-4, "encoder_learning_rate": 5e-5, "patience": 0},
}


def main() -> None:
    """Run all seeds and ways and print the figures."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with the data set banking77.")
    ways = {name: way for name, way in WAYS.items() if asked.way is None or any(one in name for one in asked.way)}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as place:
        os.environ["POLYLOOM_HOME"] = place
        folder = Path(place) / "data"
        write_tables(Path(data) / "banking77", folder, judged=asked.split, share=asked.rows)
        bench = Bench(folder, strategy=asked.strategy, changed=yaml.safe_load(asked.changed) or {})
        for seed in asked.seeds:
            for name, way in ways.items():
                started = time.monotonic()
                found[name].append({**bench.run(way, seed=seed), "seconds": time.monotonic() - started})
                print(f"seed {seed}, {name}: {told(found[name][-1])}", file=sys.stderr, flush=True)
    if asked.keep:
        asked.keep.write_text(json.dumps(found, indent=1), encoding="utf-8")
    sys.exit(show("continual", summary(found, strategy=asked.strategy), as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="each draws an order of the intents")
    parser.add_argument("--strategy", choices=list(STRATEGIES), default="frozen")
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="which rows are judged")
    parser.add_argument("--rows", type=float, default=1.0, help="the share of the rows that is used, for trials")
    parser.add_argument("--way", nargs="+", metavar="WORDS", help="only the ways whose name has one of these")
    parser.add_argument("--changed", default="{}", metavar="YAML", help="keys of the recipe to change, for trials")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write everything that was measured there, as JSON")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def write_tables(data: Path, folder: Path, *, judged: str, share: float) -> None:
    """Three tables; `test` holds the rows that are judged, of either file."""
    parts = divided(read_rows(data / "train.csv"), seed=77, judged=judged == "validation")
    if judged == "test":
        parts["test"] = read_rows(data / "test.csv")
    folder.mkdir()
    for split, rows in parts.items():
        kept = random.Random(1).sample(rows, round(share * len(rows)))
        lines = [json.dumps({"id": f"{split}{number}", **row}) for number, row in enumerate(kept)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def divided(rows: Sequence[Row], *, seed: int, judged: bool) -> dict[str, list[Row]]:
    """Every tenth row to choose epochs by, with `judged` another tenth to judge settings by, the rest to learn from."""
    mixed = random.Random(seed).sample(rows, len(rows))
    parts = {"validation": mixed[::10], **({"test": mixed[1::10]} if judged else {})}
    taken = {0, 1} if judged else {0}
    return {"train": [row for place, row in enumerate(mixed) if place % 10 not in taken], **parts}


class Bench:
    """Runs ways over one snapshot; vectors are computed once."""

    def __init__(self, folder: Path, *, strategy: str, changed: Mapping[str, Any]) -> None:
        from flows.scenario_file import load_scenario
        from flows.stages.ingest import ingest
        from polyloom.progress import SILENT

        self.path = folder / "steps.yaml"
        self.path.write_text(yaml.safe_dump(scenario(folder, strategy, changed), sort_keys=False), encoding="utf-8")
        report = ingest(load_scenario(str(self.path), overrides=[]), progress=SILENT)
        self.snapshot = str(report.folder)
        self.runs = 0

    def run(self, way: Mapping[str, Any] | None, *, seed: int) -> dict[str, Any]:
        """The accuracy of one way's graphs on the judged rows, and what its fit told of its steps."""
        from flows.tuning.attempt import answers

        from flows.stages.embed import embed_frozen
        from flows.stages.export import export_graphs
        from flows.stages.fit import fit
        from flows.stages.job import Job
        from flows.stages.prepare import prepare
        from polyloom.progress import SILENT

        self.runs += 1
        overrides = [f"recipe.seed={seed}"]
        if way is not None:
            overrides.append(f"recipe.continual={json.dumps(way)}")
        job = Job.load(
            {
                "scenario": str(self.path),
                "overrides": overrides,
                "snapshot": self.snapshot,
                "fingerprint": f"{self.runs:016d}",
            }
        )
        prepare(job, progress=SILENT)
        embed_frozen(job, progress=SILENT)
        fitted = fit(job, progress=SILENT, on_epoch=lambda _: None)
        export_graphs(job, progress=SILENT)
        judged = answers(job, split="test")
        return {"accuracy": float(judged.scorer(judged.truth, judged.predicted)), **(fitted.get("continual") or {})}


def scenario(folder: Path, strategy: str, changed: Mapping[str, Any]) -> dict[str, Any]:
    """The shipped scenario over the tables."""
    own = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    own["name"] = "steps"
    own["data"]["queries"] |= {
        "path": {split: str(folder / f"{split}.jsonl") for split in ("train", "validation", "test")},
        "key": "id",
    }
    del own["index"], own["recipe"]["auto"]
    own["recipe"] |= {"strategy": strategy, **STRATEGIES[strategy], **changed}
    return dict(own)


def told(result: Mapping[str, Any]) -> str:
    """One run in a line."""
    said = f"{result['accuracy']:.4f}, {result['seconds']:.0f} s"
    steps = result.get("steps")
    if not steps:
        return said
    return f"{said}, {' '.join(str(step['so_far']) for step in steps)}, forgot {steps[-1]['forgetting']:.4f}"


def summary(found: Mapping[str, Sequence[Mapping[str, Any]]], *, strategy: str) -> list[Figure]:
    """Replay's share of the accuracy of all rows at once, with the goal; then each way's accuracy and forgetting."""
    figures = []
    if found.get(JOINT) and found.get(REPLAY):
        shares = [one["accuracy"] / other["accuracy"] for one, other in zip(found[REPLAY], found[JOINT], strict=True)]
        share = statistics.mean(shares)
        figures.append(
            Figure(
                name=f"{strategy}, {REPLAY}: share of the accuracy of {JOINT}, {spread(shares)}",
                value=round(share, 4),
                unit="",
                against=1.0,
                ratio=round(share, 4),
                goal=f"at least {GOAL}",
                met=share >= GOAL,
            )
        )
    for name, runs in found.items():
        figures += measured(f"{strategy}, {name}", runs)
    return figures


def measured(name: str, runs: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """A way's accuracy, and what it forgot."""
    figures = [shown(f"{name}: accuracy", [run["accuracy"] for run in runs])]
    if all(run.get("steps") for run in runs):
        figures.append(shown(f"{name}: forgetting", [run["steps"][-1]["forgetting"] for run in runs]))
    return figures


def shown(name: str, values: Sequence[float]) -> Figure:
    """A mean without a goal."""
    value = round(statistics.mean(values), 4)
    return Figure(name=f"{name}, {spread(values)}", value=value, unit="", goal="shown", met=True)


def spread(values: Sequence[float]) -> str:
    """The interval of a mean over the seeds, in words."""
    if len(values) < 2:
        return "1 seed"
    from scipy.stats import t

    reach = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    middle = statistics.mean(values)
    return f"95% interval {middle - reach:.4f} to {middle + reach:.4f} over {len(values)} seeds"


if __name__ == "__main__":
    main()
