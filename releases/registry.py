"""The model registry: MLflow holds each release by reference, the ledger holds who moved which alias and why.

One registered model a scenario, one version a bundle. Nothing is copied and nothing can be deleted here.
"""

import contextlib
import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from polyloom.durable import locked
from polyloom.errors import IntegrityError, RegistryError, RequestError, suggestion
from releases.ledger import Ledger
from releases.mlflow_store import connect, is_server
from releases.promotion import (
    CHAMPION,
    PREVIOUS,
    Action,
    Change,
    change_alias,
    changes,
    open_intent,
    settle,
    withdrawn,
)

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

CANDIDATE = "candidate"
DIGEST_TAG = "polyloom.digest"
BUNDLE_TAG = "polyloom.bundle"
SCENARIO_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True)
class Registered:
    """One registered release; `path` is its bundle's folder, `run_id` the MLflow run that made it."""

    scenario: str
    version: str
    digest: str
    path: Path
    run_id: str | None
    aliases: tuple[str, ...]
    created: datetime
    tags: Mapping[str, str]


class Registry:
    """Releases of all scenarios in one MLflow store, and the ledgers of their promotions."""

    def __init__(self, tracking_uri: str, ledger_folder: Path) -> None:
        self.tracking_uri = tracking_uri
        self.ledger_folder = ledger_folder

    @functools.cached_property
    def client(self) -> "MlflowClient":
        """MLflow, opened at the first use."""
        return connect(self.tracking_uri)

    def register(self, scenario: str, bundle: Path, digest: str, run_id: str | None, tags: Mapping[str, str]) -> str:
        """Enter a sealed bundle and point `candidate` to it; returns its version.

        The same digest again gives the same version, also after a process was killed half way.
        """
        tags = {**tags, DIGEST_TAG: digest, BUNDLE_TAG: bundle.absolute().as_uri()}
        with self._lock(scenario):
            self._ensure_model(scenario)
            version = self._version_of(scenario, digest)
            if version is None:
                source = self._source(bundle, run_id)
                version = str(self.client.create_model_version(scenario, source, run_id, tags=tags).version)
            else:
                self._complete_tags(scenario, version, tags)
            self.client.set_registered_model_alias(scenario, CANDIDATE, version)
        return version

    def resolve(self, scenario: str, alias: str = CHAMPION) -> Registered:
        """The release behind an alias, or behind a version number.

        Raises:
            RequestError: no such scenario, alias or version; says what there is.
            IntegrityError: its bundle is no longer where it was registered.
        """
        self._settle(scenario)
        version = alias if alias.isdigit() else self._aliases(scenario).get(alias)
        if version is None:
            raise RequestError(self._no_alias(scenario, alias))
        found = self._get(scenario, version)
        if not found.path.is_dir():
            raise IntegrityError(
                f"{scenario}: the bundle of version {version} is not at {found.path} any more. Put the folder back, "
                f"or go back to the release before it: `polyloom rollback {scenario}`."
            )
        return found

    def versions(self, scenario: str) -> list[Registered]:
        """Every release of a scenario, newest first; empty when there is none."""
        if not SCENARIO_NAME.fullmatch(scenario):
            return []
        aliases = self._aliases(scenario)
        found = [_registered(version, aliases) for version in self._search(f"name = '{scenario}'")]
        return sorted(found, key=lambda release: int(release.version), reverse=True)

    def promote(
        self,
        scenario: str,
        version: str,
        *,
        expected: str | None,
        who: str,
        why: str,
        alias: str = CHAMPION,
        action: Action = "promote",
    ) -> Registered:
        """Point `alias` to `version` if it still points to `expected`, the version it was judged against.

        A version that already is there is left there, so that a retry does no harm. `action` is what the ledger
        calls it: "gate" for a run's own promotion.

        Raises:
            RegistryError: the alias points elsewhere by now; names both versions.
            RequestError: no such version, or an alias that the registry itself keeps.
        """
        if alias in {CANDIDATE, PREVIOUS}:
            raise RequestError(
                f"alias: {alias!r} is kept by the registry itself. Promote to {CHAMPION!r} or to a name of your own."
            )
        with self._lock(scenario):
            self._settle_locked(scenario)
            release = self._get(scenario, version)
            if alias not in release.aliases:
                self._move(action, release, alias=alias, expected=expected, who=who, why=why)
        return self._get(scenario, version)

    def rollback(self, scenario: str, who: str, why: str) -> Registered:
        """Make the champion before this one champion again; a second rollback undoes the first.

        Raises:
            RegistryError: there was no champion before this one.
        """
        with self._lock(scenario):
            self._settle_locked(scenario)
            aliases = self._aliases(scenario)
            version, champion = aliases.get(PREVIOUS), aliases.get(CHAMPION)
            if version is None or version == champion:
                raise RegistryError(
                    f"{scenario}: there is no release to go back to: {_listed(aliases)}. "
                    f"`polyloom releases {scenario}` lists them, `polyloom promote {scenario} VERSION` takes any."
                )
            release = self._get(scenario, version)
            self._move("rollback", release, alias=CHAMPION, expected=champion, who=who, why=why)
        return self._get(scenario, version)

    def history(self, scenario: str, at: datetime | None = None) -> list[Change]:
        """What was done to the scenario's aliases until `at` (a time without zone is local), oldest first."""
        self._settle(scenario)
        known = changes(self.ledger(scenario))
        return known if at is None else [change for change in known if change.at <= at.astimezone(UTC)]

    def champion_at(self, scenario: str, at: datetime) -> Change | None:
        """The change that had made the champion of that time, None before the first."""
        made = [change for change in self.history(scenario, at) if (change.alias, change.outcome) == (CHAMPION, "done")]
        return made[-1] if made else None

    def withdrawn(self, scenario: str, version: str) -> Change | None:
        """The change by which a person put another champion in the place of this version; None when nobody did."""
        self._settle(scenario)
        return withdrawn(self.ledger(scenario)).get(version)

    def ledger(self, scenario: str) -> Ledger:
        """The scenario's ledger. Raises RequestError for a name that no scenario can have."""
        if not SCENARIO_NAME.fullmatch(scenario):
            raise RequestError(
                f"scenario: {scenario!r} is not a name. Names have small letters, digits and '_', such as 'shop'."
            )
        return Ledger(self.ledger_folder / f"{scenario}.jsonl")

    def _lock(self, scenario: str) -> contextlib.AbstractContextManager[None]:
        return locked(self.ledger(scenario).path.with_suffix(".lock"))

    def _settle(self, scenario: str) -> None:
        """Settle what a killed process left, at the price of a lock only when there is something."""
        if open_intent(self.ledger(scenario)) is not None:
            with self._lock(scenario):
                self._settle_locked(scenario)

    def _settle_locked(self, scenario: str) -> None:
        settle(self.ledger(scenario), _ModelAliases(self.client, scenario))

    def _move(
        self, action: Action, release: Registered, *, alias: str, expected: str | None, who: str, why: str
    ) -> None:
        change_alias(
            scenario=release.scenario,
            ledger=self.ledger(release.scenario),
            aliases=_ModelAliases(self.client, release.scenario),
            action=action,
            alias=alias,
            version=release.version,
            digest=release.digest,
            expected=expected,
            who=who,
            why=why,
        )

    def _ensure_model(self, scenario: str) -> None:
        with _accepting("RESOURCE_ALREADY_EXISTS"):
            self.client.create_registered_model(scenario, tags={"polyloom.scenario": scenario})

    def _version_of(self, scenario: str, digest: str) -> str | None:
        """The oldest version with this digest."""
        found = self._search(f"name = '{scenario}' and tags.`{DIGEST_TAG}` = '{digest}'")
        return min((str(version.version) for version in found), key=int, default=None)

    def _source(self, bundle: Path, run_id: str | None) -> str:
        """A server accepts no path of this machine as a source, only a place in the run that it knows."""
        if not is_server(self.tracking_uri):
            return bundle.absolute().as_uri()
        if run_id is None:
            raise RequestError(
                f"run_id: the MLflow server {self.tracking_uri} registers a release only with the MLflow run that "
                f"made it, and none was given."
            )
        return f"runs:/{run_id}/bundle"

    def _complete_tags(self, scenario: str, version: str, tags: Mapping[str, str]) -> None:
        """What is recorded of a release stays; only its place may change, and missing tags are added."""
        known = self.client.get_model_version(scenario, version).tags
        for key, value in tags.items():
            if key not in known or (key == BUNDLE_TAG and known[key] != value):
                self.client.set_model_version_tag(scenario, version, key, value)

    def _search(self, condition: str) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = self.client.search_model_versions(condition, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _aliases(self, scenario: str) -> dict[str, str]:
        """Alias -> version; empty when the scenario has no release."""
        with _accepting("RESOURCE_DOES_NOT_EXIST"):
            found = self.client.get_registered_model(scenario).aliases
            return {alias: str(version) for alias, version in found.items()}
        return {}

    def _get(self, scenario: str, version: str) -> Registered:
        if version.isdigit():
            with _accepting("RESOURCE_DOES_NOT_EXIST"):
                return _registered(self.client.get_model_version(scenario, version), self._aliases(scenario))
        known = [release.version for release in reversed(self.versions(scenario))]
        if not known:
            raise RequestError(self._no_scenario(scenario))
        raise RequestError(
            f"{scenario}: there is no version {version!r}; there are {', '.join(known)}. "
            f"`polyloom releases {scenario}` shows them."
        )

    def _no_alias(self, scenario: str, alias: str) -> str:
        if not self.versions(scenario):
            return self._no_scenario(scenario)
        made = [
            change for change in changes(self.ledger(scenario)) if (change.alias, change.outcome) == (alias, "done")
        ]
        last = f" The ledger says that it was version {made[-1].version}." if made else ""
        return (
            f"{scenario}: there is no {alias!r}; there is {_listed(self._aliases(scenario))}.{last} "
            f"`polyloom releases {scenario}` lists the releases, `polyloom promote {scenario} VERSION` makes one "
            f"champion, `polyloom run {scenario}` makes a new one."
        )

    def _no_scenario(self, scenario: str) -> str:
        names = sorted(model.name for model in self.client.search_registered_models())
        return (
            f"{scenario}: no release is registered.{suggestion(scenario, names)} "
            f"Registered: {', '.join(names) or 'none'}. Make one with `polyloom run {scenario}`."
        )


class _ModelAliases:
    """The aliases of one registered model."""

    def __init__(self, client: "MlflowClient", scenario: str) -> None:
        self.client = client
        self.scenario = scenario

    def read(self, alias: str) -> str | None:
        """The version that an alias points to."""
        version = self.client.get_registered_model(self.scenario).aliases.get(alias)
        return None if version is None else str(version)

    def move(self, alias: str, version: str) -> None:
        """Point an alias to a version."""
        self.client.set_registered_model_alias(self.scenario, alias, version)


def _registered(version: Any, aliases: Mapping[str, str]) -> Registered:
    tags = dict(version.tags)
    number = str(version.version)
    return Registered(
        scenario=version.name,
        version=number,
        digest=tags.get(DIGEST_TAG, ""),
        path=Path(unquote(urlsplit(tags.get(BUNDLE_TAG, version.source)).path)),
        run_id=version.run_id or None,
        aliases=tuple(sorted(alias for alias, target in aliases.items() if target == number)),
        created=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC),
        tags=tags,
    )


def _listed(aliases: Mapping[str, str]) -> str:
    return ", ".join(f"{alias} (version {version})" for alias, version in sorted(aliases.items())) or "no alias"


@contextlib.contextmanager
def _accepting(code: str) -> Iterator[None]:
    """Let one of MLflow's error codes pass, and no other."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise
