"""The figures of a challenger that a limit may be set for, and whether it answers alike where it was not made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from flows.stages.gate_scoring import Row, Scored, Trial
from flows.stages.job import Job
from polyloom.durable import read_json
from polyloom.errors import IntegrityError
from polyloom.home import home
from releases.bundle import read_manifest
from releases.load_test import LoadTest, load_test, told
from releases.readable_rows import readable_rows
from releases.registry import Registered
from releases.runtime import Runtime
from releases.serving.recent_predictions import recent_batches
from releases.shadow import PREDICT, Shadow, shadow

# So many test rows are asked one by one in a process of its own.
LOADED_ROWS = 100
# Two processes of one machine agree in all but the last digits.
SAME = 1e-4
CALIBRATION, LATENCY, SIZE, MISSING = "calibration error", "p95 latency", "size", "loss without"
SHADOW = "answers changed in shadow traffic"
UNITS = {LATENCY: " ms", SIZE: " MB"}


def allowed_limits(job: Job, shadowed: Shadow | None) -> dict[str, float]:
    """What the scenario allows at most, by the name of the limit."""
    given = job.scenario.gate.limits
    single = {
        CALIBRATION: given.calibration_error,
        LATENCY: given.p95_milliseconds,
        SIZE: given.megabytes,
        SHADOW: None if shadowed is None else given.shadow_changes,
    }
    found = {name: most for name, most in single.items() if most is not None}
    return found | {f"{MISSING} {name}": most for name, most in given.missing_loss.items()}


def limits_of(
    job: Job, bundle: Path, own: Scored, loaded: LoadTest | None, shadowed: Shadow | None
) -> dict[str, float | None]:
    """What was found of each thing that a limit may be set for."""
    task = job.scenario.gate.metric.partition(".")[0]
    found: dict[str, float | None] = {
        CALIBRATION: own.calibration_error,
        LATENCY: None if loaded is None else loaded.p95_milliseconds,
        SIZE: megabytes(bundle),
        SHADOW: None if shadowed is None else shadowed.changed.get(task),
    }
    worth: Mapping[str, Any] = read_json(bundle / "metrics.json")[task].get("modalities", {})
    for name, own_worth in worth.items():
        intact, removed = own_worth["intact"], (own_worth["removed"] or {}).get("value")
        found[f"{MISSING} {name}"] = None if intact is None or removed is None else intact - removed
    return found


def shadowed_by(job: Job, runtime: Runtime, champion: Registered | None) -> Shadow | None:
    """How the challenger does on what the champion was asked of late; None where no server kept any of it."""
    most = job.scenario.gate.shadow_rows
    if champion is None or not most:
        return None
    asked = recent_batches(
        home() / "predictions", job.scenario.name, release=champion.digest, action=PREDICT, rows=most
    )
    return shadow(runtime, asked)


def size_of(champion: Registered | None) -> float | None:
    """How large the champion is, where it still is there."""
    try:
        return None if champion is None else megabytes(champion.path)
    except IntegrityError:
        return None


def megabytes(bundle: Path) -> float:
    """The size of a bundle's files in millions of bytes."""
    return sum(entry.size for entry in read_manifest(bundle).files.values()) / 1e6


def loaded_elsewhere(
    job: Job, runtime: Runtime, version: str, trial: Trial, *, tracking_uri: str
) -> tuple[LoadTest | None, str | None]:
    """How the release does when it is loaded from the registry by a process of its own, and what is wrong with that."""
    gate = job.scenario.gate
    if not gate.load_test and gate.limits.p95_milliseconds is None:
        return None, None
    rows = asked_rows(runtime, trial)
    try:
        found = load_test(
            tracking_uri=tracking_uri,
            ledgers=home() / "ledger",
            scenario=job.scenario.name,
            version=version,
            task=trial.task,
            rows=rows,
        )
    except IntegrityError as error:
        return None, str(error)
    here = [told(one.answers.get(trial.task)) for one in runtime.predict(rows)] if rows else []
    differing = sum(not same(one, there) for one, there in zip(here, found.answers, strict=True))
    return found, f"{differing} of {len(rows)} answers differ when it is loaded elsewhere" if differing else None


def asked_rows(runtime: Runtime, trial: Trial) -> list[Row]:
    """The first rows, without those of which the task can read nothing."""
    rows = [askable(runtime, trial.task, row) for row in trial.rows[:LOADED_ROWS]]
    head = runtime.heads[trial.task]
    present = {
        name: np.array([runtime.preparations[name].value(row) is not None for row in rows], dtype=bool)
        for name in head.inputs
    }
    return [rows[place] for place in np.flatnonzero(readable_rows(head, present)).tolist()]


def askable(runtime: Runtime, task: str, row: Row) -> Row:
    """The columns of a row that a task reads, as JSON holds them."""
    read: set[str] = set()
    for name in runtime.heads[task].inputs:
        preparation = runtime.preparations[name]
        read |= {*getattr(preparation, "columns", ()), *filter(None, [getattr(preparation, "column", None)])}
    plain = (str, int, float, bool, list)
    return {name: row[name] for name in sorted(read) if isinstance(row.get(name), plain)}


def same(one: Any, other: Any) -> bool:
    """Whether two processes gave the same answer."""
    if one is None or other is None:
        return one is other
    numbers = [(one[name], other[name]) for name in ("value", "probability")]
    near = all(a is b if a is None or b is None else abs(a - b) <= SAME * max(1.0, abs(a)) for a, b in numbers)
    return one["label"] == other["label"] and near
