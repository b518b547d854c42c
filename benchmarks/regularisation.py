"""What averages, augmentation and regularisation gain: `python -m benchmarks.regularisation [--seeds 31 32] --json`.

Each technique alone against the plain fit, from the same seeds on the same rows: intents of bank customers
(`banking77`, all of MiniLM trained on 1,000 rows) and kinds of clothes (`fashion_mnist`, a small ResNet from nothing).
Differences of accuracy are paired by row, means over the seeds; 95% intervals are drawn over rows, for each technique
by itself: of twenty that do nothing, one will look as if it did.

Settings are those of the papers, or polyloom's defaults. They are to be chosen with `--split validation` and
`--changed`, and the seeds here are others than those of trials. A soup and an interpolation are chosen on validation
rows, so that there they look better than they are. `--masked FOLDER` names a masked language model for `variants`.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.adversarial import interval
from benchmarks.figures import Figure, show
from benchmarks.fitted_job import fitted_job
from benchmarks.ikea_fusion import deep_update

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
PLAIN = "plain"
Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A shipped scenario, what is changed of it for every arm, and the techniques by name, each as changes."""

    scenario: str
    task: str
    source: str
    rows: Mapping[str, int]
    changed: Changes
    ways: Mapping[str, Changes]


def recipe(**settings: Any) -> Changes:
    """Changes of the recipe alone."""
    return {"recipe": settings}


AVERAGES: Mapping[str, Changes] = {
    "EMA": recipe(average={"kind": "ema", "decay": 0.99}),
    "SWA": recipe(average={"kind": "swa"}),
    "greedy soup": recipe(average={"kind": "soup"}),
}
CASES = {
    "text": Case(
        scenario="banking77", task="intent", source="queries",
        rows={"train": 1000, "validation": 500, "test": 1000},
        changed={
            "fusion": {"kind": "concat", "hidden": 0, "dropout": 0.1},
            "recipe": {
                "strategy": "full", "epochs": 6, "patience": 0, "batch_size": 32, "learning_rate": 0.001,
                "encoder_learning_rate": 0.0002, "label_smoothing": 0.0, "weight_decay": 0.01, "warmup": 0.1,
            },
        },
        ways={
            **AVERAGES,
            "interpolation": recipe(average={"kind": "interpolation"}),
            "R-Drop": recipe(r_drop=1.0),
            "label smoothing": recipe(label_smoothing=0.1),
            "focal loss": {"tasks": {"intent": {"loss": "focal"}}},
            "words left out and exchanged": {"modalities": {"text": {"augment": "delete_swap"}}},
            "four wordings": {"modalities": {"text": {"variants": {"kind": "words", "copies": 4}}}},
        },
    ),
    "pictures": Case(
        scenario="fashion_mnist", task="kind", source="clothes",
        rows={"train": 3000, "validation": 600, "test": 1000},
        changed={"recipe": {"epochs": 8}},
        ways={
            **AVERAGES,
            "R-Drop": recipe(r_drop=1.0),
            "label smoothing": recipe(label_smoothing=0.1),
            "focal loss": {"tasks": {"kind": {"loss": "focal"}}},
            "RandAugment": {"modalities": {"image": {"augment": "randaugment"}}},
            "TrivialAugment": {"modalities": {"image": {"augment": "trivialaugment"}}},
            "AugMix": {"modalities": {"image": {"augment": "augmix"}}},
            "random erasing": {"modalities": {"image": {"erase": 0.25}}},
        },
    ),
}  # fmt: skip


def main() -> None:
    """Fit every arm of each case from each seed and print the figures."""
    asked = arguments()
    if not os.environ.get("POLYLOOM_DATA"):
        sys.exit("POLYLOOM_DATA is not set: it names the folder with the data sets banking77 and fashion_mnist.")
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["POLYLOOM_HOME"] = place
        for name in asked.case:
            case = CASES[name]
            ways = {way: changes for way, changes in ways_of(case, asked.masked).items() if asked.way in way}
            rights = [one_seed(case, ways, Path(place), seed=seed, asked=asked) for seed in asked.seeds]
            figures += summary(name, rights)
    sys.exit(show("regularisation", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=list(CASES), nargs="+", default=list(CASES))
    parser.add_argument("--way", metavar="WORDS", default="", help="only the techniques whose name has these words")
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32])
    parser.add_argument("--share", type=float, default=1.0, help="share of the rows, for a quick try")
    parser.add_argument("--changed", default="{}", metavar="YAML", help="keys to change for every arm, for trials")
    parser.add_argument("--masked", metavar="FOLDER", help="a masked language model, which fills words in")
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="which rows are judged")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def ways_of(case: Case, masked: str | None) -> Mapping[str, Changes]:
    """A case's techniques; with a masked language model one more for texts."""
    if masked is None or case is not CASES["text"]:
        return case.ways
    variants = {"kind": "masked", "model": masked, "weights": masked, "copies": 4}
    return {**case.ways, "words filled in": {"modalities": {"text": {"variants": variants}}}}


def one_seed(
    case: Case, ways: Mapping[str, Changes], place: Path, *, seed: int, asked: argparse.Namespace
) -> dict[str, np.ndarray]:
    """Whether each judged row was answered rightly, 1 or 0, by arm."""
    found = {}
    for number, (way, changes) in enumerate({PLAIN: {}, **ways}.items()):
        scenario = scenario_of(case, changes, seed=seed, share=asked.share)
        deep_update(scenario, yaml.safe_load(asked.changed) or {})
        path = place / f"{case.scenario}-{number}-{seed}.yaml"
        path.write_text(yaml.safe_dump(scenario, sort_keys=False), encoding="utf-8")
        started = time.monotonic()
        found[way] = right(path, case.task, split=asked.split)
        told = f"{found[way].mean():.4f}, {time.monotonic() - started:.0f} s"
        print(f"{case.scenario}, seed {seed}, {way}: {told}", file=sys.stderr, flush=True)
    return found


def scenario_of(case: Case, changes: Changes, *, seed: int, share: float = 1.0) -> dict[str, Any]:
    """The shipped scenario with a case's and an arm's changes; every arm and seed has the same rows."""
    scenario: dict[str, Any] = yaml.safe_load((SCENARIOS / f"{case.scenario}.yaml").read_text(encoding="utf-8"))
    scenario["data"][case.source]["sample"] = {split: max(20, int(rows * share)) for split, rows in case.rows.items()}
    deep_update(scenario, deepcopy(dict(case.changed)))
    deep_update(scenario, deepcopy(dict(changes)))
    scenario["recipe"]["seed"] = seed
    scenario["recipe"].pop("auto", None)
    scenario.pop("index", None)
    return scenario


def right(path: Path, task: str, *, split: str) -> np.ndarray:
    """Fit a scenario; whether each judged row is answered rightly, by the weights that a release would have."""
    from flows.stages.robustness import asked_of
    from polyloom.progress import SILENT
    from training.robustness import outputs_under

    job = fitted_job(path)
    asked, inputs = asked_of(job, task, job.split(split, task=task), progress=SILENT)
    truth = asked.target.truth["labels"][asked.rows]
    return np.asarray(outputs_under(asked, inputs)["logits"].argmax(axis=1) == truth).astype(float)


def summary(name: str, rights: Sequence[Mapping[str, np.ndarray]]) -> list[Figure]:
    """Each technique's accuracy against the plain one's, means over the seeds, and whether that is a gain."""
    means = {way: np.mean([one[way] for one in rights], axis=0) for way in rights[0]}
    plain = means.pop(PLAIN)
    figures = []
    for way, own in means.items():
        low, high = interval(own - plain)
        figures.append(
            Figure(
                name=f"{name}: accuracy with {way}, minus plain {low:+.3f} to {high:+.3f}, {verdict(low, high)}",
                value=round(float(own.mean()), 4), unit="", against=round(float(plain.mean()), 4), goal="shown",
                met=True,
            )
        )  # fmt: skip
    return figures


def verdict(low: float, high: float) -> str:
    """What an interval of a difference says."""
    return "a significant gain" if low > 0 else "a significant loss" if high < 0 else "no significant gain"


if __name__ == "__main__":
    main()
