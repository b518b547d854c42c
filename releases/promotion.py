"""Moving an alias from one version to another, so that no update is lost and none is half done.

MLflow's alias is a bare upsert, therefore each move is: intent into the ledger, check, set, read again,
outcome into the ledger. The caller holds the scenario's lock. A process killed in between leaves an
intent without an outcome; `settle` looks where the alias stands and writes what happened.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from polyloom.errors import RegistryError
from releases.changes import KEPT, Action, change_of, changes, standing
from releases.ledger import Entry, Ledger


class Aliases(Protocol):
    """The named pointers of one scenario."""

    def all(self) -> Mapping[str, str]:
        """Alias -> version."""

    def read(self, alias: str) -> str | None:
        """The version that an alias points to."""

    def move(self, alias: str, version: str) -> None:
        """Point an alias to a version."""

    def drop(self, alias: str) -> None:
        """Take an alias away."""

    def knows(self, version: str) -> bool:
        """Whether there is such a version."""


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
    more: Mapping[str, Any] | None = None,
) -> None:
    """Point `alias` to `version` if it still points to `expected` (None: to nothing).

    Raises:
        RegistryError: it points elsewhere by now; nothing was changed.
    """
    intent = begin(
        ledger,
        action=action,
        alias=alias,
        version=version,
        digest=digest,
        against=expected,
        who=who,
        why=why,
        more=more,
    )
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
    finish(ledger, aliases, intent)


def note_change(
    *,
    ledger: Ledger,
    aliases: Aliases,
    action: Action,
    alias: str,
    version: str,
    digest: str,
    against: str | None,
    who: str,
    why: str,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Note what happened to a version, and let the aliases that the registry keeps follow; nothing is compared."""
    intent = begin(
        ledger, action=action, alias=alias, version=version, digest=digest, against=against, who=who, why=why, more=more
    )
    finish(ledger, aliases, intent)


def begin(
    ledger: Ledger,
    *,
    action: Action,
    alias: str,
    version: str,
    digest: str,
    against: str | None,
    who: str,
    why: str,
    more: Mapping[str, Any] | None = None,
) -> Entry:
    """Write down what is going to be done."""
    facts = {"action": action, "alias": alias, "version": version, "digest": digest, "against": against}
    return ledger.append("intent", {**facts, "who": who, "why": why, **({"more": dict(more)} if more else {})})


def finish(ledger: Ledger, aliases: Aliases, intent: Entry) -> None:
    """Let the aliases follow what was done, and write down that it was."""
    follow(ledger, aliases, intent)
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
    if _has_happened(intent, aliases):
        follow(ledger, aliases, intent)
        ledger.append("done", {"intent": intent.number, "settled": True})
    else:
        ledger.append("abandoned", {"intent": intent.number, "found": aliases.read(intent.facts["alias"])})


def follow(ledger: Ledger, aliases: Aliases, intent: Entry) -> None:
    """Bring the aliases that the registry keeps to where they stand once an intent is done."""
    wanted = standing([*changes(ledger), change_of(intent, outcome="done")]).aliases
    there = aliases.all()
    for alias in KEPT:
        version = wanted.get(alias)
        if alias not in wanted or version == there.get(alias):
            continue
        if version is None:
            aliases.drop(alias)
        elif aliases.knows(version):
            aliases.move(alias, version)


def _has_happened(intent: Entry, aliases: Aliases) -> bool:
    """Whether what an intent was for has come about, or can still be brought about by `follow` alone."""
    if intent.facts["action"] == "delete":
        return not aliases.knows(intent.facts["version"])
    return intent.facts["alias"] in KEPT or aliases.read(intent.facts["alias"]) == intent.facts["version"]


def _lost(scenario: str, *, alias: str, version: str, expected: str | None, found: str | None) -> str:
    now = f"version {found}" if found else "not set any more"
    judged = f"version {expected}" if expected else f"the absence of a {alias}"
    return (
        f"{scenario}: version {version} was judged against {judged}, but {alias} is now {now}. "
        f"Nothing was changed. Judge it again: `polyloom run {scenario}`."
    )
