"""Evidence by the gradients of the fitted model, in the place of what leaving parts out has found."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flows.explain_spec import Explain
from flows.stages.job import Job
from flows.stages.robustness import asked_of
from heads.explanation import Evidence
from modalities.preparation.categories import CategoryPreparation
from modalities.preparation.numbers import NumberPreparation
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.text import TextPreparation
from polyloom.progress import Progress
from releases.row_scores import RowScores

if TYPE_CHECKING:
    from training.attribution import ExplainedRow


class GradientEvidence:
    """A fitted task in torch, asked about one row after the other of those with these numbers."""

    def __init__(self, job: Job, task: str, numbers: np.ndarray, *, settings: Explain, progress: Progress) -> None:
        self._preparations, self._task, self._settings = job.preparations, task, settings
        asked, self._inputs = asked_of(job, task, numbers, progress=progress)
        self._device = asked.placement.device
        self._model = asked.model.to(self._device).eval().requires_grad_(requires_grad=False)

    def instead(self, found: tuple[Evidence, ...], scores: RowScores, number: int) -> tuple[Evidence, ...]:
        """The evidence for the row with this number; characters, and what is to be left out, keep what was found."""
        row = self.row(scores, number)
        return tuple(part for given in found for part in self._parts(row, scores, given))

    def row(self, scores: RowScores, number: int) -> "ExplainedRow":
        """The row under the model."""
        from training.attribution import ExplainedRow
        from training.model import make_batch

        batch = make_batch(self._inputs, np.array([number]), device=self._device, tasks=(self._task,))
        return ExplainedRow(model=self._model, task=self._task, batch=batch, score=scores.score)

    def _parts(self, row: "ExplainedRow", scores: RowScores, given: Evidence) -> list[Evidence]:
        """Modalities that read one text are weighed each alone."""
        made = {name: one for name in given.modalities if (one := self._of(row, scores, name)) is not None}
        left = tuple(name for name in given.modalities if name not in made)
        return [*made.values(), *([replace(given, modalities=left)] if left else [])]

    def _of(self, row: "ExplainedRow", scores: RowScores, name: str) -> Evidence | None:
        """The evidence in one modality, None where it has no gradients or is to be left out."""
        from training.evidence import column_evidence, picture_evidence, text_evidence

        settings, preparation = self._settings, self._preparations[name]
        value: Any = scores.values[name]
        if isinstance(preparation, TextPreparation) and settings.text != "occlusion":
            return text_evidence(
                row, name, preparation=preparation, text=value, method=settings.text, steps=settings.steps
            )
        if isinstance(preparation, PicturePreparation) and settings.image != "occlusion":
            return picture_evidence(row, name, method=settings.image, steps=settings.steps)
        if isinstance(preparation, NumberPreparation | CategoryPreparation):
            return column_evidence(row, name, preparation=preparation, values=value, steps=settings.steps)
        return None
