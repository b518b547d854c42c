"""One fit of a comparison: what it answers for the judged rows, and what it cost."""

import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from flows.stages.attempt import answers, fitted
from flows.stages.fitted import FITTED
from flows.stages.job import Job
from flows.techniques.side_by_side import graph_folders, keep_reference, pace
from heads.decoder import Scorer
from heads.decoders import load_decoder
from polyloom.durable import publish_folder, read_json, write_json
from polyloom.progress import Progress


@dataclass(frozen=True)
class Cost:
    """What a fit took and what it left.

    `seconds` are wall seconds up to the last epoch, `all_seconds` with export and answers too; `bytes` is the size of
    the graphs, `milliseconds` the median for one row; `pace` that of its encoders as a share of the baseline's, timed
    in turns.
    """

    seconds: float
    all_seconds: float
    trained_parameters: int
    bytes: int
    milliseconds: float
    pace: float | None = None


@dataclass(frozen=True)
class Trial:
    """The judged rows' truth and predictions, comparable by the decoder's scorers, and the fit's cost."""

    truth: np.ndarray
    predicted: np.ndarray
    cost: Cost
    decoder: dict[str, Any]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """A trial that was made before."""
        truth, predicted = (np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("truth", "predicted"))
        cost = Cost(**read_json(folder / "cost.json"))
        return cls(truth=truth, predicted=predicted, cost=cost, decoder=read_json(folder / "decoder.json"))

    def save(self, folder: Path) -> None:
        """Write it down in one step."""
        with publish_folder(folder) as draft:
            np.save(draft / "truth.npy", self.truth)
            np.save(draft / "predicted.npy", self.predicted)
            write_json(draft / "cost.json", asdict(self.cost))
            write_json(draft / "decoder.json", self.decoder)

    def scorer(self, metric: str) -> Scorer:
        """The metric over such truth and predictions."""
        return load_decoder(self.decoder).scorers[metric]


def made_trial(job: Job, *, split: str, reference: Path, keeps: bool, progress: Progress) -> Trial:
    """Fit, export, answer; of the fit nothing else is kept. With `keeps` it leaves the `reference` of all fits."""
    started = time.monotonic()
    report = fitted(job, progress=progress, on_epoch=lambda _: None)
    seconds = time.monotonic() - started
    given = answers(job, split=split)
    if keeps and not reference.is_dir():
        keep_reference(job, reference)
    cost = Cost(
        seconds=round(seconds, 1),
        all_seconds=round(time.monotonic() - started, 1),
        trained_parameters=int(report["trained_parameters"]),
        bytes=sum(path.stat().st_size for path in graphs(job)),
        milliseconds=round(given.milliseconds, 2),
        pace=pace(job, reference),
    )
    task = job.scenario.gate.metric.partition(".")[0]
    decoder = read_json(job.folder / FITTED / "tasks" / f"{task}.json")
    shutil.rmtree(job.folder)
    return Trial(truth=given.truth, predicted=given.predicted, cost=cost, decoder=decoder)


def graphs(job: Job) -> list[Path]:
    """The graphs that a release of this fit would hold."""
    return [
        path
        for folder in (*graph_folders(job).values(), job.folder / "heads")
        for path in sorted(folder.rglob("*.onnx"))
    ]
