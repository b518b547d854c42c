"""What text and picture are worth together: `python -m benchmarks.ikea_fusion [--seeds 21 22 23] --json`.

The shipped scenario `ikea` in grouped folds: products of one name, which share their texts, are on one side. In each
fold the scenario is trained three times, on both modalities and on either alone, from rows to exported graphs; the one
of both also answers without the picture. Every row is tested once a seed. Differences are paired by row, and their
intervals are drawn over names, as rows of one name stand or fall together.

The scenario's recipe was tried on validation rows of seeds 1 to 3; the seeds here are others.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.figures import Figure, show
from benchmarks.training import PICTURE_WEIGHTS

SCENARIO = Path(__file__).resolve().parent.parent / "scenarios" / "ikea.yaml"
FOLDS, VALIDATION = 4, 0.15
TASK, LABEL, GROUP = "noun", "noun", "name"
INPUTS: Mapping[str, tuple[str, ...]] = {"text": ("text",), "picture": ("image",), "both": ("text", "image")}
GAIN = 0.03
RESAMPLES = 2000
Row = dict[str, Any]


def main() -> None:
    """Run all folds and print the figures."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with the data set ikea_products.")
    weights = asked.picture_weights or Path(data).parent / "weights" / PICTURE_WEIGHTS
    scenario = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    scenario["modalities"]["image"]["weights"] = str(weights)
    deep_update(scenario, yaml.safe_load(asked.changed) or {})
    with tempfile.TemporaryDirectory() as place:
        os.environ["POLYLOOM_HOME"] = place
        from ingestion.datasets import locate

        rows = pq.read_table(locate("ikea_nouns/products.parquet", beside=SCENARIO)).to_pylist()
        right = {seed: folds(rows, scenario, Path(place), seed=seed, tested=asked.split) for seed in asked.seeds}
    names = np.array([row[GROUP] for row in rows])
    figures = summary(right, names)
    if asked.keep:
        kept = {str(seed): {name: values.tolist() for name, values in found.items()} for seed, found in right.items()}
        asked.keep.write_text(json.dumps(kept), encoding="utf-8")
    sys.exit(show("ikea_fusion", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22, 23])
    parser.add_argument("--picture-weights", type=Path, metavar="FILE")
    parser.add_argument("--changed", default="{}", metavar="YAML", help="keys of the scenario to change, for trials")
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="which rows are judged")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write what was right there, as JSON")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def deep_update(target: dict[str, Any], changes: Mapping[str, Any]) -> None:
    """Change nested keys."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            deep_update(target[key], value)
        else:
            target[key] = value


def folds(
    rows: Sequence[Row], scenario: Mapping[str, Any], place: Path, *, seed: int, tested: str
) -> dict[str, np.ndarray]:
    """Whether each row was answered rightly, by what was read; NaN where a row was not judged."""
    right = {name: np.full(len(rows), np.nan) for name in (*INPUTS, "both, no picture")}
    names = sorted({row[GROUP] for row in rows})
    order = np.random.default_rng(seed).permutation(len(names))
    for fold in range(FOLDS):
        test = {names[number] for number in order[fold::FOLDS]}
        rest = [names[number] for number in order if names[number] not in test]
        held_out = set(rest[fold :: round(1 / VALIDATION)])
        parts = {"train": set(rest) - held_out, "validation": held_out, "test": test}
        numbers = {split: [n for n, row in enumerate(rows) if row[GROUP] in chosen] for split, chosen in parts.items()}
        folder = place / f"fold{seed}-{fold}"
        folder.mkdir()
        for split, chosen in numbers.items():
            pq.write_table(pa.Table.from_pylist([rows[number] for number in chosen]), folder / f"{split}.parquet")
        for name, modalities in INPUTS.items():
            answers = trained(scenario, folder, modalities=modalities, tested=tested)
            for what, labels in answers.items():
                judged = name if what == "whole" else "both, no picture"
                right[judged][numbers[tested]] = [
                    label == rows[number][LABEL] for label, number in zip(labels, numbers[tested], strict=True)
                ]
        told = {name: f"{np.nanmean(values):.3f}" for name, values in right.items()}
        print(f"seed {seed}, fold {fold + 1} of {FOLDS}: {told}", file=sys.stderr, flush=True)
    return right


def trained(
    scenario: Mapping[str, Any], folder: Path, *, modalities: Sequence[str], tested: str
) -> dict[str, list[str]]:
    """Labels of the judged rows by a model that reads these modalities: whole, and without the picture."""
    from flows.scenario_file import load_scenario
    from flows.stages.embed import embed_frozen
    from flows.stages.evaluate import embed_rows, open_head
    from flows.stages.export import export_graphs
    from flows.stages.fit import fit
    from flows.stages.ingest import ingest
    from flows.stages.job import Job
    from flows.stages.prepare import prepare
    from polyloom.home import home
    from polyloom.progress import SILENT

    own = deepcopy(dict(scenario))
    own["name"] = f"ikea_{folder.name.replace('-', '_')}"
    own["modalities"] = {name: own["modalities"][name] for name in modalities}
    products = own["data"]["products"]
    products["path"] = {split: str(folder / f"{split}.parquet") for split in ("train", "validation", "test")}
    del products["group"], own["index"], own["splits"]
    path = folder / f"{'-'.join(modalities)}.yaml"
    path.write_text(yaml.safe_dump(own, sort_keys=False), encoding="utf-8")
    loaded = load_scenario(str(path), overrides=[])
    snapshot = home() / "snapshots" / own["name"] / ingest(loaded, progress=SILENT).id
    job = Job.load(
        {"scenario": str(path), "overrides": [], "snapshot": str(snapshot), "fingerprint": path.stem.rjust(16, "0")}
    )
    prepare(job, progress=SILENT)
    embed_frozen(job, progress=SILENT)
    fit(job, progress=SILENT, on_epoch=lambda _: None)
    export_graphs(job, progress=SILENT)
    head = open_head(job, TASK)
    embeddings, present, _ = embed_rows(job, job.split(tested, task=TASK), head.inputs, progress=SILENT)
    found = {"whole": head(embeddings, present)}
    if len(modalities) > 1:
        found["no picture"] = head(embeddings, {**present, "image": np.zeros_like(present["image"])})
    labels = np.array(head.decoder.labels)
    return {name: list(labels[outputs["logits"].argmax(axis=1)]) for name, outputs in found.items()}


def summary(right: Mapping[int, Mapping[str, np.ndarray]], names: np.ndarray) -> list[Figure]:
    """Means over seeds and rows, and the two differences that are asked for."""
    means = {name: np.mean([found[name] for found in right.values()], axis=0) for name in next(iter(right.values()))}
    better = max(("text", "picture"), key=lambda name: float(np.nanmean(means[name])))
    figures = []
    for name, values in means.items():
        low, high = interval(values, names)
        figures.append(
            Figure(
                name=f"{name}: accuracy, 95% interval {low:.3f} to {high:.3f}",
                value=round(float(np.nanmean(values)), 4),
                unit="",
                goal="shown",
                met=True,
            )
        )
    gain = means["both"] - means[better]
    low, high = interval(gain, names)
    figures.append(
        Figure(
            name=f"both above {better} alone, 95% interval {low:+.3f} to {high:+.3f}",
            value=round(float(np.nanmean(gain)), 4),
            unit="",
            goal=f"at least {GAIN}",
            met=bool(np.nanmean(gain) >= GAIN),
        )
    )
    lost = means["both, no picture"] - means["text"]
    low, high = interval(lost, names)
    least = interval(means["text"], names)[0]
    figures.append(
        Figure(
            name=f"both without the picture against text alone, 95% interval {low:+.3f} to {high:+.3f}",
            value=round(float(np.nanmean(means["both, no picture"])), 4),
            unit="",
            against=round(float(np.nanmean(means["text"])), 4),
            goal=f"at least {least:.3f}, the lower end of text alone",
            met=bool(np.nanmean(means["both, no picture"]) >= least),
        )
    )
    return figures


def interval(values: np.ndarray, names: np.ndarray) -> tuple[float, float]:
    """95% percentile interval of the mean, by resampling names."""
    judged = ~np.isnan(values)
    _, groups = np.unique(names[judged], return_inverse=True)
    sums, counts = np.bincount(groups, weights=values[judged]), np.bincount(groups)
    drawn = np.random.default_rng(0).integers(len(sums), size=(RESAMPLES, len(sums)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


if __name__ == "__main__":
    main()
