"""What adversarial training gains and costs: `python -m benchmarks.adversarial [--seeds 21 22] --json`.

Two shipped scenarios, each fitted plainly and with `recipe.adversarial` from the same seeds on the same rows: intents
of bank customers (`banking77`, all of MiniLM trained) and kinds of clothes (`fashion_mnist`, a small ResNet from
nothing). Both models answer the judged rows as they are and under one and the same white-box attack (PGD, more steps
than in training). Differences are paired by row, means over the seeds; intervals are drawn over rows.

Settings were chosen with `--split validation` and `--changed`; the seeds here are others than those of trials.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.figures import Figure, show
from benchmarks.fitted_job import fitted_job
from benchmarks.ikea_fusion import deep_update

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
MORE_ROBUST, LESS_CLEAN = 0.05, 0.01
RESAMPLES = 2000
Right = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A shipped scenario, what is changed of it for both arms, and the second arm's `recipe.adversarial`."""

    scenario: str
    task: str
    source: str
    rows: Mapping[str, int]
    attack: Mapping[str, Any]
    adversarial: Mapping[str, Any]
    changed: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "text": Case(
        scenario="banking77",
        task="intent",
        source="queries",
        rows={"train": 3000, "validation": 500, "test": 1000},
        attack={"kind": "pgd", "epsilon": 0.25, "steps": 10},
        adversarial={"kind": "fgm", "epsilon": 0.1, "weight": 0.3},
        changed={
            "fusion": {"kind": "concat", "hidden": 0, "dropout": 0.1},
            "recipe": {
                "strategy": "full",
                "epochs": 5,
                "patience": 0,
                "batch_size": 32,
                "learning_rate": 0.001,
                "encoder_learning_rate": 0.0002,
                "label_smoothing": 0.0,
                "weight_decay": 0.01,
                "warmup": 0.1,
            },
        },
    ),
    "pictures": Case(
        scenario="fashion_mnist",
        task="kind",
        source="clothes",
        rows={"train": 4000, "validation": 800, "test": 1000},
        attack={"kind": "pgd", "epsilon": 0.0157, "steps": 10},
        adversarial={"kind": "pgd", "epsilon": 0.004, "steps": 2, "weight": 0.15},
        changed={"recipe": {"epochs": 8}},
    ),
}


def main() -> None:
    """Fit both arms of each case from each seed and print the figures."""
    asked = arguments()
    if not os.environ.get("POLYLOOM_DATA"):
        sys.exit("POLYLOOM_DATA is not set: it names the folder with the data sets banking77 and fashion_mnist.")
    changes = yaml.safe_load(asked.changed) or {}
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["POLYLOOM_HOME"] = place
        for name in asked.case:
            rights = [
                both_arms(CASES[name], Path(place), seed=seed, split=asked.split, changes=changes, share=asked.share)
                for seed in asked.seeds
            ]
            figures += summary(name, rights)
    sys.exit(show("adversarial", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=list(CASES), nargs="+", default=list(CASES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22])
    parser.add_argument("--share", type=float, default=1.0, help="share of the rows, for a quick try")
    parser.add_argument("--changed", default="{}", metavar="YAML", help="keys of the scenario to change, for trials")
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="which rows are judged")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def both_arms(
    case: Case, place: Path, *, seed: int, split: str, changes: Mapping[str, Any], share: float
) -> dict[str, Right]:
    """Whether each judged row was answered rightly, by arm, as it is (`clean`) and under attack (`attacked`)."""
    found = {}
    for arm, adversarial in (("plain", None), ("adversarial", dict(case.adversarial))):
        scenario = scenario_of(case, seed=seed, adversarial=adversarial, share=share)
        own = deepcopy(dict(changes))
        if adversarial is None:
            own.get("recipe", {}).pop("adversarial", None)
        deep_update(scenario, own)
        path = place / f"{case.scenario}-{arm}-{seed}.yaml"
        path.write_text(yaml.safe_dump(scenario, sort_keys=False), encoding="utf-8")
        found[arm] = answered(path, case.task, split=split)
        told = {name: f"{values.mean():.3f}" for name, values in found[arm].items()}
        print(f"{case.scenario}, {arm}, seed {seed}: {told}", file=sys.stderr, flush=True)
    return found


def scenario_of(case: Case, *, seed: int, adversarial: Mapping[str, Any] | None, share: float = 1.0) -> dict[str, Any]:
    """The shipped scenario with a case's changes; rows are drawn by content, so every arm and seed has the same."""
    scenario: dict[str, Any] = yaml.safe_load((SCENARIOS / f"{case.scenario}.yaml").read_text(encoding="utf-8"))
    scenario["data"][case.source]["sample"] = {split: max(20, int(rows * share)) for split, rows in case.rows.items()}
    deep_update(scenario, deepcopy(dict(case.changed)))
    if "hidden" in case.changed.get("fusion", {}):
        scenario["fusion"] = dict(case.changed["fusion"])
    scenario["recipe"]["seed"] = seed
    scenario["recipe"].pop("auto", None)
    scenario.pop("index", None)
    if adversarial is not None:
        scenario["recipe"]["adversarial"] = dict(adversarial)
    scenario["robustness"] = {"attack": dict(case.attack)}
    return scenario


def answered(path: Path, task: str, *, split: str) -> Right:
    """Fit a scenario; whether the judged rows are answered rightly, as they are and under its attack."""
    from flows.stages.robustness import asked_of, harmed_outputs
    from polyloom.progress import SILENT
    from training.robustness import outputs_under

    job = fitted_job(path)
    rows = job.split(split, task=task)
    asked, inputs = asked_of(job, task, rows, progress=SILENT)
    under = dict(harmed_outputs(job, task, asked, inputs))["attack"]
    truth = asked.target.truth["labels"][rows]
    return {
        name: (outputs["logits"].argmax(axis=1) == truth).astype(float)
        for name, outputs in (("clean", outputs_under(asked, inputs)), ("attacked", under()))
    }


def summary(name: str, rights: Sequence[Mapping[str, Right]]) -> list[Figure]:
    """Accuracy of both arms clean and attacked, as means over the seeds, and the two differences that are asked for."""
    means = {
        (arm, what): np.mean([right[arm][what] for right in rights], axis=0)
        for arm in ("plain", "adversarial")
        for what in ("clean", "attacked")
    }
    gains = {what: means["adversarial", what] - means["plain", what] for what in ("clean", "attacked")}
    goals = {"clean": -LESS_CLEAN, "attacked": MORE_ROBUST}
    words = {"clean": f"at most {LESS_CLEAN} below plain", "attacked": f"at least {MORE_ROBUST} above plain"}
    figures = []
    for what, gain in gains.items():
        low, high = interval(gain)
        figures.append(
            Figure(
                name=f"{name}: accuracy {what}, adversarial minus plain {low:+.3f} to {high:+.3f}",
                value=round(float(means["adversarial", what].mean()), 4),
                unit="",
                against=round(float(means["plain", what].mean()), 4),
                goal=words[what],
                met=bool(gain.mean() >= goals[what] - 1e-9),
            )
        )
    return figures


def interval(values: np.ndarray) -> tuple[float, float]:
    """95% percentile interval of the mean, by resampling rows."""
    drawn = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
