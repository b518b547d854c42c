"""A bundle to a release: registered, judged against the champion on the same rows, and promoted if it passes."""

import getpass
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from flows.indexing.follow import follow
from flows.indexing.place import index_place
from flows.notify import Happening, announce
from flows.stages.gate import pass_gate
from flows.stages.job import Job
from polyloom.durable import locked
from polyloom.errors import RegistryError, RequestError
from polyloom.home import home
from polyloom.progress import Progress
from polyloom.version import code_version
from releases.challenge import ask_a_person, begin_judging, turn_down
from releases.changes import Change
from releases.gate import Verdict
from releases.registry import Registered, Registry
from releases.runtime import Runtime

ATTEMPTS = 3
Status = Literal["released", "refused", "waiting"]
# What a person who decides sees of a verdict.
SHOWN = (
    "metric",
    "rule",
    "margin",
    "minimum",
    "rows",
    "challenger_value",
    "champion_value",
    "difference",
    "low",
    "high",
)
ALIASES = {"released": "champion", "refused": "candidate", "waiting": "challenger"}
HAPPENINGS: dict[Status, Happening] = {"released": "promoted", "refused": "refused", "waiting": "waiting"}


@dataclass(frozen=True)
class Decided:
    """What became of a version, and against which champion; `approval` is until when it waits."""

    verdict: Verdict
    status: Status
    against: str | None
    approval: dict[str, Any] | None = None


def registry(tracking_uri: str) -> Registry:
    """The registry of this state folder."""
    return Registry(tracking_uri, home() / "ledger")


def release(job: Job, packaged: dict[str, Any], *, tracking_uri: str, progress: Progress) -> dict[str, Any]:
    """Register the bundle, pass it through the gate, and promote it. Reports version, alias and verdict.

    Where the scenario asks for a person, what passed waits for one, and the run ends.
    """
    store = registry(tracking_uri)
    digest, folder = packaged["digest"], Path(packaged["folder"])
    tags = {"polyloom.snapshot": job.ref["data"]["id"], "polyloom.code": code_version()}
    if job.ref["flow_run_id"]:
        tags["prefect.flow_run_id"] = job.ref["flow_run_id"]
    with progress.stage("gate", total=None, unit="rows") as bar:
        version = store.register(job.scenario.name, folder, digest, job.ref["run_id"], tags)
        for attempt in range(ATTEMPTS):
            try:
                decided = decide(job, store, version, folder, tracking_uri=tracking_uri, progress=progress)
                break
            except RegistryError:
                # Another run promoted meanwhile: judge again, against that one.
                if attempt == ATTEMPTS - 1:
                    raise
        bar.say(decided.verdict.reason)
    if decided.status == "released" and job.scenario.index is not None:
        with locked(home() / "locks" / f"index-{job.scenario.name}"):
            follow(index_place(Runtime.open(folder)), snapshot=job.ref["data"]["id"])
    tell(job, store.resolve(job.scenario.name, version), decided, progress=progress)
    return {
        "version": version,
        "digest": digest,
        "alias": ALIASES[decided.status],
        "status": decided.status,
        "passed": decided.verdict.passed,
        "verdict": asdict(decided.verdict),
        "approval": decided.approval,
    }


def decide(job: Job, store: Registry, version: str, folder: Path, *, tracking_uri: str, progress: Progress) -> Decided:
    """Judge a version against the champion of this moment, and act on it.

    Raises RegistryError when that one was champion no more in the end.
    """
    name, gate = job.scenario.name, job.scenario.gate
    champion = current_champion(store, name)
    against = None if champion is None else champion.version
    taken_back = store.withdrawn(name, version)
    if taken_back is None:
        begin_judging(store, name, version, against=against)
    verdict = (
        refusal(job, taken_back)
        if taken_back
        else pass_gate(job, folder, version, champion, tracking_uri=tracking_uri, progress=progress)
    )
    why = f"gate {verdict.metric}: {verdict.reason}"
    if version == against:
        return Decided(verdict, "released", against)
    if not verdict.passed:
        turn_down(store, name, version, against=against, why=why)
        return Decided(verdict, "refused", against)
    if gate.approval == "person":
        waiting = ask_a_person(
            store, name, version, against=against, why=why, hours=gate.approval_hours, verdict=figures_of(verdict)
        )
        return Decided(verdict, "waiting", against, approval={"until": waiting.more["until"], "against": against})
    store.promote(name, version, expected=against, who=getpass.getuser(), why=why, action="gate")
    return Decided(verdict, "released", against)


def figures_of(verdict: Verdict) -> dict[str, Any]:
    """What a person who decides sees of a verdict; the gate's report holds the rest."""
    return {name: value for name, value in asdict(verdict).items() if name in SHOWN}


def tell(job: Job, release: Registered, decided: Decided, *, progress: Progress) -> None:
    """Tell whoever is to be told what the run decided; a champion that stays champion is no news."""
    notify = job.scenario.monitor.notify
    if decided.against != release.version:
        announce(
            HAPPENINGS[decided.status],
            release,
            against=decided.against,
            who=getpass.getuser(),
            why=decided.verdict.reason,
            webhook=notify.webhook if notify else None,
            log=progress.log,
        )


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
