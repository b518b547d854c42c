"""What a ledger tells: every attempt to change a scenario's releases, and what stands after all of them.

A version is `candidate` once it is registered, `challenger` while the gate judges it or a person has yet to approve it,
`champion` when it was promoted, and `previous` when another one took its place. The ledger alone decides these; the
registry's aliases follow it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from releases.ledger import Entry, Ledger

CANDIDATE = "candidate"
CHALLENGER = "challenger"
CHAMPION = "champion"
PREVIOUS = "previous"
# What the registry itself points where the ledger says; no person and no run moves these.
KEPT = (CANDIDATE, CHALLENGER, PREVIOUS)

Action = Literal["register", "judge", "dismiss", "wait", "approve", "refuse", "gate", "promote", "rollback", "delete"]
Outcome = Literal["done", "refused", "abandoned"]
# Steps on the way to a decision.
STEPS = {"register", "judge", "dismiss"}


@dataclass(frozen=True)
class Change:
    """One attempt to change something: who wanted which version, when, why, against which; and what became of it.

    `action` is "register", "judge" and "dismiss" (the gate turned it down) for a run's steps; "gate" where a run
    promoted what it had made; "wait" where it passed and a person is to decide, "approve" and "refuse" when one did;
    "promote", "rollback" and "delete" where a person acted by hand. `more` is what else is known, such as the
    gate's figures and until when a version waits.
    """

    at: datetime
    action: Action
    alias: str
    version: str
    digest: str
    against: str | None
    who: str
    why: str
    outcome: Outcome
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """Where each alias is (None: taken away; an alias that was never moved is missing), and what waits for a person."""

    aliases: Mapping[str, str | None]
    waiting: Change | None


def changes(ledger: Ledger) -> list[Change]:
    """Every settled attempt, oldest first."""
    entries = ledger.entries()
    intents = {entry.number: entry for entry in entries if entry.event == "intent"}
    settled = [entry for entry in entries if entry.event != "intent"]
    return [change_of(intents[entry.facts["intent"]], outcome=entry.event) for entry in settled]


def change_of(intent: Entry, *, outcome: Any) -> Change:
    """An intent and what became of it."""
    return Change(at=intent.at, outcome=outcome, **intent.facts)


def champions(ledger: Ledger) -> list[Change]:
    """Every change that made a champion, oldest first."""
    return [change for change in changes(ledger) if (change.alias, change.outcome) == (CHAMPION, "done")]


def withdrawn(ledger: Ledger) -> dict[str, Change]:
    """The versions that a person took back, each with the change that did: no gate may promote them again."""
    found: dict[str, Change] = {}
    for change in champions(ledger):
        found.pop(change.version, None)
        if change.action in {"promote", "rollback"} and change.against is not None:
            found[change.against] = change
    return found


def standing(made: Iterable[Change]) -> Standing:
    """What stands after these changes, oldest first."""
    aliases: dict[str, str | None] = {}
    waiting: Change | None = None
    for change in made:
        if change.outcome == "done":
            waiting = _waiting_after(change, waiting)
            aliases |= _moved_by(change, aliases, waiting)
    return Standing(aliases, waiting)


def has_run_out(waiting: Change, *, now: datetime | None = None) -> bool:
    """Whether the time to approve a version is over."""
    return datetime.fromisoformat(waiting.more["until"]) <= (now or datetime.now(UTC))


def _waiting_after(change: Change, waiting: Change | None) -> Change | None:
    if change.action == "wait":
        return change
    is_decided = change.action in {"dismiss", "refuse", "delete"} or change.alias == CHAMPION
    return None if waiting and is_decided and change.version == waiting.version else waiting


def _moved_by(change: Change, aliases: Mapping[str, str | None], waiting: Change | None) -> dict[str, str | None]:
    if change.action in {"dismiss", "refuse", "delete"}:
        gone = [alias for alias, version in aliases.items() if version == change.version]
        lost = gone if change.action == "delete" else [alias for alias in gone if alias == CHALLENGER]
        return {alias: waiting.version if waiting and alias == CHALLENGER else None for alias in lost}
    moved: dict[str, str | None] = {change.alias: change.version}
    if change.alias == CHAMPION:
        moved |= {alias: None for alias in (CANDIDATE, CHALLENGER) if aliases.get(alias) == change.version}
        if change.against is not None:
            moved[PREVIOUS] = change.against
    return moved
