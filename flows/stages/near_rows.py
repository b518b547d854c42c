"""The training rows that are nearest to a row in the embeddings that a task reads."""

from typing import Any

import numpy as np

from flows.scenario_columns import table_of
from flows.stages.encoders import embed_values, open_encoder
from flows.stages.job import Job, modality_values
from heads.explanation import KnownRow
from polyloom.progress import Progress
from releases.row_scores import RowScores

CELL_CHARACTERS = 200


class NearRows:
    """A task's training rows with their embeddings, which are cached where the encoder is as it was."""

    def __init__(self, job: Job, task: str, names: tuple[str, ...], *, progress: Progress) -> None:
        self._job, self._targets, self._numbers = job, job.targets(task), job.split("train", task=task)
        self._hidden = job.scenario.data[table_of(job.scenario, task)].image
        self._vectors: dict[str, np.ndarray] = {}
        rows = [job.task_rows[number] for number in self._numbers]
        for name in names:
            preparation, encoder = job.preparations[name], open_encoder(job, name, progress=progress)
            given = modality_values(preparation, rows)
            report = embed_values(given, preparation=preparation, encoder=encoder, name=name, progress=progress)
            self._vectors[name] = unit(report.vectors)

    def of(self, scores: RowScores, *, most: int) -> tuple[KnownRow, ...]:
        """The training rows nearest to a row, by the mean of the cosines of all modalities that it has."""
        cosines = {name: self._vectors[name] @ unit(scores.embedded[name])[0] for name in scores.given}
        if not cosines:
            return ()
        order = np.argsort(-np.mean(list(cosines.values()), axis=0), kind="stable")[:most].tolist()
        return tuple(self._known(place, {name: float(own[place]) for name, own in cosines.items()}) for place in order)

    def _known(self, place: int, cosines: dict[str, float]) -> KnownRow:
        number = int(self._numbers[place])
        row = self._job.task_rows[number]
        # A picture is a path of this machine, which tells others nothing.
        shown: dict[str, Any] = {
            name: str(value)[:CELL_CHARACTERS] if isinstance(value, str) else value
            for name, value in row.items()
            if not name.startswith("_") and name != self._hidden and isinstance(value, str | int | float)
        }
        return KnownRow(id=str(row["_key"]), label=said(self._targets[number]), cosines=cosines, row=shown)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows at length one; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1.0))


def said(target: object) -> str | None:
    """A target as a person reads it."""
    if isinstance(target, list | tuple | np.ndarray):
        return ", ".join(map(str, target))
    return None if target is None else f"{target:.6g}" if isinstance(target, float) else str(target)
