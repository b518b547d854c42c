"""One attempt at a scenario: everything up to the fit, and what its graphs answer for the validation rows."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.stages.embed import embed_frozen
from flows.stages.encoders import open_encoder
from flows.stages.evaluate import head_outputs, open_head
from flows.stages.export import export_graphs
from flows.stages.fit import fit
from flows.stages.job import Job, modality_values
from flows.stages.prepare import prepare
from flows.stages.pretrain import pretrain
from flows.stages.teach import teach
from flows.stages.variants import choose_variants, variants_asked
from heads.decoder import Scorer
from polyloom.progress import SILENT, Progress

if TYPE_CHECKING:
    from training.course import Epoch

TIMED_ROWS = 30


@dataclass(frozen=True)
class Answers:
    """The watched task's truth and predictions of some rows, and the median milliseconds for one row.

    `scorer` is the gate's metric over such truth and predictions.
    """

    scorer: Scorer
    truth: np.ndarray
    predicted: np.ndarray
    milliseconds: float


def fitted(job: Job, *, progress: Progress, on_epoch: Callable[["Epoch"], None]) -> dict[str, Any]:
    """Fit, from where a killed attempt stopped; gives the fit's report."""
    prepare(job, progress=SILENT)
    if job.scenario.pretrain:
        pretrain(job, progress=progress, on_epoch=lambda *_: None)
    embed_frozen(job, progress=progress)
    teach(job, progress=progress)
    return fit(job, progress=progress, on_epoch=on_epoch)


def answers(job: Job, *, split: str = "validation") -> Answers:
    """What the exported graphs say of a split's rows, as they would be released."""
    task, _, metric = job.scenario.gate.metric.partition(".")
    export_graphs(job, progress=SILENT)
    if variants_asked(job.scenario.export):
        choose_variants(job, progress=SILENT)
    head = open_head(job, task)
    rows = job.split(split, task=task)
    outputs = head_outputs(job, head, rows, progress=SILENT).outputs
    targets = job.targets(task)
    truth = head.decoder.encode([targets[row] for row in rows])
    known, predicted = head.decoder.comparable(outputs, truth)
    scorer = head.decoder.scorers[metric]
    return Answers(scorer=scorer, truth=known, predicted=predicted, milliseconds=one_row(job, head, rows))


def one_row(job: Job, head: Any, rows: np.ndarray) -> float:
    """Median milliseconds from a row's raw values to its answer, one row at a time, nothing remembered."""
    encoders = {name: open_encoder(job, name, progress=SILENT) for name in head.inputs}
    taken = []
    for row in rows[np.linspace(0, len(rows) - 1, min(TIMED_ROWS, len(rows))).astype(int)]:
        started = time.perf_counter()
        values = {name: modality_values(job.preparations[name], [job.task_rows[row]]).values for name in head.inputs}
        if head.pooled:
            known = {name: np.array([given[0] is not None]) for name, given in values.items()}
            pooled = {
                name: encoders[name](job.preparations[name](given))
                if known[name][0]
                else np.zeros((1, encoders[name].dim), dtype=np.float32)
                for name, given in values.items()
            }
            head(pooled, known)
        else:
            (name,) = head.inputs
            head.over_values(values[name], preparation=job.preparations[name], encoder=encoders[name])
        taken.append(time.perf_counter() - started)
    return float(np.median(taken) * 1000)
