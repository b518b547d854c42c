"""What people decide of releases from command line and page; whoever is to be told is told."""

import getpass
import os
import sys
from dataclasses import asdict
from datetime import datetime
from typing import Any

from flows import settings
from flows.indexing.follow import follow
from flows.indexing.place import SNAPSHOT, place_of
from flows.notify import Happening, announce, webhook_of
from flows.scenario_name import scenario_name
from polyloom.durable import locked, read_json
from polyloom.home import home
from releases.agreement import agreement
from releases.challenge import approve, refuse
from releases.changes import CHAMPION
from releases.deletion import delete
from releases.registry import Registered, Registry


def store() -> Registry:
    """The registry of this state folder."""
    settings.apply()
    return Registry(os.environ["MLFLOW_TRACKING_URI"], home() / "ledger")


def release_rows(scenario: str) -> list[dict[str, Any]]:
    """A scenario's releases, newest first. Raises RequestError when there is none."""
    name = scenario_name(scenario)
    registry = store()
    found = registry.versions(name)
    if not found:
        registry.resolve(name)
    return [
        {
            "version": release.version,
            "aliases": ", ".join(release.aliases),
            "digest": release.digest[:12],
            "created": release.created.isoformat(timespec="seconds"),
            "run": release.run_id,
        }
        for release in found
    ]


def promote_release(scenario: str, version: str, *, why: str) -> str:
    """Promote by hand, against the champion of this moment."""
    name, registry, who = scenario_name(scenario), store(), getpass.getuser()
    expected = registry.aliases(name).read(CHAMPION)
    release = registry.promote(name, version, expected=expected, who=who, why=why)
    tell("promoted", release, against=expected, who=who, why=why)
    return f"{name}/{version} is champion; before it was {expected or 'none'}. Back: polyloom rollback {name}"


def rollback_release(scenario: str, *, why: str) -> str:
    """Go back to the champion before."""
    name, registry, who = scenario_name(scenario), store(), getpass.getuser()
    before = registry.aliases(name).read(CHAMPION)
    release = registry.rollback(name, who, why)
    tell("rolled_back", release, against=before, who=who, why=why)
    return f"{name}/{release.version} is champion again, model and index; {name}/{before} is previous."


def approve_release(scenario: str, version: str, *, who: str, why: str) -> str:
    """Promote a version that waits, against the champion that it was judged against."""
    name, registry = scenario_name(scenario), store()
    waiting = registry.waiting(name)
    release = approve(registry, name, version, who=who, why=why)
    before = waiting.against if waiting else None
    follow_champion(release, None if before is None else registry.version(name, before))
    tell("promoted", release, against=before, who=who, why=why)
    return f"{name}/{version} is champion; before it was {before or 'none'}. Back: polyloom rollback {name}"


def follow_champion(release: Registered, before: Registered | None) -> None:
    """Bring the changing index to what a release was sealed with, unless newer rows came in while it waited."""
    facts = read_json(release.path / "application.json")
    if not facts["index"]:
        return
    place, snapshot = place_of(release.path, facts), snapshot_of(release)
    with locked(home() / "locks" / f"index-{release.scenario}"):
        known = None if before is None else snapshot_of(before)
        if not place.is_live or place.open().note.get(SNAPSHOT, known) == known:
            follow(place, snapshot=snapshot)


def snapshot_of(release: Registered) -> str:
    """The snapshot that a release was made from."""
    return str(read_json(release.path / "snapshot.json")["id"])


def refuse_release(scenario: str, version: str, *, who: str, why: str) -> str:
    """Let a version wait no more; the champion stays."""
    name, registry = scenario_name(scenario), store()
    waiting = refuse(registry, name, version, who=who, why=why)
    tell("refused", registry.version(name, version), against=waiting.against, who=who, why=why)
    stays = f"version {waiting.against} stays champion" if waiting.against else "there is no champion"
    return f"{name}/{version} is refused; {stays}."


def delete_release(scenario: str, version: str, *, why: str, is_sure: bool) -> dict[str, Any]:
    """Delete a version that nothing needs; `removed` is the folder that went with it."""
    name = scenario_name(scenario)
    removed = delete(store(), name, version, who=getpass.getuser(), why=why, sure=is_sure)
    return {"scenario": name, "version": version, "removed": str(removed) if removed else None}


def history_rows(scenario: str, *, at: datetime | None, has_steps: bool = False) -> list[dict[str, Any]]:
    """The ledger's changes; with `at`, the one that had made the champion of that time."""
    name, registry = scenario_name(scenario), store()
    if at is None:
        found = registry.history(name, steps=has_steps)
    else:
        made = registry.champion_at(name, at)
        found = [made] if made else []
    return [{**vars(change), "at": change.at.isoformat(timespec="seconds")} for change in found]


def checked_history(scenario: str) -> dict[str, Any]:
    """How many lines of the ledger hold, and where the registry stands elsewhere. Raises IntegrityError."""
    name = scenario_name(scenario)
    return {"scenario": name, **asdict(agreement(store(), name))}


def tell(happening: Happening, release: Registered, *, against: str | None, who: str, why: str) -> None:
    """Tell whoever the release's own scenario names; what cannot be told is said on stderr."""
    announce(
        happening,
        release,
        against=against,
        who=who,
        why=why,
        webhook=webhook_of(release.path),
        log=lambda message: print(message, file=sys.stderr),  # noqa: T201 - it is for the person at the terminal
    )
