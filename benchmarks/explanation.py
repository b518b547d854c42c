"""Do explanations name what counts? `python -m benchmarks.explanation [--seeds 21 22] --json`.

Two shipped scenarios: intents of bank customers (`banking77`, frozen MiniLM) and kinds of products by their photo alone
(`ikea`, frozen MobileNetV2). Of the judged rows the words, or the cells of a 7 x 7
grid, that an explainer names most important are deleted, and as many random ones: how far the probability of the
predicted class falls more than at random, paired by row, with the 95% interval over rows. A word is left out of the
text, a cell gets the picture's mean colour. Random deletions are the mean of several draws, probabilities are means
over the seeds of the fits.

Leaving parts out is also how occlusion finds them, so its lead over the others is partly that of the same yardstick.

Settings are to be chosen with `--split validation`; the seeds here are others than those of trials.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from PIL import Image

from benchmarks.adversarial import interval
from benchmarks.figures import Figure, show
from benchmarks.fitted_job import fitted_job
from benchmarks.ikea_fusion import deep_update
from benchmarks.training import PICTURE_WEIGHTS

if TYPE_CHECKING:
    from flows.stages.job import Job

SCENARIOS = Path(__file__).resolve().parent.parent / "scenarios"
SHARES = (0.1, 0.2, 0.4)
CELLS, DRAWS = 7, 5
INTACT, RANDOM = "intact", "random"
# Probabilities by explainer and by share of what is deleted, one a row.
Fallen = dict[tuple[str, float], np.ndarray]


@dataclass(frozen=True)
class Case:
    """A shipped scenario that reads one modality, and the explainers of what it reads."""

    scenario: str
    task: str
    modality: str
    explainers: tuple[str, ...]
    rows: Mapping[str, int]
    source: str
    changed: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "text": Case(
        scenario="banking77",
        task="intent",
        source="queries",
        modality="text",
        explainers=("integrated_gradients", "gradient_x_input", "occlusion"),
        rows={"train": 3000, "validation": 400, "test": 400},
    ),
    "pictures": Case(
        scenario="ikea",
        task="noun",
        source="products",
        modality="image",
        explainers=("grad_cam", "integrated_gradients", "occlusion"),
        rows={"train": 1600, "validation": 400, "test": 400},
        changed={"fusion": {"kind": "concat", "hidden": 512, "dropout": 0.4}},
    ),
}


def main() -> None:
    """Fit each case from each seed, explain, delete, and print the figures."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder with the data sets banking77 and ikea_products.")
    weights = asked.picture_weights or Path(data).parent / "weights" / PICTURE_WEIGHTS
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ["POLYLOOM_HOME"] = place
        for name in asked.case:
            found = []
            for seed in asked.seeds:
                path = Path(place) / f"{name}-{seed}.yaml"
                scenario = scenario_of(CASES[name], seed=seed, share=asked.share, weights=weights)
                path.write_text(yaml.safe_dump(scenario, sort_keys=False), encoding="utf-8")
                found.append(fallen(CASES[name], path, split=asked.split, most=asked.rows, steps=asked.steps))
                told = {f"{who} {share:.0%}": f"{values.mean():.3f}" for (who, share), values in found[-1].items()}
                print(f"{name}, seed {seed}: {told}", file=sys.stderr, flush=True)
            figures += summary(name, CASES[name].explainers, found)
    sys.exit(show("explanation", figures, as_json=asked.json))


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=list(CASES), nargs="+", default=list(CASES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22])
    parser.add_argument("--rows", type=int, default=200, help="rows that are judged, of each case")
    parser.add_argument("--steps", type=int, default=32, help="steps of integrated gradients")
    parser.add_argument("--share", type=float, default=1.0, help="share of the rows that are fitted, for a quick try")
    parser.add_argument("--picture-weights", type=Path, metavar="FILE")
    parser.add_argument("--split", choices=["validation", "test"], default="test", help="which rows are judged")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def scenario_of(case: Case, *, seed: int, share: float, weights: Path) -> dict[str, Any]:
    """The shipped scenario with one modality; rows are drawn by content, so every seed has the same."""
    scenario: dict[str, Any] = yaml.safe_load((SCENARIOS / f"{case.scenario}.yaml").read_text(encoding="utf-8"))
    scenario["modalities"] = {case.modality: scenario["modalities"][case.modality]}
    if case.modality == "image":
        scenario["modalities"]["image"]["weights"] = str(weights)
    sample = {split: max(40, int(rows * share)) for split, rows in case.rows.items()}
    scenario["data"][case.source]["sample"] = sample
    deep_update(scenario, dict(case.changed))
    if "fusion" in case.changed:
        scenario["fusion"] = dict(case.changed["fusion"])
    scenario["recipe"]["seed"] = seed
    scenario["recipe"].pop("auto", None)
    scenario.pop("index", None)
    return scenario


def fallen(case: Case, path: Path, *, split: str, most: int, steps: int) -> Fallen:
    """The predicted class's probability in each judged row: intact, and after every deletion."""
    from flows.explain_spec import Explain
    from flows.stages.evaluate import open_head
    from flows.stages.explain import Explainer
    from polyloom.progress import SILENT

    job = exported(path)
    rows = job.split(split, task=case.task)
    chosen = np.sort(np.random.default_rng(0).permutation(rows)[:most])
    head = open_head(job, case.task)
    settings = Explain(near=0, steps=steps)
    explainer = Explainer(job, case.task, head, chosen, decoder=head.decoder, settings=settings, progress=SILENT)
    found: dict[tuple[str, float], list[float]] = {}
    for number in chosen.tolist():
        scores = explainer.scores(number)
        deletes = word_deleter(scores, case.modality) if case.modality == "text" else cell_deleter(scores)
        if deletes.parts < 2:
            continue
        found.setdefault((INTACT, 0.0), []).append(probability(np.array([scores.whole])).item())
        weights = {who: deletes.weights(explainer, scores, number, who) for who in case.explainers}
        for share in SHARES:
            count = max(1, round(share * deletes.parts))
            asked = [np.argsort(-weights[who], kind="stable")[:count] for who in case.explainers]
            random = np.random.default_rng([number, round(100 * share)])
            asked += [random.permutation(deletes.parts)[:count] for _ in range(DRAWS)]
            after = probability(deletes.scores(asked))
            for who, value in zip(case.explainers, after, strict=False):
                found.setdefault((who, share), []).append(float(value))
            found.setdefault((RANDOM, share), []).append(float(after[len(case.explainers) :].mean()))
    return {key: np.array(values) for key, values in found.items()}


def exported(path: Path) -> "Job":
    """A scenario from rows to exported graphs."""
    from flows.stages.export import export_graphs
    from polyloom.progress import SILENT

    job = fitted_job(path)
    export_graphs(job, progress=SILENT)
    return job


def probability(scores: np.ndarray) -> np.ndarray:
    """From log-odds."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * scores)))


@dataclass(frozen=True)
class Deleter:
    """What a row's input consists of: `scores` of the row without each of several lists of parts, and `weights`."""

    parts: int
    scores: Callable[[Sequence[np.ndarray]], np.ndarray]
    weights: Callable[[Any, Any, int, str], np.ndarray]


def word_deleter(scores: Any, name: str) -> Deleter:
    """A text's words."""
    from modalities.left_out import text_without
    from modalities.preparation.word_split import split_words

    text = str(scores.values[name])
    words = split_words(text)

    def after(deleted: Sequence[np.ndarray]) -> np.ndarray:
        left = [text_without(text, [words[place] for place in places]) for places in deleted]
        return np.asarray(scores.changed({name: [one if one.strip() else None for one in left]}))

    def weights(explainer: Any, row: Any, number: int, who: str) -> np.ndarray:
        return np.array([word.weight for word in evidence(explainer, row, number, name, who).words])

    return Deleter(parts=len(words), scores=after, weights=weights)


def cell_deleter(scores: Any, name: str = "image") -> Deleter:
    """A picture's cells."""
    from modalities.left_out import picture_without

    preparation = scores.preparations[name]
    (picture,) = preparation.decode([scores.values[name]])

    def after(deleted: Sequence[np.ndarray]) -> np.ndarray:
        masks = [np.isin(np.arange(CELLS**2), places).reshape(CELLS, CELLS) for places in deleted]
        changed = np.stack([picture_without(picture, mask) for mask in masks])
        return np.asarray(scores.changed_arrays(name, {"pixels": preparation.normalise(changed)}))

    def weights(explainer: Any, row: Any, number: int, who: str) -> np.ndarray:
        cells = np.asarray(evidence(explainer, row, number, name, who).cells, dtype=np.float32)
        return np.asarray(Image.fromarray(cells).resize((CELLS, CELLS), Image.Resampling.BOX)).ravel()

    return Deleter(parts=CELLS**2, scores=after, weights=weights)


def evidence(explainer: Any, scores: Any, number: int, name: str, who: str) -> Any:
    """What one explainer says of a row."""
    from releases.occlusion import cell_evidence, word_evidence
    from training.evidence import picture_evidence, text_evidence

    preparation = scores.preparations[name]
    if who == "occlusion":
        return word_evidence(scores, [name]) if name == "text" else cell_evidence(scores, name, cells=CELLS)
    row, steps = explainer.gradients.row(scores, number), explainer.settings.steps
    if name == "text":
        text = str(scores.values[name])
        return text_evidence(row, name, preparation=preparation, text=text, method=who, steps=steps)  # type: ignore[arg-type]
    return picture_evidence(row, name, method=who, steps=steps)  # type: ignore[arg-type]


def summary(name: str, explainers: Sequence[str], found: Sequence[Fallen]) -> list[Figure]:
    """For each explainer and share how much further the probability falls than at random, the mean over the seeds."""
    means = {key: np.mean([one[key] for one in found], axis=0) for key in found[0]}
    figures = []
    for who in explainers:
        for share in SHARES:
            gain = means[RANDOM, share] - means[who, share]
            low, high = interval(gain)
            figures.append(
                Figure(
                    name=(
                        f"{name}, {who.replace('_', ' ')}, {share:.0%} deleted: falls further than at random, "
                        f"{low:+.3f} to {high:+.3f}; probability {means[INTACT, 0.0].mean():.3f} intact, "
                        f"{means[who, share].mean():.3f} after"
                    ),
                    value=round(float(gain.mean()), 4),
                    unit="",
                    against=round(float(means[RANDOM, share].mean()), 4),
                    goal="interval above 0",
                    met=low > 0,
                )
            )
    return figures


if __name__ == "__main__":
    main()
