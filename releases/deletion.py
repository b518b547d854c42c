"""Deleting a release: never one that answers or may have to, and never files that another release needs."""

from pathlib import Path

from polyloom.errors import RequestError
from releases.changes import CANDIDATE, CHAMPION, PREVIOUS, changes, standing
from releases.promotion import begin, finish
from releases.registry import Registered, Registry


def delete(registry: Registry, scenario: str, version: str, *, who: str, why: str, sure: bool = False) -> Path | None:
    """Delete a version, and its bundle where no other release has the same; returns the folder that was removed.

    Raises:
        RequestError: it is champion or waits for approval; or, unless `sure`, it is previous or has a name of its own.
    """
    with registry.changing(scenario):
        release = registry.version(scenario, version)
        _refuse(registry, release, sure=sure)
        ledger = registry.ledger(scenario)
        intent = begin(
            ledger,
            action="delete",
            alias="",
            version=version,
            digest=release.digest,
            against=None,
            who=who,
            why=why,
            more={"path": str(release.path)},
        )
        registry.client.delete_model_version(scenario, version)
        removed = registry.discard_bundle(release.path, digest=release.digest)
        finish(ledger, registry.aliases(scenario), intent)
        return removed


def _refuse(registry: Registry, release: Registered, *, sure: bool) -> None:
    name, version = release.scenario, release.version
    waiting = standing(changes(registry.ledger(name))).waiting
    if CHAMPION in release.aliases:
        raise RequestError(
            f"{name}: version {version} is champion and cannot be deleted. Put another one in its place first: "
            f"`polyloom rollback {name}` or `polyloom promote {name} VERSION`."
        )
    if waiting is not None and waiting.version == version:
        raise RequestError(
            f"{name}: version {version} waits for a person's approval. Decide first: "
            f"`polyloom refuse {name} {version} --by NAME --why TEXT`."
        )
    if sure:
        return
    if PREVIOUS in release.aliases:
        raise RequestError(
            f"{name}: version {version} is what a rollback would go back to. `--yes` deletes it all the same; "
            f"then there is nothing to go back to until the next promotion."
        )
    named = [alias for alias in release.aliases if alias != CANDIDATE]
    if named:
        raise RequestError(
            f"{name}: version {version} is {', '.join(named)}, and whoever asks for that name would find nothing. "
            f"`--yes` deletes it all the same."
        )
