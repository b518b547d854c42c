"""What a run's journal says: its state, its stages, its last lines and its figures."""

import contextlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.processes import born


@dataclass(frozen=True)
class StageView:
    """A stage as it stands; `rate` is units a second, None before the first figure."""

    name: str
    state: str
    done: int
    total: int | None
    unit: str
    seconds: float
    rate: float | None
    note: str


@dataclass(frozen=True)
class RunView:
    """A run as it stands; `state` is running, done, failed or interrupted (its process is gone)."""

    scenario: str
    run_id: str
    state: str
    started: datetime | None
    ended: datetime | None
    stages: list[StageView]
    log: list[str]
    metrics: dict[str, float]
    error: str | None


def runs(home: Path, scenario: str | None = None) -> list[RunView]:
    """Every run that left a journal, newest first."""
    paths = sorted((home / "journal").glob(f"{scenario or '*'}/*.jsonl"), key=_changed, reverse=True)
    return [read_run(path) for path in paths]


def read_run(path: Path, *, log_lines: int = 50) -> RunView:
    """The state of the run whose journal lies at `path`."""
    told = _Told()
    for event in read_events(path):
        _take(told, event)
    state = "interrupted" if told.state == "running" and _gone(told.process) else told.state
    until = datetime.now(UTC) if state == "running" else told.last
    stages = [_stage_view(name, stage, run_state=state, until=until) for name, stage in told.stages.items()]
    log = told.log[-log_lines:]
    return RunView(path.parent.name, path.stem, state, told.started, told.ended, stages, log, told.metrics, told.error)


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events in a journal, in order; lines that are not whole are skipped."""
    events = []
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and {"at", "kind"} <= event.keys():
                events.append(event)
    return events


@dataclass
class _Stage:
    begun: datetime
    total: int | None
    unit: str
    done: int = 0
    seconds: float | None = None
    state: str = "running"
    note: str = ""


@dataclass
class _Told:
    """What the events said so far."""

    last: datetime = field(default_factory=lambda: datetime.now(UTC))
    process: tuple[int, str | None] | None = None
    state: str = "running"
    error: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    stages: dict[str, _Stage] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    metrics: dict[str, float] = field(default_factory=dict)


def _take(told: _Told, event: dict[str, Any]) -> None:
    at = told.last = datetime.fromisoformat(event["at"])
    stage = told.stages.get(event.get("stage", ""))
    match event["kind"]:
        case "run_started":
            told.state, told.process, told.error, told.ended = "running", (event["pid"], event["born"]), None, None
            told.started = told.started or at
        case "run_ended":
            told.state, told.error, told.ended = event["state"], event["error"], at
        case "stage_started":
            told.stages.pop(event["stage"], None)
            told.stages[event["stage"]] = _Stage(at, event["total"], event["unit"])
        case "advanced" if stage:
            stage.done = event["done"]
        case "note" if stage:
            stage.note = event["note"]
        case "stage_ended" if stage:
            stage.done, stage.seconds, stage.state = event["done"], event["seconds"], event["state"]
        case "log":
            told.log.append(event["message"])
        case "metrics":
            told.metrics |= event["values"]


def _stage_view(name: str, stage: _Stage, *, run_state: str, until: datetime) -> StageView:
    seconds = (until - stage.begun).total_seconds() if stage.seconds is None else stage.seconds
    rate = stage.done / seconds if stage.done and seconds > 0 else None
    state = "interrupted" if stage.state == "running" and run_state != "running" else stage.state
    return StageView(name, state, stage.done, stage.total, stage.unit, round(seconds, 3), rate, stage.note)


def _gone(process: tuple[int, str | None] | None) -> bool:
    return process is not None and born(process[0]) != process[1]


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns
