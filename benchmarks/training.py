"""polyloom against AutoGluon-MultiModal: `python -m benchmarks.training --autogluon PYTHON [--case NAME]... --json`.

Both sides get the same rows, weights, epochs and threads, and run one after the other, each as a process of its own on
as many cores as it has threads. What is compared: the metric on the same test rows, reckoned by one judge
(`training_scores`); wall time of the whole process from its start to the predictions; and the peak of its memory with
all that it starts (`measured`). polyloom's side goes from raw rows over a checked snapshot to an exported model and its
calibrated answers (`polyloom_side`); `--whole` measures a whole `polyloom run` instead, with the Prefect server, MLflow
and the released bundle. Processor time is shown too, as wall time suffers when something else uses the machine.

PYTHON is an interpreter that has `autogluon.multimodal` (README.md says how to make one); without it, and without the
variable AUTOGLUON_PYTHON, only polyloom's side runs. AutoGluon's results are kept under POLYLOOM_HOME by rows and
settings, and used again unless `--again` is given. `autogluon_side` says what differs from AutoGluon's defaults,
`training_recipes` what "the same epochs" means for frozen encoders.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, ratio, show
from benchmarks.measured import measured
from benchmarks.training_recipes import PICTURE_MODEL, RECIPES, TEXT_MODEL
from benchmarks.training_rows import (
    SPLITS,
    Case,
    Drawn,
    banking,
    conll,
    fashion,
    ikea,
    phrasebank,
    read_rows,
    write_case,
)
from benchmarks.training_scores import score
from modalities.weights import packaged_folder
from polyloom.durable import file_digest, read_json, write_json
from polyloom.home import home

HERE = Path(__file__).resolve().parent
GIB = 1 << 30
PICTURE_WEIGHTS = "mobilenetv2_100.tf_ptq_perchannel.safetensors"
# How the published pictures were normalised when those weights were trained.
PICTURE_MEAN, PICTURE_DEVIATION, PICTURE_CROP = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), 0.875
CASES: Mapping[str, Callable[..., Drawn]] = {
    "banking77_1000": partial(banking, rows=1000),
    "banking77_3000": partial(banking, rows=3000),
    "phrasebank": phrasebank,
    "conll2003_2000": partial(conll, sentences=2000, test_sentences=1000),
    "fashion_mnist_1000": partial(fashion, rows=1000, test_rows=1000),
    "ikea": ikea,
}
LEAST_METRIC, MOST_TIME, MOST_MEMORY = 1.0, 1 / 3, 1.0


@dataclass(frozen=True)
class Outcome:
    """What one side came to on one case."""

    case: str
    side: str
    metric: str
    score: float
    seconds: float
    processor_seconds: float
    peak_bytes: int
    parts: Mapping[str, float]
    versions: Mapping[str, str]


def main() -> None:
    """Run both sides over the cases and print the figures, then a table."""
    asked = arguments()
    data = os.environ.get("POLYLOOM_DATA")
    if not data:
        sys.exit("POLYLOOM_DATA is not set: it names the folder of the data sets that the rows are drawn from.")
    weights = asked.picture_weights or Path(data).parent / "weights" / PICTURE_WEIGHTS
    settings = {"threads": asked.threads, "seed": asked.seed, "epochs": asked.epochs, "picture_weights": str(weights)}
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as place:
        for name in asked.case or CASES:
            folder = Path(place) / name
            drawn = CASES[name](Path(data), seed=asked.seed, folder=folder)
            write_case(folder, drawn)
            if drawn.case.picture and not weights.is_file():
                tell(f"{name}: left out, there are no weights at {weights}; give --picture-weights FILE.")
                continue
            outcomes += both(drawn.case, folder, asked, settings)
    figures = [figure for outcome in outcomes if outcome.side != "autogluon" for figure in held(outcome, outcomes)]
    code = show("training", figures, as_json=asked.json)
    print(table(outcomes), file=sys.stderr if asked.json else sys.stdout)
    if asked.keep:
        write_json(asked.keep, [asdict(outcome) for outcome in outcomes])
    sys.exit(code)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--autogluon", metavar="PYTHON", default=os.environ.get("AUTOGLUON_PYTHON"))
    parser.add_argument("--case", action="append", choices=list(CASES))
    parser.add_argument("--strategy", action="append", choices=list(RECIPES))
    parser.add_argument("--epochs", type=int, help="for every case; without it, each case's own")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=7, help="of the draw and of both fits")
    parser.add_argument("--picture-weights", type=Path, metavar="FILE")
    parser.add_argument("--whole", action="store_true", help="measure a whole `polyloom run`")
    parser.add_argument("--again", action="store_true", help="measure AutoGluon again")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="write all outcomes there, as JSON")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def both(case: Case, folder: Path, asked: argparse.Namespace, settings: Mapping[str, Any]) -> list[Outcome]:
    """A case through AutoGluon, where there is one, and through polyloom by each strategy."""
    given = {**settings, "epochs": settings["epochs"] or case.epochs}
    found = []
    if asked.autogluon:
        found.append(autogluon(case, folder, given, python=asked.autogluon, again=asked.again))
    else:
        tell(f"{case.name}: AutoGluon is not run; --autogluon PYTHON names an interpreter that has it.")
    found += [
        polyloom(case, folder, {**given, "strategy": name, "whole": asked.whole}) for name in asked.strategy or RECIPES
    ]
    return found


def polyloom(case: Case, folder: Path, settings: Mapping[str, Any]) -> Outcome:
    """Our side, by one strategy."""
    command = [sys.executable, "-m", "benchmarks.polyloom_side"]
    return side(f"polyloom {settings['strategy']}", command, case, folder, settings)


def autogluon(case: Case, folder: Path, settings: Mapping[str, Any], *, python: str, again: bool) -> Outcome:
    """AutoGluon, or what it came to on the same rows with the same settings before."""
    given = {
        **settings,
        "text_model": str(packaged_folder(TEXT_MODEL)),
        "picture_model": PICTURE_MODEL,
        "picture_mean": PICTURE_MEAN,
        "picture_deviation": PICTURE_DEVIATION,
        "picture_crop": PICTURE_CROP,
    }
    kept = home() / "benchmarks" / "autogluon" / f"{case.name}-{digest(case, folder, given, python)}.json"
    if kept.is_file() and not again:
        tell(f"{case.name}: AutoGluon's result is from {kept}")
        return Outcome(**read_json(kept))
    outcome = side("autogluon", [python, "-I", str(HERE / "autogluon_side.py")], case, folder, given)
    write_json(kept, asdict(outcome))
    return outcome


def digest(case: Case, folder: Path, settings: Mapping[str, Any], python: str) -> str:
    """What AutoGluon's result depends on, as a hash: rows, weights, settings, versions, and how it is called."""
    asks = "import importlib.metadata as m; print(m.version('autogluon.multimodal'), m.version('torch'))"
    versions = subprocess.run([python, "-c", asks], check=True, stdout=subprocess.PIPE, text=True).stdout
    files = [*(folder / f"{split}.jsonl" for split in SPLITS), folder / "case.json", HERE / "autogluon_side.py"]
    facts = {
        "versions": versions,
        "files": [file_digest(path) for path in files],
        "settings": {name: value for name, value in settings.items() if name not in {"text_model", "picture_weights"}},
        "weights": file_digest(Path(settings["picture_weights"])) if case.picture else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def side(name: str, command: Sequence[str], case: Case, folder: Path, settings: Mapping[str, Any]) -> Outcome:
    """One side over one case; it finds the rows in `folder`, and leaves nothing behind."""
    tell(f"{case.name}: {name}")
    with tempfile.TemporaryDirectory() as place:
        work, log = Path(place), Path(place) / "log"
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent)} if command[0] == sys.executable else without_path()
        found = measured(
            [*command, str(folder), str(work), json.dumps(settings)],
            threads=settings["threads"],
            environment=environment,
            folder=HERE.parent,
            log=log,
        )
        if found.exit_code:
            last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            sys.exit("\n".join([f"{case.name}: {name} failed with exit code {found.exit_code}.", *last]))
        told = read_json(work / "result.json")
    outcome = Outcome(
        case=case.name,
        side=name,
        metric=case.metric,
        score=score(case, read_rows(folder / "test.jsonl"), told["predictions"]),
        seconds=found.seconds,
        processor_seconds=found.processor_seconds,
        peak_bytes=found.peak_bytes,
        parts=told["seconds"],
        versions=told["versions"],
    )
    tell(f"{case.name}: {name}: {case.metric} {outcome.score:.3f} after {outcome.seconds:.0f} s")
    return outcome


def without_path() -> dict[str, str]:
    """The environment without this checkout, whose packages another interpreter must not find."""
    return {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}


def held(ours: Outcome, outcomes: Sequence[Outcome]) -> list[Figure]:
    """Three figures of polyloom's side against AutoGluon's."""
    name = f"{ours.case}, {ours.side}"
    peers = [other for other in outcomes if other.case == ours.case and other.side == "autogluon"]
    if not peers:
        goal = "AutoGluon's, which was not run"
        return [
            Figure(name=f"{name}: {ours.metric}", value=round(ours.score, 4), unit="", goal=goal, met=False),
            Figure(name=f"{name}: time", value=round(ours.seconds, 1), unit="s", goal=goal, met=False),
            Figure(
                name=f"{name}: peak memory", value=round(ours.peak_bytes / GIB, 2), unit="GiB", goal=goal, met=False
            ),
        ]
    peer = peers[0]
    return [
        ratio(f"{name}: {ours.metric}", ours.score, "", against=peer.score, at_least=LEAST_METRIC),
        ratio(f"{name}: time", ours.seconds, "s", against=peer.seconds, at_most=MOST_TIME),
        ratio(f"{name}: peak memory", ours.peak_bytes / GIB, "GiB", against=peer.peak_bytes / GIB, at_most=MOST_MEMORY),
    ]


def table(outcomes: Sequence[Outcome]) -> str:
    """All outcomes, one a line."""
    lines = [f"{'case':20} {'side':18} {'metric':>18} {'wall s':>8} {'fit':>7} {'predict':>8} {'cpu s':>7} {'GiB':>6}"]
    lines += [
        f"{one.case:20} {one.side:18} {one.metric:>11} {one.score:.4f} {one.seconds:8.1f} "
        f"{one.parts['fit']:7.1f} {one.parts['predict']:8.1f} {one.processor_seconds:7.1f} {one.peak_bytes / GIB:6.2f}"
        for one in outcomes
    ]
    return "\n".join(lines)


def tell(what: str) -> None:
    """A line for whoever waits."""
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
