"""What rows without labels are worth: `python -m benchmarks.pretraining [--seeds 21 22] --json`.

Two encoders that start from nothing, each fitted to 1,000 labelled rows with and without pretraining on some 10,000
rows without labels: a character BERT on Chinese news titles (`thucnews_titles`, masked language model; rows of
`dev.txt` are learned from, rows of `test.txt` judged), and a small ResNet on `fashion_mnist` (masked patches, and
noise taken out). A seed draws the labelled rows and begins the weights; all arms of a seed have the same. Differences
are paired by row; their intervals are drawn over rows and seeds.

Settings were chosen with `--split validation`, on seeds from 100 on.
"""

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.figures import Figure, show
from benchmarks.fitted_job import fitted_job
from benchmarks.ikea_fusion import deep_update

LABELLED, VALIDATION = 1000, 500
CHARACTERS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
Row = dict[str, object]
TITLES: Mapping[str, Any] = {
    "modalities": {
        "text": {
            "kind": "text",
            "model": "bert",
            "weights": "scratch",
            "vocabulary": "characters.txt",
            "layers": 2,
            "width": 128,
            "max_tokens": 40,
            "columns": ["title"],
        },
    },
    "recipe": {
        "strategy": "full",
        "epochs": 12,
        "patience": 0,
        "batch_size": 32,
        "learning_rate": 0.001,
        "encoder_learning_rate": 0.0005,
        "weight_decay": 0.05,
    },
}
CLOTHES: Mapping[str, Any] = {
    "modalities": {
        "image": {
            "kind": "image",
            "model": "resnet10t",
            "weights": "scratch",
            "size": 32,
            "train": "full",
            "augment": "flip",
        },
    },
    "recipe": {
        "strategy": "full",
        "epochs": 12,
        "patience": 0,
        "batch_size": 32,
        "learning_rate": 0.002,
        "encoder_learning_rate": 0.002,
        "weight_decay": 0.05,
    },
}


@dataclass(frozen=True)
class Case:
    """A data set: its rows by split for a seed, the scenario's parts, and what is tried beside no pretraining."""

    rows: Callable[[Path, int], dict[str, list[Row]]]
    parts: Mapping[str, Any]
    content: Mapping[str, Any]
    arms: Mapping[str, Mapping[str, Any]]


def main() -> None:
    """Fit every arm from each seed and print the figures."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with thucnews_titles and fashion_mnist.")
    changes = yaml.safe_load(asked.changed) or {}
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["POLYLOOM_HOME"] = str(Path(place) / "home")
        for name in asked.case:
            case = CASES[name]
            found = [
                arms_of(
                    case,
                    case.rows(Path(data), seed),
                    Path(place) / f"{name}-{seed}",
                    seed=seed,
                    asked=asked,
                    changes=changes,
                )
                for seed in asked.seeds
            ]
            figures += summary(name, found)
    sys.exit(show("pretraining", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=list(CASES), nargs="+", default=list(CASES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22])
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="which rows are judged")
    parser.add_argument("--changed", default="{}", metavar="YAML", help="keys of the scenario to change, for trials")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def titles(data: Path, seed: int) -> dict[str, list[Row]]:
    """Chinese news titles; the labelled ones are drawn from `dev.txt`, as many of each class as there are of others."""
    folder = data / "thucnews_titles"
    names = (folder / "class.txt").read_text(encoding="utf-8").split()

    def read(name: str) -> list[Row]:
        lines = (folder / name).read_text(encoding="utf-8").splitlines()
        pairs = [line.rsplit("\t", 1) for line in lines if "\t" in line]
        return [{"title": title, "label": names[int(number)]} for title, number in pairs]

    return drawn(read("dev.txt"), read("test.txt"), seed=seed)


def clothes(data: Path, seed: int) -> dict[str, list[Row]]:
    """Pictures of clothes; 11,500 of the training file, 10,000 of which lose their labels."""
    import pyarrow.parquet as pq

    def read(name: str) -> list[Row]:
        rows: list[Row] = pq.read_table(data / "fashion_mnist" / f"fashion_mnist_{name}.parquet").to_pylist()
        return [{"png": row["png"], "label": str(row["label"])} for row in rows]

    rows = read("train")
    return drawn(random.Random(seed).sample(rows, 10000 + LABELLED + VALIDATION), read("test"), seed=seed)


def drawn(rows: Sequence[Row], test: list[Row], *, seed: int) -> dict[str, list[Row]]:
    """Labelled rows for training and validation, the others without their labels, and the test rows."""
    order = random.Random(seed).sample(list(rows), len(rows))
    end = LABELLED + VALIDATION
    unlabelled = [{name: value for name, value in row.items() if name != "label"} for row in order[end:]]
    return {"train": order[:LABELLED], "validation": order[LABELLED:end], "test": test, "unlabelled": unlabelled}


CASES: Mapping[str, Case] = {
    "titles": Case(
        rows=titles,
        parts=TITLES,
        content={"text": ["title"]},
        arms={
            "masked language model": {
                "kind": "masked_language",
                "epochs": 20,
                "batch_size": 32,
                "learning_rate": 0.001,
                "mask": 0.25,
            },
        },
    ),
    "clothes": Case(
        rows=clothes,
        parts=CLOTHES,
        content={"image": "png"},
        arms={
            "masked patches": {"kind": "masked_picture", "epochs": 10, "learning_rate": 0.001},
            "noise taken out": {"kind": "denoising", "epochs": 10, "learning_rate": 0.001},
        },
    ),
}


def arms_of(
    case: Case,
    rows: Mapping[str, Sequence[Row]],
    folder: Path,
    *,
    seed: int,
    asked: argparse.Namespace,
    changes: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """Whether each judged row is answered rightly, by arm; `none` is the fit without pretraining."""
    write_rows(rows, folder)
    found = {}
    for arm, pretrain in {"none": None, **case.arms}.items():
        scenario = scenario_of(case, folder, seed=seed, pretrain=pretrain)
        own = deepcopy(dict(changes))
        if pretrain is None:
            own.pop("pretrain", None)
        deep_update(scenario, own)
        path = folder / f"{len(found)}.yaml"
        path.write_text(yaml.safe_dump(scenario, sort_keys=False, allow_unicode=True), encoding="utf-8")
        found[arm] = right(path, split=asked.split)
        print(f"{folder.name}, {arm}: {found[arm].mean():.4f}", file=sys.stderr, flush=True)
    return found


def write_rows(rows: Mapping[str, Sequence[Row]], folder: Path) -> None:
    """A Parquet file a split, and the characters that the rows without labels hold."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir()
    for split, own in rows.items():
        pq.write_table(pa.Table.from_pylist(list(own)), folder / f"{split}.parquet")
    known = sorted(
        {letter for row in rows["unlabelled"] for letter in str(row.get("title", "")).lower() if letter.strip()}
    )
    tokens = [*CHARACTERS, *known, *(f"##{letter}" for letter in known if letter.isascii())]
    (folder / "characters.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")


def scenario_of(case: Case, folder: Path, *, seed: int, pretrain: Mapping[str, Any] | None) -> dict[str, Any]:
    """The scenario of one arm."""
    own = deepcopy(dict(case.parts))
    (modality,) = own["modalities"]
    if "vocabulary" in own["modalities"][modality]:
        own["modalities"][modality]["vocabulary"] = str(folder / "characters.txt")
    labelled = {split: str(folder / f"{split}.parquet") for split in ("train", "validation", "test")}
    data = {
        "labelled": {"kind": "table", "path": labelled, **case.content, "columns": {"label": "category"}},
        "unlabelled": {"kind": "table", "path": {"train": str(folder / "unlabelled.parquet")}, **case.content},
    }
    scenario = {
        "name": "pretraining",
        "title": "With and without pretraining",
        "rows": "labelled",
        "data": data,
        **own,
        "tasks": {"label": {"kind": "classification", "target": "label"}},
        "gate": {"metric": "label.accuracy"},
    }
    scenario["recipe"]["seed"] = seed
    if pretrain is not None:
        scenario["pretrain"] = {modality: {**pretrain, "rows": ["labelled", "unlabelled"]}}
    return scenario


def right(path: Path, *, split: str) -> np.ndarray:
    """Whether the exported graphs answer each row of a split rightly."""
    from flows.stages.attempt import answers

    given = answers(fitted_job(path), split=split)
    return np.asarray(given.truth == given.predicted)


def summary(case: str, found: Sequence[Mapping[str, np.ndarray]]) -> list[Figure]:
    """Each arm's accuracy, and its gain over none with the interval; only titles have a goal."""
    from heads.bootstrap import paired_difference_over_seeds
    from heads.metrics import accuracy

    figures = []
    plain = float(np.mean([one["none"].mean() for one in found]))
    for arm in found[0]:
        mean = float(np.mean([one[arm].mean() for one in found]))
        name, met = f"{case}, {arm}: accuracy, {len(found)} seeds", True
        if arm != "none":
            gain = paired_difference_over_seeds(
                scorer=accuracy,
                truth=np.ones(len(found[0][arm]), dtype=bool),
                seed=0,
                predicted=[one[arm] for one in found],
                against=[one["none"] for one in found],
            )
            name += f", gain {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
            met = gain.low > 0 or case != "titles"
        goal = "gain significantly above 0" if arm != "none" and case == "titles" else "shown"
        against = None if arm == "none" else round(plain, 4)
        figures.append(Figure(name=name, value=round(mean, 4), unit="", against=against, goal=goal, met=met))
    return figures


if __name__ == "__main__":
    main()
