"""How far answers can be trusted: `python -m benchmarks.confidence [--draws 5] --json`.

The shipped scenario `banking77` with its frozen encoder, from rows to exported graphs. Measured are, on the test rows:

- the calibration error of each calibration, fitted on the validation rows. Which one is best is told by the validation
  rows alone, each fifth of them calibrated by the other four;
- the coverage of conformal sets, where the test rows are split again and again into rows that give temperature and
  thresholds, as many as a run has for validation, and rows that are covered;
- how well rows of intents that were left out of training are told from others: 8 of the 77, drawn anew for each fit.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import yaml

from benchmarks.figures import Figure, show
from heads.conformal import ConformalSets, SetScore
from heads.decoder import rows_of
from heads.decoding import HELD_OUT, Calibration, ClassificationDecoder
from heads.metrics import accuracy, auroc, expected_calibration_error
from heads.scope import Scope, ScopeScore

SCENARIO = Path(__file__).resolve().parent.parent / "scenarios" / "banking77.yaml"
TASK, TARGET = "intent", "category"
MOST_ERROR, WITHIN, LEAST_AUROC = 0.02, 0.01, 0.9
FOLDS, RESPLITS, LEFT_OUT = 5, 100, 8
SETS: Sequence[tuple[SetScore, float]] = (("lac", 0.1), ("lac", 0.05), ("aps", 0.05), ("raps", 0.05))
Arrays = dict[str, np.ndarray]


class Asked(NamedTuple):
    """A fitted head's decoder, and outputs and truth of each split; the truth of what is left out is HELD_OUT."""

    decoder: ClassificationDecoder
    outputs: dict[str, Arrays]
    truth: dict[str, Arrays]


def main() -> None:
    """Fit, measure, print the figures."""
    asked = arguments()
    if not os.environ.get("POLYLOOM_DATA"):
        sys.exit("POLYLOOM_DATA is not set: it names the folder with the data set banking77.")
    with tempfile.TemporaryDirectory() as place:
        os.environ.setdefault("POLYLOOM_HOME", place)
        whole = fitted(Path(place), name="whole")
        figures = [*calibration_figures(whole), *coverage_figures(whole)]
        found = [
            strangers(fitted(Path(place), name=f"draw{draw}", unknown=left_out(whole.decoder.labels, seed=draw)))
            for draw in range(asked.draws)
        ]
    sys.exit(show("confidence", [*figures, *stranger_figures(found)], as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=5, help="fits without 8 intents each")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def left_out(labels: Sequence[str], *, seed: int) -> list[str]:
    """The intents that one fit does not learn."""
    return sorted(np.random.default_rng(seed).permutation(labels)[:LEFT_OUT].tolist())


def fitted(place: Path, *, name: str, unknown: Sequence[str] = ()) -> Asked:
    """The scenario's head over the intents that are not `unknown`, and what its graph says of held-out rows."""
    from flows.scenario_file import load_scenario
    from flows.stages.embed import embed_frozen
    from flows.stages.evaluate import head_outputs, learned, open_head
    from flows.stages.export import export_graphs
    from flows.stages.fit import fit
    from flows.stages.ingest import ingest
    from flows.stages.job import Job
    from flows.stages.prepare import prepare
    from polyloom.home import home
    from polyloom.progress import SILENT

    path = place / f"{name}.yaml"
    path.write_text(yaml.safe_dump(scenario(unknown), sort_keys=False), encoding="utf-8")
    loaded = load_scenario(str(path), overrides=[])
    snapshot = home() / "snapshots" / loaded.scenario.name / ingest(loaded, progress=SILENT).id
    job = Job.load(
        {"scenario": str(path), "overrides": [], "snapshot": str(snapshot), "fingerprint": name.rjust(16, "0")}
    )
    prepare(job, progress=SILENT)
    embed_frozen(job, progress=SILENT)
    fit(job, progress=SILENT, on_epoch=lambda _: None)
    export_graphs(job, progress=SILENT)
    head, targets = open_head(job, TASK), job.targets(TASK)
    decoder = learned(job, TASK, head, progress=SILENT)
    if not isinstance(decoder, ClassificationDecoder):
        raise TypeError(f"{TASK} is no classification")
    outputs, truth = {}, {}
    for split in ("validation", "test"):
        rows = job.split(split, task=TASK)
        outputs[split] = head_outputs(job, head, rows, progress=SILENT).outputs
        truth[split] = decoder.encode([targets[row] for row in rows])
    right = accuracy(truth["test"]["labels"], outputs["test"]["logits"].argmax(axis=1))
    print(f"{name}: accuracy {right:.4f} over {len(truth['test']['labels'])} test rows", file=sys.stderr, flush=True)
    return Asked(decoder, outputs, truth)


def scenario(unknown: Sequence[str]) -> dict[str, Any]:
    """The shipped scenario without its index; with the distance, whose graph gives all that any score reads."""
    own: dict[str, Any] = deepcopy(yaml.safe_load(SCENARIO.read_text(encoding="utf-8")))
    del own["index"]
    own["name"] = "confidence"
    if unknown:
        own["tasks"][TASK]["out_of_scope"] = {"score": "distance", "unknown": list(unknown)}
    return own


def calibration_figures(asked: Asked) -> list[Figure]:
    """The error on the test rows by each calibration, and by the one that does best on the validation rows."""
    held_out, truth = asked.outputs["validation"], asked.truth["validation"]
    errors, expected = {}, {}
    for kind in get_args(Calibration):
        decoder = replace(asked.decoder, calibration=kind)
        calibrated = decoder.calibrate(held_out, truth)
        errors[kind] = calibrated.measure(asked.outputs["test"], asked.truth["test"])
        expected[kind] = cross_fitted_error(decoder, held_out, truth)
    best = min(expected, key=lambda kind: expected[kind])
    shown = [told(f"ece, {kind}", found["ece"]) for kind, found in errors.items()]
    before = next(iter(errors.values()))["ece_uncalibrated"]
    return [
        told("ece, uncalibrated", before),
        *shown,
        goal(
            f"ece of the calibration that validation rows choose ({best})",
            errors[best]["ece"],
            wanted=f"at most {MOST_ERROR}",
            met=errors[best]["ece"] <= MOST_ERROR,
        ),
    ]


def cross_fitted_error(decoder: ClassificationDecoder, outputs: Arrays, truth: Arrays) -> float:
    """The calibration error over all rows, each calibrated by others."""
    folds = np.random.default_rng(0).permutation(len(truth["labels"])) % FOLDS
    found = [
        decoder.calibrate(rows_of(outputs, folds != fold), rows_of(truth, folds != fold)).certainty(
            rows_of(outputs, folds == fold), rows_of(truth, folds == fold)
        )
        for fold in range(FOLDS)
    ]
    return expected_calibration_error(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def coverage_figures(asked: Asked) -> list[Figure]:
    """Mean coverage over splits of the test rows, and the size of the sets."""
    outputs, truth, rows = asked.outputs["test"], asked.truth["test"], len(asked.truth["validation"]["labels"])
    figures = []
    for score, alpha in SETS:
        decoder = replace(asked.decoder, conformal=ConformalSets(alpha=alpha, score=score))
        found = coverages(decoder, outputs, truth, rows=rows)
        coverage, size = np.mean([one["coverage"] for one in found]), np.mean([one["set_size"] for one in found])
        spread = np.std([one["coverage"] for one in found])
        figures.append(
            goal(
                f"coverage of {score} over {RESPLITS} splits (deviation {spread:.3f}, {size:.2f} labels a set)",
                float(coverage),
                wanted=f"within {WITHIN} of {1 - alpha:g}",
                met=abs(coverage - (1 - alpha)) <= WITHIN,
            )
        )
    return figures


def coverages(
    decoder: ClassificationDecoder, outputs: Arrays, truth: Arrays, *, rows: int, splits: int = RESPLITS
) -> list[dict[str, float]]:
    """The sets' figures over splits into `rows` to calibrate on, and the rest."""
    found = []
    for split in range(splits):
        order = np.random.default_rng(split).permutation(len(truth["labels"]))
        first, rest = order[:rows], order[rows:]
        ready = decoder.calibrate(rows_of(outputs, first), rows_of(truth, first))
        found.append(ready.measure(rows_of(outputs, rest), rows_of(truth, rest)))
    return found


def strangers(asked: Asked) -> dict[str, dict[str, float]]:
    """By each score: the AUROC of the test rows, and the shares that are refused of known and of left-out ones."""
    learned = asked.decoder.scope or Scope()
    labels = asked.truth["test"]["labels"]
    found = {}
    for score in get_args(ScopeScore):
        scope = replace(learned, score=score).fit(asked.outputs["validation"], asked.truth["validation"]["labels"])
        scores, refused = scope.scores(asked.outputs["test"]), ~scope.inside(asked.outputs["test"])
        known, unknown = labels >= 0, labels == HELD_OUT
        found[score] = {
            "auroc": auroc(scores[known], scores[unknown]),
            "known": float(refused[known].mean()),
            "unknown": float(refused[unknown].mean()),
        }
    return found


def stranger_figures(found: Sequence[Mapping[str, Mapping[str, float]]]) -> list[Figure]:
    """Means over the draws; the goal is for the score that a scenario has when it names none."""
    figures = []
    for score in found[0] if found else ():
        mean = {name: float(np.mean([one[score][name] for one in found])) for name in found[0][score]}
        worst = min(one[score]["auroc"] for one in found)
        name = (
            f"auroc of {LEFT_OUT} intents left out, {score}, {len(found)} draws (worst {worst:.3f}; refused "
            f"{mean['unknown']:.2f} of them, {mean['known']:.3f} of others)"
        )
        if score == Scope().score:
            wanted, met = f"at least {LEAST_AUROC}", mean["auroc"] >= LEAST_AUROC
            figures.append(goal(name, mean["auroc"], wanted=wanted, met=met))
        else:
            figures.append(told(name, mean["auroc"]))
    return figures


def told(name: str, value: float) -> Figure:
    """A figure that is shown beside others."""
    return Figure(name=name, value=round(value, 4), unit="", goal="shown", met=True)


def goal(name: str, value: float, *, wanted: str, met: bool) -> Figure:
    """A figure with a goal."""
    return Figure(name=name, value=round(value, 4), unit="", goal=wanted, met=bool(met))


if __name__ == "__main__":
    main()
