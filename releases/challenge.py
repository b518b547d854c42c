"""Between registration and promotion: a challenger is judged, turned down, or waits until a person has decided."""

import getpass
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from polyloom.errors import RegistryError, RequestError
from releases.changes import CHALLENGER, CHAMPION, Change, changes, has_run_out, standing
from releases.registry import Registered, Registry


def begin_judging(registry: Registry, scenario: str, version: str, *, against: str | None) -> None:
    """Point `challenger` to the version that the gate judges now; a champion is none."""
    with registry.changing(scenario):
        release = registry.resolve(scenario, version)
        if version != against:
            why = f"judged against {f'version {against}' if against else 'no champion'}"
            registry.note("judge", scenario, version, release.digest, alias=CHALLENGER, why=why, against=against)


def turn_down(registry: Registry, scenario: str, version: str, *, against: str | None, why: str) -> None:
    """Note that the gate found a version wanting: it is `challenger` no more."""
    with registry.changing(scenario):
        release = registry.resolve(scenario, version)
        registry.note("dismiss", scenario, version, release.digest, alias=CHALLENGER, why=why, against=against)


def ask_a_person(
    registry: Registry,
    scenario: str,
    version: str,
    *,
    against: str | None,
    why: str,
    hours: float,
    verdict: Mapping[str, Any],
) -> Change:
    """Let a version that passed the gate wait for a person's approval; it takes the place of one that waited before.

    Raises:
        RegistryError: the champion that it was judged against is champion no more.
    """
    with registry.changing(scenario):
        release = registry.resolve(scenario, version)
        champion = registry.aliases(scenario).read(CHAMPION)
        if champion != against:
            raise RegistryError(
                f"{scenario}: version {version} was judged against {_named(against)}, but champion is now "
                f"{_named(champion)}. Judge it again: `polyloom run {scenario}`."
            )
        until = datetime.now(UTC) + timedelta(hours=hours)
        more = {"until": until.isoformat(timespec="seconds"), "verdict": dict(verdict)}
        registry.note("wait", scenario, version, release.digest, alias=CHALLENGER, why=why, against=against, more=more)
        return waiting_change(registry, scenario, version)


def approve(registry: Registry, scenario: str, version: str, *, who: str, why: str) -> Registered:
    """Make a version that waits champion, if the one that it was judged against still is.

    Raises:
        RequestError: this version does not wait; says which one does.
        RegistryError: the time is over, or the champion has changed since.
    """
    with registry.changing(scenario):
        waiting = waiting_change(registry, scenario, version)
        if has_run_out(waiting):
            raise RegistryError(
                f"{scenario}: version {version} could be approved until {waiting.more['until']}, and what the gate "
                f"found then may hold no more. Judge it again: `polyloom run {scenario}`."
            )
        release = registry.resolve(scenario, version)
        more = {"user": getpass.getuser()}
        registry.move("approve", release, alias=CHAMPION, expected=waiting.against, who=who, why=why, more=more)
    return registry.resolve(scenario, version)


def refuse(registry: Registry, scenario: str, version: str, *, who: str, why: str) -> Change:
    """End the waiting of a version; the champion stays. Returns the change by which it waited.

    Raises:
        RequestError: this version does not wait; says which one does.
    """
    with registry.changing(scenario):
        waiting = waiting_change(registry, scenario, version)
        more = {"user": getpass.getuser()}
        registry.note(
            "refuse",
            scenario,
            version,
            waiting.digest,
            alias=CHALLENGER,
            why=why,
            who=who,
            against=waiting.against,
            more=more,
        )
        return waiting


def waiting_change(registry: Registry, scenario: str, version: str) -> Change:
    """The change by which a version waits. Raises RequestError when it does not."""
    found = standing(changes(registry.ledger(scenario))).waiting
    if found is None:
        raise RequestError(
            f"{scenario}: no version waits for approval. A run of a scenario with `gate: {{approval: person}}` whose "
            f"release passes the gate makes one wait; `polyloom promote {scenario} {version}` asks no gate."
        )
    if found.version != version:
        raise RequestError(f"{scenario}: version {version} does not wait for approval; version {found.version} does.")
    return found


def _named(version: str | None) -> str:
    return f"version {version}" if version else "nobody"
