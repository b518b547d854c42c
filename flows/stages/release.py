"""A bundle to a release: registered, judged against the champion on the same rows, and promoted if it passes."""

import getpass
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flows.indexing.follow import follow
from flows.indexing.place import index_place
from flows.stages.gate import pass_gate
from flows.stages.job import Job
from polyloom.durable import locked
from polyloom.errors import RegistryError, RequestError
from polyloom.home import home
from polyloom.progress import Progress
from polyloom.version import code_version
from releases.gate import Verdict
from releases.promotion import Change
from releases.registry import Registered, Registry
from releases.runtime import Runtime

ATTEMPTS = 3


def registry(tracking_uri: str) -> Registry:
    """The registry of this state folder."""
    return Registry(tracking_uri, home() / "ledger")


def release(job: Job, packaged: dict[str, Any], *, tracking_uri: str, progress: Progress) -> dict[str, Any]:
    """Register the bundle, pass it through the gate, and promote it. Reports version, alias and verdict."""
    store = registry(tracking_uri)
    digest, folder = packaged["digest"], Path(packaged["folder"])
    tags = {"polyloom.snapshot": job.ref["data"]["id"], "polyloom.code": code_version()}
    if job.ref["flow_run_id"]:
        tags["prefect.flow_run_id"] = job.ref["flow_run_id"]
    with progress.stage("gate", total=None, unit="rows") as bar:
        version = store.register(job.scenario.name, folder, digest, job.ref["run_id"], tags)
        for attempt in range(ATTEMPTS):
            champion = current_champion(store, job.scenario.name)
            taken_back = store.withdrawn(job.scenario.name, version)
            verdict = (
                refusal(job, taken_back)
                if taken_back
                else pass_gate(job, folder, version, champion, tracking_uri=tracking_uri, progress=progress)
            )
            bar.say(verdict.reason)
            if not verdict.passed:
                break
            expected = None if champion is None else champion.version
            why = f"gate {verdict.metric}: {verdict.reason}"
            try:
                who = getpass.getuser()
                store.promote(job.scenario.name, version, expected=expected, who=who, why=why, action="gate")
                break
            except RegistryError:
                # Another run promoted meanwhile: judge again, against that one.
                if attempt == ATTEMPTS - 1:
                    raise
    if verdict.passed and job.scenario.index is not None:
        with locked(home() / "locks" / f"index-{job.scenario.name}"):
            follow(index_place(Runtime.open(folder)), snapshot=job.ref["data"]["id"])
    aliases = store.resolve(job.scenario.name, version).aliases
    alias = "champion" if "champion" in aliases else "candidate"
    return {"version": version, "digest": digest, "alias": alias, "passed": verdict.passed, "verdict": asdict(verdict)}


def refusal(job: Job, taken_back: Change) -> Verdict:
    """The verdict on a release that a person took back: no figure outweighs that."""
    gate = job.scenario.gate
    name, version = job.scenario.name, taken_back.against
    reason = (
        f"Version {version} was champion until {taken_back.who} put version {taken_back.version} in its place on "
        f"{taken_back.at:%Y-%m-%d %H:%M} UTC ({taken_back.why}); no run promotes it again. "
        f"If it should be champion: `polyloom promote {name} {version}`."
    )
    return Verdict(
        passed=False,
        reason=reason,
        metric=gate.metric,
        rows=0,
        rule=gate.rule,
        margin=gate.margin,
        minimum=gate.minimum,
    )


def current_champion(store: Registry, scenario: str) -> Registered | None:
    """The champion, or None before the first."""
    try:
        return store.resolve(scenario)
    except RequestError:
        return None
