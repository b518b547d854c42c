"""What a search for settings is worth: `python -m benchmarks.tuning [--seeds 7] [--trials 20] [--minutes 15] --json`.

Financial PhraseBank, repeated sentences out, a fifth of each tone as test, frozen MiniLM. `polyloom tune` searches over
the scenario's usual space on the validation rows. Then the scenario's own settings and the best ones are fitted once
more, and both answer the test rows, which the search has not seen: the difference is paired by row.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from benchmarks.figures import Figure, below, show
from benchmarks.training_rows import phrasebank, write_case

SCENARIO = Path(__file__).resolve().parent.parent / "scenarios" / "phrasebank.yaml"
FROZEN = {
    "strategy": "frozen",
    "epochs": 30,
    "patience": 8,
    "batch_size": 256,
    "learning_rate": 0.001,
    "label_smoothing": 0.1,
    "weight_decay": 0.05,
    "warmup": 0.05,
}
FUSION = {"kind": "concat", "hidden": 512, "dropout": 0.4}


def main() -> None:
    """Search, then compare on the test rows."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with the data set financial_phrasebank.")
    figures = []
    with tempfile.TemporaryDirectory() as place:
        for seed in asked.seeds:
            folder = Path(place) / str(seed)
            folder.mkdir()
            path = write_scenario(Path(data), folder, seed=seed)
            os.environ["POLYLOOM_HOME"] = str(folder / "home")
            figures += judged(path, tuned(path, asked), seed=seed, asked=asked)
    sys.exit(show("tuning", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def write_scenario(data: Path, folder: Path, *, seed: int) -> Path:
    """The shipped scenario, frozen, over rows that are split already."""
    write_case(folder, phrasebank(data, seed=seed, folder=folder))
    scenario = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    rows = {split: str(folder / f"{split}.jsonl") for split in ("train", "validation", "test")}
    source = {"kind": "table", "path": rows, "text": ["sentence"], "columns": {"tone": "category"}}
    scenario |= {"data": {"sentences": source}, "recipe": {**FROZEN, "seed": seed}, "fusion": FUSION}
    del scenario["splits"]
    path = folder / "phrasebank.yaml"
    path.write_text(yaml.safe_dump(scenario, sort_keys=False), encoding="utf-8")
    return path


def tuned(path: Path, asked: argparse.Namespace) -> dict[str, Any]:
    """What the command gives."""
    words = ["tune", str(path), "--trials", str(asked.trials), "--minutes", str(asked.minutes), "--json"]
    ended = subprocess.run([sys.executable, "-m", "flows.cli", *words], check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def judged(path: Path, result: dict[str, Any], *, seed: int, asked: argparse.Namespace) -> list[Figure]:
    """The gain on the validation rows, and on the test rows with its interval."""
    from flows.scenario_file import load_scenario
    from flows.stages.attempt import answers, fitted
    from flows.stages.ingest import ingest
    from flows.stages.job import Job
    from heads.bootstrap import paired_difference
    from polyloom.durable import json_digest
    from polyloom.progress import SILENT

    found = []
    for overrides in (result["overrides"], []):
        loaded = load_scenario(str(path), overrides=overrides)
        snapshot = str(ingest(loaded, progress=SILENT).folder)
        ref = {"scenario": str(path), "overrides": overrides, "snapshot": snapshot}
        job = Job.load({**ref, "fingerprint": json_digest(ref)})
        fitted(job, progress=SILENT, on_epoch=lambda _: None)
        found.append(answers(job, split="test"))
    best, own = found
    gain = paired_difference(
        scorer=best.scorer, truth=best.truth, predicted=best.predicted, against=own.predicted, seed=seed
    )
    on_validation = result["best"][0]["values"]["metric"] - result["own"]["metric"]
    scores = [float(each.scorer(each.truth, each.predicted)) for each in found]
    return [
        Figure(
            name=f"seed {seed}: gain on the validation rows, {len(result['trials'])} trials",
            value=round(on_validation, 4),
            unit="",
            goal="more than 0",
            met=on_validation > 0,
        ),
        Figure(
            name=f"seed {seed}: macro F1 on the test rows, difference {gain.low:+.3f} to {gain.high:+.3f}",
            value=round(scores[0], 4),
            unit="",
            against=round(scores[1], 4),
            goal="not significantly worse",
            met=gain.high >= 0,
        ),
        below(f"seed {seed}: time of the trials", result["seconds"] / 60, "min", limit=asked.minutes),
    ]


if __name__ == "__main__":
    main()
