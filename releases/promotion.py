"""Moving an alias from one version to another, so that no update is lost and none is half done.

MLflow's alias is a bare upsert, therefore each move is: intent into the ledger, check, set, read again,
outcome into the ledger. The caller holds the scenario's lock. A process killed in between leaves an
intent without an outcome; `settle` looks where the alias stands and writes what happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from polyloom.errors import RegistryError
from releases.ledger import Entry, Ledger

CHAMPION = "champion"
PREVIOUS = "previous"

Action = Literal["gate", "promote", "rollback"]
Outcome = Literal["done", "refused", "abandoned"]


class Aliases(Protocol):
    """The named pointers of one scenario."""

    def read(self, alias: str) -> str | None:
        """The version that an alias points to."""

    def move(self, alias: str, version: str) -> None:
        """Point an alias to a version."""


@dataclass(frozen=True)
class Change:
    """One attempt to move an alias: who wanted which version, when, why, against which; and what became of it.

    `action` is "gate" where a run promoted what it had made, "promote" and "rollback" where a person did.
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


def change_alias(
    *,
    scenario: str,
    ledger: Ledger,
    aliases: Aliases,
    action: Action,
    alias: str,
    version: str,
    digest: str,
    expected: str | None,
    who: str,
    why: str,
) -> None:
    """Point `alias` to `version` if it still points to `expected` (None: to nothing).

    Raises:
        RegistryError: it points elsewhere by now; nothing was changed.
    """
    facts = {"action": action, "alias": alias, "version": version, "digest": digest, "against": expected}
    intent = ledger.append("intent", {**facts, "who": who, "why": why})
    found = aliases.read(alias)
    if found != expected:
        ledger.append("refused", {"intent": intent.number, "found": found})
        raise RegistryError(_lost(scenario, alias=alias, version=version, expected=expected, found=found))
    aliases.move(alias, version)
    if aliases.read(alias) != version:
        ledger.append("abandoned", {"intent": intent.number, "found": aliases.read(alias)})
        raise RegistryError(
            f"{scenario}: {alias} was set to version {version} but reads as {aliases.read(alias)}: something outside "
            f"polyloom moves it. Stop that, then try again."
        )
    _remember_previous(aliases, intent)
    ledger.append("done", {"intent": intent.number})


def open_intent(ledger: Ledger) -> Entry | None:
    """The intent whose outcome nobody wrote; only the last line can be one."""
    entries = ledger.entries()
    return entries[-1] if entries and entries[-1].event == "intent" else None


def settle(ledger: Ledger, aliases: Aliases) -> None:
    """Write the outcome that a killed process could not write any more."""
    intent = open_intent(ledger)
    if intent is None:
        return
    found = aliases.read(intent.facts["alias"])
    if found == intent.facts["version"]:
        _remember_previous(aliases, intent)
        ledger.append("done", {"intent": intent.number, "settled": True})
    else:
        ledger.append("abandoned", {"intent": intent.number, "found": found})


def changes(ledger: Ledger) -> list[Change]:
    """Every settled attempt, oldest first."""
    entries = ledger.entries()
    intents = {entry.number: entry for entry in entries if entry.event == "intent"}
    settled = [entry for entry in entries if entry.event != "intent"]
    return [_change(intents[entry.facts["intent"]], outcome=entry.event) for entry in settled]


def champions(ledger: Ledger) -> list[Change]:
    """Every change that made a champion, oldest first."""
    return [change for change in changes(ledger) if (change.alias, change.outcome) == (CHAMPION, "done")]


def withdrawn(ledger: Ledger) -> dict[str, Change]:
    """The versions that a person took back, each with the change that did: no gate may promote them again."""
    found: dict[str, Change] = {}
    for change in champions(ledger):
        found.pop(change.version, None)
        if change.action != "gate" and change.against is not None:
            found[change.against] = change
    return found


def _change(intent: Entry, *, outcome: Any) -> Change:
    return Change(at=intent.at, outcome=outcome, **intent.facts)


def _remember_previous(aliases: Aliases, intent: Entry) -> None:
    facts: Mapping[str, Any] = intent.facts
    if facts["alias"] == CHAMPION and facts["against"] is not None:
        aliases.move(PREVIOUS, facts["against"])


def _lost(scenario: str, *, alias: str, version: str, expected: str | None, found: str | None) -> str:
    now = f"version {found}" if found else "not set any more"
    judged = f"version {expected}" if expected else f"the absence of a {alias}"
    return (
        f"{scenario}: version {version} was judged against {judged}, but {alias} is now {now}. "
        f"Nothing was changed. Judge it again: `polyloom run {scenario}`."
    )
