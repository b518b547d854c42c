"""Few rows and none: `python -m benchmarks.few_shot [--seeds 0 1 2 3 4] --json`.

Banking77 with ten training rows an intent, drawn from the training file, and all 3,080 test rows: the mean over the
draws and their standard deviation. Each way goes from rows to exported graphs as in a run: contrastive pairs before
the frozen fit (`pretrain`), with and without the encoder as it came beside, the frozen fit alone, prototypes, and
zero-shot from the names of the intents. The first way learns from these names as from rows, which nobody had to label,
and averages five heads.

The run wants validation rows, to choose the best epoch by. Not to look at more labels than ten an intent, it gets
one of the ten once more under another id, so nothing is chosen by rows that were not learned from.

Settings were chosen on draws from seed 100 on, judged on other rows of the training file (`--split validation`).
"""

import argparse
import csv
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.figures import Figure, show
from benchmarks.ikea_fusion import deep_update

SCENARIO = Path(__file__).resolve().parent.parent / "scenarios" / "banking77.yaml"
TASK, LABEL = "intent", "category"
ROWS_A_LABEL, JUDGED_A_LABEL = 10, 20
WITH_NAMES = "names of intents as rows"
GOAL, BASELINE = 0.87, 0.855
Row = dict[str, str]

# Few rows of many dimensions: half and more of these are left out in each step, and no label is smoothed.
FROZEN: Mapping[str, Any] = {
    "fusion": {"kind": "concat", "hidden": 0, "dropout": 0.8},
    "recipe": {"epochs": 80, "patience": 0, "batch_size": 64, "learning_rate": 0.003, "label_smoothing": 0.0},
}
CONTRASTIVE = {"kind": "contrastive", "epochs": 3, "batch_size": 64, "learning_rate": 1e-4, "label_names": True}
TEXT = {
    "kind": "text",
    "model": "sentence-transformers/all-MiniLM-L6-v2",
    "weights": "packaged",
    "max_tokens": 128,
    "columns": ["text"],
}
# The encoder as it came knows what the pairs of a few rows make the other one forget.
BOTH: Mapping[str, Any] = {**FROZEN, "modalities": {"text": TEXT, "paired": TEXT}, "pretrain": {"paired": CONTRASTIVE}}
FIVE: Mapping[str, Any] = {**BOTH, "recipe": {**FROZEN["recipe"], "ensemble": {"members": 5}}}
WAYS: Mapping[str, Mapping[str, Any]] = {
    f"contrastive pairs beside the encoder as it came, then five heads, {WITH_NAMES}": FIVE,
    "contrastive pairs beside the encoder as it came, then a head": BOTH,
    "contrastive pairs alone, then a head": {**FROZEN, "pretrain": {"text": CONTRASTIVE}},
    "frozen head": FROZEN,
    "prototypes": {**FROZEN, "tasks": {TASK: {"head": "prototypes"}}},
    "zero-shot, names of intents": {"tasks": {TASK: {"zero_shot": {}}}},
}


def main() -> None:
    """Run all draws and print the figures."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with the data set banking77.")
    ways = {name: way for name, way in WAYS.items() if asked.way is None or asked.way in name}
    found: dict[str, list[float]] = {name: [] for name in ways}
    seconds: list[float] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["POLYLOOM_HOME"] = place
        for seed in asked.seeds:
            for name, way in ways.items():
                folder = Path(place) / f"draw{seed}-{list(WAYS).index(name)}"
                write_draw(
                    Path(data) / "banking77",
                    folder,
                    seed=seed,
                    judged=asked.split,
                    rows=asked.rows,
                    with_names=WITH_NAMES in name,
                )
                changes = deepcopy(dict(way))
                deep_update(changes, yaml.safe_load(asked.changed) or {})
                started = time.monotonic()
                found[name].append(accuracy(changes, folder, name=f"few_{seed}_{list(WAYS).index(name)}"))
                seconds.append(time.monotonic() - started)
                print(f"draw {seed}, {name}: {found[name][-1]:.4f}, {seconds[-1]:.0f} s", file=sys.stderr, flush=True)
    if asked.keep:
        asked.keep.write_text(json.dumps(found), encoding="utf-8")
    sys.exit(show("few_shot", summary(found), as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="a draw each")
    parser.add_argument("--rows", type=int, default=ROWS_A_LABEL, help="rows an intent that are learned from")
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="which rows are judged")
    parser.add_argument("--way", metavar="WORDS", help="only the ways whose name has these words")
    parser.add_argument("--changed", default="{}", metavar="YAML", help="keys of the scenario to change, for trials")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write each draw's accuracy there, as JSON")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def write_draw(data: Path, folder: Path, *, seed: int, judged: str, rows: int, with_names: bool) -> None:
    """A draw's tables; the table `test` holds the rows that are judged, of either split."""
    parts = draw(read_rows(data / "train.csv"), seed=seed, rows=rows)
    if with_names:
        names = sorted({row[LABEL] for row in parts["train"]})
        parts["train"] += [{"text": name.replace("_", " ").strip("?"), LABEL: name} for name in names]
    tested = parts["judged"] if judged == "validation" else read_rows(data / "test.csv")
    folder.mkdir()
    for split, own in (("train", parts["train"]), ("validation", parts["again"]), ("test", tested)):
        lines = [json.dumps({"id": f"{split}{number}", **row}) for number, row in enumerate(own)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV file."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def draw(known: Sequence[Row], *, seed: int, rows: int = ROWS_A_LABEL) -> dict[str, list[Row]]:
    """So many rows a label to learn from, one of these `again`, and other rows to judge settings by."""
    by_label: dict[str, list[Row]] = defaultdict(list)
    for row in known:
        by_label[row[LABEL]].append(row)
    choose = random.Random(seed)
    parts: dict[str, list[Row]] = {"train": [], "again": [], "judged": []}
    for _, own in sorted(by_label.items()):
        order = choose.sample(own, len(own))
        parts["train"] += order[:rows]
        parts["again"] += order[:1]
        parts["judged"] += order[rows : rows + JUDGED_A_LABEL]
    return parts


def accuracy(changes: Mapping[str, Any], folder: Path, *, name: str) -> float:
    """Share of the judged rows that the exported graphs of one way name rightly."""
    from flows.scenario_file import load_scenario
    from flows.stages.embed import embed_frozen
    from flows.stages.evaluate import embed_rows, open_head
    from flows.stages.export import export_graphs
    from flows.stages.fit import fit
    from flows.stages.ingest import ingest
    from flows.stages.job import Job
    from flows.stages.prepare import prepare
    from flows.stages.pretrain import pretrain
    from polyloom.home import home
    from polyloom.progress import SILENT

    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(scenario(changes, folder, name=name), sort_keys=False), encoding="utf-8")
    loaded = load_scenario(str(path), overrides=[])
    snapshot = home() / "snapshots" / name / ingest(loaded, progress=SILENT).id
    job = Job.load(
        {"scenario": str(path), "overrides": [], "snapshot": str(snapshot), "fingerprint": name.rjust(16, "0")}
    )
    prepare(job, progress=SILENT)
    if job.scenario.pretrain:
        pretrain(job, progress=SILENT, on_epoch=lambda *_: None)
    embed_frozen(job, progress=SILENT)
    fit(job, progress=SILENT, on_epoch=lambda _: None)
    export_graphs(job, progress=SILENT)
    head = open_head(job, TASK)
    rows = job.split("test", task=TASK)
    embeddings, present, _ = embed_rows(job, rows, head.inputs, progress=SILENT)
    truth = head.decoder.encode([job.targets(TASK)[row] for row in rows])["labels"]
    return float(np.mean(head(embeddings, present)["logits"].argmax(axis=1) == truth))


def scenario(changes: Mapping[str, Any], folder: Path, *, name: str) -> dict[str, Any]:
    """The shipped scenario over one draw, changed."""
    own = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    own["name"] = name
    own["data"]["queries"] |= {
        "path": {split: str(folder / f"{split}.jsonl") for split in ("train", "validation", "test")},
        "key": "id",
    }
    del own["index"], own["recipe"]["auto"]
    deep_update(own, changes)
    return dict(own)


def summary(found: Mapping[str, Sequence[float]]) -> list[Figure]:
    """Each way's mean, with the standard deviation over the draws; the first one has the goal."""
    goals = {next(iter(WAYS)): GOAL}
    return [
        Figure(
            name=f"{name}: accuracy, sd {spread(values):.4f} over {len(values)} draws",
            value=round(statistics.mean(values), 4),
            unit="",
            against=BASELINE if name in goals else None,
            goal=f"at least {GOAL}" if name in goals else "shown",
            met=statistics.mean(values) >= goals.get(name, 0.0),
        )
        for name, values in found.items()
    ]


def spread(values: Sequence[float]) -> float:
    """The standard deviation over draws; 0 for one."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


if __name__ == "__main__":
    main()
