"""What every stage of a run works on: the scenario, its snapshot, and the folder of what is finished so far."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from flows.scenario_columns import paired_lists, table_of, task_tables
from flows.scenario_file import load_scenario
from flows.spec import Scenario
from flows.target_assembly import target_values
from ingestion.blobs import blob_path
from ingestion.snapshots import Snapshot, open_snapshot
from modalities.preparation.loading import load_preparation
from modalities.preparation.pictures import PicturePreparation
from modalities.preparation.protocol import Preparation
from polyloom.durable import read_json, write_json
from polyloom.home import home
from training.embedding import text_hash

JobRef = dict[str, Any]


@dataclass(frozen=True)
class ModalityValues:
    """One modality over a table's rows: values for its preparation (None where missing) and their content hashes."""

    values: list[object | None]
    hashes: list[str | None]

    @property
    def present(self) -> np.ndarray:
        """Which rows have the modality, bool [rows]."""
        return np.array([value is not None for value in self.values], dtype=bool)


@dataclass(frozen=True, eq=False)
class Job:
    """A run of a scenario over one snapshot. `ref` is what tasks hand on: small, and JSON."""

    ref: JobRef
    scenario: Scenario

    @classmethod
    def load(cls, ref: JobRef) -> Self:
        """Read the scenario again, with the run's overrides."""
        return cls(ref=ref, scenario=load_scenario(ref["scenario"], overrides=ref["overrides"]).scenario)

    @property
    def folder(self) -> Path:
        """Where this run's finished parts lie."""
        return home() / "runs" / self.scenario.name / str(self.ref["fingerprint"])[:16]

    @functools.cached_property
    def snapshot(self) -> Snapshot:
        """The data."""
        return open_snapshot(Path(self.ref["snapshot"]))

    @functools.cached_property
    def task_tables(self) -> tuple[str, ...]:
        """The tables that the tasks learn from; their rows, one table after the other, are the task rows."""
        return task_tables(self.scenario)

    @functools.cached_property
    def tables(self) -> tuple[str, ...]:
        """The tables whose rows are embedded."""
        index = [self.scenario.index.rows] if self.scenario.index else []
        return tuple(dict.fromkeys([*self.task_tables, *index]))

    def rows(self, table: str) -> list[dict[str, object]]:
        """A table's rows as mappings; pictures are paths into the picture store."""
        if table not in self._rows:
            self._rows[table] = self._read(table)
        return self._rows[table]

    @functools.cached_property
    def _rows(self) -> dict[str, list[dict[str, object]]]:
        return {}

    @functools.cached_property
    def task_rows(self) -> list[dict[str, object]]:
        """The rows of all tables that the tasks learn from; of a list of texts for one picture, each is a row."""
        return [row for table in self.task_tables for row in self._task_rows_of(table)]

    @functools.cached_property
    def sets(self) -> np.ndarray | None:
        """For each task row the number of its table; None where there is one table."""
        if len(self.task_tables) == 1:
            return None
        return np.repeat(
            np.arange(len(self.task_tables)), [len(self._task_rows_of(table)) for table in self.task_tables]
        )

    def set_of(self, task: str) -> int:
        """The number of the table that a task learns from."""
        return self.task_tables.index(table_of(self.scenario, task))

    def split(self, name: str, *, task: str | None = None) -> np.ndarray:
        """Numbers of the task rows in one split; of one task's table alone where it is named."""
        found = np.array([n for n, row in enumerate(self.task_rows) if row["_split"] == name], dtype=np.int64)
        return found if task is None else self.of_task(found, task)

    def of_task(self, rows: np.ndarray, task: str) -> np.ndarray:
        """Those of some task rows that are of a task's table."""
        return rows if self.sets is None else np.asarray(rows[self.sets[rows] == self.set_of(task)])

    def targets(self, task: str) -> list[object]:
        """What a task is to say of every task row; None for the rows of other tables."""
        values: list[object] = [None] * len(self.task_rows)
        own = range(len(values)) if self.sets is None else np.flatnonzero(self.sets == self.set_of(task)).tolist()
        for row, value in zip(
            own, target_values(self.scenario, task, [self.task_rows[row] for row in own]), strict=True
        ):
            values[row] = value
        return values

    @functools.cached_property
    def preparations(self) -> dict[str, Preparation]:
        """The preparations that the stage `prepare` left."""
        return {name: load_preparation(self.folder / "preparation" / name) for name in self.scenario.modalities}

    def values(self, modality: str, table: str) -> ModalityValues:
        """A modality's values in a table."""
        return modality_values(self.preparations[modality], self.rows(table))

    def task_values(self, modality: str) -> ModalityValues:
        """A modality's values in the task rows."""
        return modality_values(self.preparations[modality], self.task_rows)

    def finished(self, stage: str) -> dict[str, Any] | None:
        """What a stage of this run reported when it ended, or None when it has not."""
        path = self.folder / f"{stage}.json"
        return read_json(path) if path.is_file() else None

    def finish(self, stage: str, report: dict[str, Any]) -> dict[str, Any]:
        """Note that a stage has ended; a later run of the same job will not do it again."""
        write_json(self.folder / f"{stage}.json", report)
        return report

    def _task_rows_of(self, table: str) -> list[dict[str, object]]:
        lists = paired_lists(self.scenario, table)
        return one_text_a_row(self.rows(table), lists) if lists else self.rows(table)

    def _read(self, table: str) -> list[dict[str, object]]:
        image = self.scenario.data[table].image
        rows: list[dict[str, object]] = self.snapshot.table(table).to_pylist()
        for row in rows:
            if image and row[image] is not None:
                row[image] = str(blob_path(home() / "blobs", str(row[image])))
        return rows


def one_text_a_row(rows: Sequence[dict[str, object]], columns: Sequence[str]) -> list[dict[str, object]]:
    """Rows in which each text of a list stands alone beside the row's other values; an empty list leaves one row."""
    for column in columns:
        rows = [{**row, column: text} for row in rows for text in texts_of(row[column])]
    return list(rows)


def texts_of(value: object) -> list[object]:
    """A list's texts, or None once where there are none."""
    return list(value) if isinstance(value, list) and value else [None]


def modality_values(preparation: Preparation, rows: Sequence[dict[str, object]]) -> ModalityValues:
    """A preparation's values in rows, with the hashes under which their embeddings are kept."""
    values = [preparation.value(row) for row in rows]
    is_picture = isinstance(preparation, PicturePreparation)
    hashes = [
        None if value is None else Path(str(value)).name if is_picture else text_hash(str(value)) for value in values
    ]
    return ModalityValues(values=values, hashes=hashes)
