"""Explanations of some test rows: by the gradients of the fitted model, and by the graphs that will be released."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from flows.explain_checks import explained_tasks
from flows.explain_spec import Explain
from flows.explanation_pictures import ShownRow, explanation_pictures
from flows.heat import LEAST_SIDE
from flows.stages.encoders import open_encoder
from flows.stages.explained_rows import chosen_rows
from flows.stages.gradient_evidence import GradientEvidence
from flows.stages.job import Job
from flows.stages.near_rows import NearRows, said
from heads.answers import Answer
from heads.decoder import Decoder, Outputs, Truth, rows_of
from heads.onnx import OnnxHead
from modalities.preparation.pictures import PicturePreparation
from polyloom.progress import Progress
from releases.explaining import explained
from releases.row_scores import RowScores

REPORT = "explanations.json"


def wants_explanations(job: Job, task: str) -> bool:
    """Whether the scenario asks why this task answers as it does."""
    return task in explained_tasks(job.scenario)


def explanations_of(
    job: Job,
    task: str,
    *,
    head: OnnxHead,
    decoder: Decoder,
    rows: np.ndarray,
    outputs: Outputs,
    truth: Truth,
    folder: Path,
    progress: Progress,
) -> list[dict[str, Any]]:
    """Why some of the test rows were answered so, as JSON; drawn into `folder`.

    `rows` are the numbers of the test rows, `outputs` and `truth` theirs.
    """
    settings = job.scenario.explain or Explain()
    chosen = chosen_rows(decoder, outputs, truth, most=settings.rows)
    if not chosen:
        return []
    places = [one.place for one in chosen]
    explainer = Explainer(job, task, head, rows[places], decoder=decoder, settings=settings, progress=progress)
    shown = []
    with progress.stage(f"explain {task}", total=len(chosen), unit="rows") as bar:
        answers = decoder.answers(rows_of(outputs, places), [None] * len(places), top=1)
        for one, answer in zip(chosen, answers, strict=True):
            shown.append(explainer.shown(int(rows[one.place]), why=one.why, answer=answer))
            bar.advance()
    explanation_pictures(folder, task, shown, title=f"{job.scenario.title}: {task}")
    return [row.to_json() for row in shown]


class Explainer:
    """One task of a job, ready to explain the rows with these numbers."""

    def __init__(
        self,
        job: Job,
        task: str,
        head: OnnxHead,
        numbers: np.ndarray,
        *,
        decoder: Decoder,
        settings: Explain,
        progress: Progress,
    ) -> None:
        self._job, self._head, self._decoder, self.settings = job, head, decoder, settings
        self._targets = job.targets(task)
        self._encoders: Any = {name: open_encoder(job, name, progress=progress) for name in head.inputs}
        self.gradients = GradientEvidence(job, task, numbers, settings=settings, progress=progress)
        self._near = NearRows(job, task, head.inputs, progress=progress) if settings.near else None

    def scores(self, number: int) -> RowScores:
        """A row under the exported graphs."""
        row, preparations = self._job.task_rows[number], self._job.preparations
        values = {name: preparations[name].value(row) for name in self._head.inputs}
        return RowScores(
            head=self._head,
            decoder=self._decoder,
            preparations=preparations,
            encoders=self._encoders,
            values=values,
        )

    def shown(self, number: int, *, why: str, answer: Answer) -> ShownRow:
        """A row with its explanation."""
        scores = self.scores(number)
        found = explained(scores, near=self._near.of(scores, most=self.settings.near) if self._near else ())
        return ShownRow(
            key=str(self._job.task_rows[number]["_key"]),
            why=why,
            answer=answer.label,
            probability=answer.probability,
            truth=said(self._targets[number]),
            right=rightness(answer, self._targets[number]),
            explanation=replace(found, evidence=self.gradients.instead(found.evidence, scores, number)),
            pictures={
                name: preparation.resized(max(preparation.size, LEAST_SIDE)).decode([scores.values[name]])[0]
                for name in scores.given
                if isinstance(preparation := self._job.preparations[name], PicturePreparation)
            },
        )


def rightness(answer: Answer, target: object) -> bool | None:
    """Whether an answer is the truth, whatever the order of several labels; None for numbers and unknown truth."""
    truth = said(target)
    return (
        None if truth is None or answer.value is not None else set(answer.label.split(", ")) == set(truth.split(", "))
    )
