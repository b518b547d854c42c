"""What a smaller model loses and gains: `python -m benchmarks.compression [--seeds 21 22] --json`.

The teacher is the shipped scenario `banking77` (a frozen MiniLM with six layers and its head). Students have fewer of
the same layers and are trained whole, plainly and by the teacher's logits and embeddings (`recipe.distill`); each is
exported and made int8. With `--part pruning` MiniLM is trained whole while a share of it goes (`recipe.prune`).

Accuracy is that of the exported graphs on the judged rows, as a mean over the seeds; its difference to the teacher is
paired by row. Speed is that of the encoders' graphs, all by ONNX Runtime in one process on one thread, taking turns
over the same prepared batches of 16.

Settings are to be chosen with `--split validation` and `--changed`; the seeds here are others than those of trials.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.adversarial import interval
from benchmarks.compression_picture import draw
from benchmarks.few_shot import read_rows
from benchmarks.figures import Figure, show
from benchmarks.ikea_fusion import deep_update

SCENARIO = Path(__file__).resolve().parent.parent / "scenarios" / "banking77.yaml"
TASK, MODALITY = "intent", "text"
FASTER, BELOW = 3.0, 0.01
TIMED_ROWS = 320

LIVE: Mapping[str, Any] = {
    "fusion": {"kind": "concat", "hidden": 512, "dropout": 0.2},
    "recipe": {
        "strategy": "full",
        "epochs": 12,
        "patience": 0,
        "batch_size": 64,
        "learning_rate": 0.001,
        "encoder_learning_rate": 0.0002,
        "layer_decay": 1.0,
        "label_smoothing": 0.1,
        "weight_decay": 0.01,
        "warmup": 0.1,
    },
}
STUDENT: Mapping[str, Any] = {**LIVE, "modalities": {MODALITY: {"layers": 3}}}
DISTILL = {"temperature": 2.0, "weight": 0.9, "features": 1.0}
SHARES = (0.0, 0.3, 0.5, 0.7)


@dataclass(frozen=True)
class Made:
    """A fitted model: whether each judged row was answered rightly, its encoder's graph, and a teacher's bundle."""

    right: np.ndarray
    graph: Path
    bundle: Path | None = None

    @property
    def megabytes(self) -> float:
        """The size of the graph's file."""
        return self.graph.stat().st_size / 1e6


def main() -> None:
    """Fit all models from each seed and print the figures."""
    asked = arguments()
    if not os.environ.get("POLYLOOM_DATA"):
        sys.exit("POLYLOOM_DATA is not set: it names the folder with the data set banking77.")
    with tempfile.TemporaryDirectory() as place:
        os.environ["POLYLOOM_HOME"] = place
        part = students if asked.part == "students" else pruned
        made = [part(Path(place), seed=seed, asked=asked) for seed in asked.seeds]
        rates = speed(made[0], Path(place))
        figures = summary(made, rates)
        if asked.picture:
            draw(asked.picture, figures)
    sys.exit(show("compression", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=["students", "pruning"], default="students")
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22])
    parser.add_argument("--share", type=float, default=1.0, help="share of the rows, for a quick try")
    parser.add_argument("--changed", default="{}", metavar="YAML", help="keys of students to change, for trials")
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="which rows are judged")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw accuracy against size and speed there")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def students(place: Path, *, seed: int, asked: argparse.Namespace) -> dict[str, Made]:
    """The teacher, a student without it and one with it, each as it was exported and the students in int8."""
    teacher = models({}, "teacher", place, seed=seed, asked=asked, sealed=True)["fp32"]
    found = {"teacher": teacher}
    for name, changes in (
        ("plain student", {}),
        ("distilled student", {"recipe": {"distill": {**DISTILL, "teacher": str(teacher.bundle)}}}),
    ):
        own = merged(STUDENT, changes, yaml.safe_load(asked.changed) or {})
        if "distill" not in changes.get("recipe", {}):
            own["recipe"].pop("distill", None)
        made = models(own, name.replace(" ", "_"), place, seed=seed, asked=asked)
        found |= {f"{name}, {kind}": one for kind, one in made.items()}
    return found


def pruned(place: Path, *, seed: int, asked: argparse.Namespace) -> dict[str, Made]:
    """The whole model trained with more and more of it taken away, in both ways."""
    found = {}
    for share in SHARES:
        for kind in ("structured", "magnitude") if share else ("none",):
            prune = {"prune": {"kind": kind, "share": share}} if share else {}
            own = merged(LIVE, {"recipe": prune}, yaml.safe_load(asked.changed) or {})
            name = f"{kind} {share:g}" if share else "teacher"
            found[name] = models(own, f"{kind}_{round(share * 100)}", place, seed=seed, asked=asked)["fp32"]
    return found


def merged(*parts: Mapping[str, Any]) -> dict[str, Any]:
    """Changes one after the other."""
    found: dict[str, Any] = {}
    for part in parts:
        deep_update(found, deepcopy(dict(part)))
    return found


def models(
    changes: Mapping[str, Any], name: str, place: Path, *, seed: int, asked: argparse.Namespace, sealed: bool = False
) -> dict[str, Made]:
    """A scenario fitted and exported, in full precision and with int8 weights."""
    from flows.scenario_file import load_scenario
    from flows.stages.embed import embed_frozen
    from flows.stages.evaluate import evaluate
    from flows.stages.export import export_graphs
    from flows.stages.fit import fit
    from flows.stages.ingest import ingest, snapshot_summary
    from flows.stages.job import Job
    from flows.stages.package import package
    from flows.stages.prepare import prepare
    from flows.stages.variant import PLAIN, Variant
    from polyloom.progress import SILENT

    path = place / f"{name}_{seed}.yaml"
    path.write_text(yaml.safe_dump(scenario(changes, seed=seed, share=asked.share), sort_keys=False), encoding="utf-8")
    report = ingest(load_scenario(str(path), overrides=[]), progress=SILENT)
    job = Job.load(
        {
            "scenario": str(path),
            "overrides": [],
            "snapshot": str(report.folder),
            "data": snapshot_summary(report),
            "fingerprint": path.stem[-16:].rjust(16, "0"),
        }
    )
    prepare(job, progress=SILENT)
    embed_frozen(job, progress=SILENT)
    fit(job, progress=SILENT, on_epoch=lambda epoch: told(name, seed, f"epoch {epoch.epoch}: {epoch.metric:.4f}"))
    export_graphs(job, progress=SILENT)
    bundle = None
    if sealed:
        evaluate(job, progress=SILENT)
        bundle = Path(package(job, progress=SILENT)["folder"])
    variants = {"fp32": PLAIN, "int8": Variant(int8="dynamic", runtime="onnxruntime")}
    found = {kind: made(job, variant, split=asked.split, bundle=bundle) for kind, variant in variants.items()}
    told(name, seed, {kind: f"{one.right.mean():.4f}, {one.megabytes:.1f} MB" for kind, one in found.items()})
    return found


def made(job: Any, variant: Any, *, split: str, bundle: Path | None) -> Made:
    """A variant's answers to the judged rows."""
    from flows.stages.encoders import graph_folder, open_encoder
    from flows.stages.evaluate import open_head
    from flows.stages.variants import answers
    from polyloom.progress import SILENT

    rows = job.split(split, task=TASK)
    encoder = open_encoder(job, MODALITY, progress=SILENT, variant=variant)
    outputs = answers(job, TASK, rows, {MODALITY: encoder})
    targets = job.targets(TASK)
    truth = open_head(job, TASK).decoder.encode([targets[row] for row in rows])["labels"]
    right = (outputs["logits"].argmax(axis=1) == truth).astype(float)
    return Made(right=right, graph=graph_folder(job, MODALITY, variant) / "model.onnx", bundle=bundle)


def scenario(changes: Mapping[str, Any], *, seed: int, share: float) -> dict[str, Any]:
    """The shipped scenario, changed; rows are drawn by content, so every model has the same."""
    own: dict[str, Any] = yaml.safe_load(SCENARIO.read_text(encoding="utf-8"))
    del own["index"], own["recipe"]["auto"]
    deep_update(own, deepcopy(dict(changes)))
    own["recipe"]["seed"] = seed
    if share < 1.0:
        own["data"]["queries"]["sample"] = {"train": round(10003 * share), "test": round(3080 * share)}
    return own


def speed(found: Mapping[str, Made], place: Path) -> dict[str, float]:
    """Rows a second of each encoder's graph on one thread, over rows of the test file."""
    from flows.assembly import build_preparation
    from flows.scenario_file import load_scenario
    from flows.stages.encoders import batches_of
    from modalities.encoders.onnx import open_graph
    from training.graph_speed import speeds

    loaded = load_scenario(str(next(place.glob("*.yaml"))), overrides=[]).scenario
    data = Path(os.environ["POLYLOOM_DATA"]) / "banking77" / "test.csv"
    texts = [row["text"] for row in read_rows(data)[:TIMED_ROWS]]
    preparation = build_preparation(loaded, MODALITY, training=[])
    graphs = {name: open_graph(one.graph, runtime="onnxruntime", threads=1) for name, one in found.items()}
    singles = [preparation([text]) for text in texts[:32]]
    measured = speeds(graphs, batches=batches_of(texts, preparation=preparation), singles=singles)
    for name, one in measured.items():
        told(name, 0, one)
    return {name: one.rows_per_second for name, one in measured.items()}


def summary(made: Sequence[Mapping[str, Made]], rates: Mapping[str, float]) -> list[Figure]:
    """Accuracy and speed of each model, held against the first one's; the distilled int8 student has the goals."""
    base = next(iter(made[0]))
    teacher = np.mean([one[base].right for one in made], axis=0)
    figures = []
    for name in made[0]:
        right = np.mean([one[name].right for one in made], axis=0)
        low, high = interval(right - teacher)
        goal = name == "distilled student, int8"
        figures += [
            Figure(
                name=f"{name}: accuracy, minus teacher {low:+.4f} to {high:+.4f}",
                value=round(float(right.mean()), 4),
                unit="",
                against=round(float(teacher.mean()), 4),
                goal=f"at most {BELOW} below the teacher" if goal else "shown",
                met=not goal or float((right - teacher).mean()) >= -BELOW - 1e-9,
            ),
            Figure(
                name=f"{name}: speed on one thread, {made[0][name].megabytes:.1f} MB",
                value=round(rates[name], 1),
                unit="rows/s",
                against=round(rates[base], 1),
                ratio=round(rates[name] / rates[base], 2),
                goal=f"ratio at least {FASTER:g}" if goal else "shown",
                met=not goal or rates[name] / rates[base] >= FASTER,
            ),
        ]
    return figures


def told(name: str, seed: int, what: object) -> None:
    """Say on stderr how it goes."""
    print(f"{name}, seed {seed}: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
