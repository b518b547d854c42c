"""The gate of a run: champion and challenger re-scored now, by the same code, on the same rows of the test split."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from flows.gate_report import write_gate_report
from flows.stages.gate_limits import (
    CALIBRATION,
    SIZE,
    UNITS,
    allowed_limits,
    limits_of,
    loaded_elsewhere,
    shadowed_by,
    size_of,
)
from flows.stages.gate_scoring import Scored, Trial, champion_scored, scored, trial_of
from flows.stages.job import Job
from polyloom.durable import write_json
from polyloom.errors import RequestError
from polyloom.progress import Progress
from releases.gate import Verdict, judge
from releases.gate_limits import Limit, limits
from releases.gate_slices import SliceVerdict, judge_slices
from releases.load_test import LoadTest
from releases.registry import Registered
from releases.runtime import Runtime
from releases.shadow import Shadow

# Which run made the champion that was judged against.
AGAINST = "against.json"


def pass_gate(
    job: Job, bundle: Path, version: str, champion: Registered | None, *, tracking_uri: str, progress: Progress
) -> Verdict:
    """The verdict on a registered challenger: its metric, slices and limits, and whether it answers elsewhere, too."""
    trial = trial_of(job)
    runtime = Runtime.open(bundle)
    own = scored(runtime, trial, progress=progress)
    other = champion_scored(champion, trial, decoder=runtime.heads[trial.task].decoder, progress=progress)
    gate = job.scenario.gate
    verdict = judge(
        metric=gate.metric,
        scorer=runtime.heads[trial.task].decoder.scorers[trial.metric],
        truth=own.truth,
        challenger=own.predicted,
        champion=None if other is None else other.predicted,
        rule=gate.rule,
        margin=gate.margin,
        minimum=gate.minimum,
        seed=job.scenario.recipe.seed,
    )
    loaded, problem = loaded_elsewhere(job, runtime, version, trial, tracking_uri=tracking_uri)
    slices = slices_of(job, runtime, trial, own, other)
    shadowed = shadowed_by(job, runtime, champion)
    found = limits_of(job, bundle, own, loaded, shadowed)
    against = {CALIBRATION: None if other is None else other.calibration_error, SIZE: size_of(champion)}
    allowed = allowed_limits(job, shadowed)
    judged = whole(
        replace(verdict, rows_digest=trial.digest),
        slices=slices,
        limits=limits(allowed, found, units=UNITS, champion=against),
        problems=[one for one in (problem, shadowed and shadowed.problem) if one],
        loaded=loaded,
        shadowed=shadowed,
    )
    write_report(job, judged, version=version, champion=champion)
    return judged


def write_report(job: Job, verdict: Verdict, *, version: str, champion: Registered | None) -> None:
    """The verdict as pages and a picture in the run's folder, and which run made the champion it is against."""
    folder = report_folder(job)
    shutil.rmtree(folder, ignore_errors=True)
    write_gate_report(
        folder,
        asdict(verdict),
        title=job.scenario.title,
        challenger=version,
        champion=None if champion is None else champion.version,
    )
    against: dict[str, str | None] = {"champion": None, "run_id": None}
    if champion is not None:
        against = {"champion": champion.version, "run_id": champion.run_id}
    write_json(folder / AGAINST, {"version": version, **against})


def report_folder(job: Job) -> Path:
    """Where the report of a run's gate lies."""
    return job.folder / "gate"


def whole(
    verdict: Verdict,
    *,
    slices: Sequence[SliceVerdict],
    limits: Sequence[Limit],
    problems: Sequence[str],
    loaded: LoadTest | None,
    shadowed: Shadow | None,
) -> Verdict:
    """A verdict on everything: each thing that refuses stands in the reason."""
    against = [f"{limit.reason}" for limit in limits if not limit.passed]
    against += [f"{one.column} = {one.value} ({one.rows:,} rows): {one.reason}" for one in slices if not one.passed]
    against += problems
    times = (
        None
        if loaded is None
        else {
            "p50_milliseconds": round(loaded.p50_milliseconds, 3),
            "p95_milliseconds": round(loaded.p95_milliseconds, 3),
            "ready_milliseconds": round(loaded.ready_milliseconds, 1),
            "rows": len(loaded.answers),
        }
    )
    return replace(
        verdict,
        passed=verdict.passed and not against,
        reason=" ".join([verdict.reason, *(f"Refused: {one}." for one in against)]),
        slices=tuple(slices),
        limits=tuple(limit._asdict() for limit in limits),
        load_test=times,
        shadow=None if shadowed is None else shadowed.to_json(),
    )


def slices_of(job: Job, runtime: Runtime, trial: Trial, own: Scored, other: Scored | None) -> list[SliceVerdict]:
    """A verdict for each value of the columns that the scenario names."""
    gate = job.scenario.gate
    if gate.slices and len(own.truth) != len(trial.rows):
        raise RequestError(
            f"gate.slices: {trial.task!r} is judged by {len(own.truth):,} parts of {len(trial.rows):,} rows, so that "
            "no column says which slice a part is of. Leave `slices` out."
        )
    return judge_slices(
        {column: [row.get(column) for row in trial.rows] for column in gate.slices},
        scorer=runtime.heads[trial.task].decoder.scorers[trial.metric],
        truth=own.truth,
        challenger=own.predicted,
        champion=None if other is None else other.predicted,
        margin=gate.slice_margin,
        minimum=gate.slice_minimum,
        least_rows=gate.slice_rows,
        seed=job.scenario.recipe.seed,
    )
