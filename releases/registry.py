"""The model registry: MLflow holds each release by reference, the ledger holds who moved which alias and why.

One registered model a scenario, one version a bundle. Nothing is copied. `releases.challenge` says what happens
between registration and promotion, `releases.deletion` what may be deleted, `releases.agreement` whether both agree.
"""

import contextlib
import functools
import getpass
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from polyloom.durable import locked
from polyloom.errors import IntegrityError, RegistryError, RequestError, suggestion
from releases.changes import (
    CANDIDATE,
    CHAMPION,
    KEPT,
    PREVIOUS,
    STEPS,
    Action,
    Change,
    champions,
    changes,
    standing,
    withdrawn,
)
from releases.ledger import Ledger
from releases.mlflow_store import connect, is_server
from releases.model_aliases import ModelAliases, accepting
from releases.model_folder import MODELS, is_answerable, model_folder
from releases.model_upload import give_to_run
from releases.promotion import change_alias, note_change, open_intent, settle
from releases.shared_ledger import shared_lines

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

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
        self.shared = shared_lines(tracking_uri)
        self._ledgers: dict[str, Ledger] = {}

    @functools.cached_property
    def client(self) -> "MlflowClient":
        """MLflow, opened at the first use."""
        return connect(self.tracking_uri)

    def register(self, scenario: str, bundle: Path, digest: str, run_id: str | None, tags: Mapping[str, str]) -> str:
        """Enter a sealed bundle and point `candidate` to it, unless it is champion already; returns its version.

        The same digest again gives the same version, also after a process was killed half way.
        """
        tags = {**tags, DIGEST_TAG: digest, BUNDLE_TAG: bundle.absolute().as_uri()}
        with self.changing(scenario):
            self._ensure_model(scenario)
            version = self._version_of(scenario, digest)
            if version is None:
                source = self._source(self._model(bundle, digest), run_id)
                version = str(self.client.create_model_version(scenario, source, run_id, tags=tags).version)
            else:
                self._complete_tags(scenario, version, tags)
            aliases = self.aliases(scenario).all()
            if version not in {aliases.get(CHAMPION), aliases.get(CANDIDATE)}:
                self.note("register", scenario, version, digest, alias=CANDIDATE, why=f"run {run_id}")
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
        if alias in KEPT:
            raise RequestError(
                f"alias: {alias!r} is kept by the registry itself. Promote to {CHAMPION!r} or to a name of your own."
            )
        with self.changing(scenario):
            release = self._get(scenario, version)
            told = standing(changes(self.ledger(scenario))).aliases.get(alias, version)
            if alias not in release.aliases:
                self.move(action, release, alias=alias, expected=expected, who=who, why=why)
            elif told != version:
                # Something outside polyloom pointed it there; now somebody stands by that.
                self.note(action, scenario, version, release.digest, alias=alias, who=who, why=why, against=told)
        return self._get(scenario, version)

    def rollback(self, scenario: str, who: str, why: str) -> Registered:
        """Make the champion before this one champion again; a second rollback undoes the first.

        Raises:
            RegistryError: there was no champion before this one.
        """
        with self.changing(scenario):
            aliases = self._aliases(scenario)
            champion = aliases.get(CHAMPION)
            version = standing(changes(self.ledger(scenario))).aliases.get(PREVIOUS, aliases.get(PREVIOUS))
            if version is None or version == champion:
                raise RegistryError(
                    f"{scenario}: there is no release to go back to: {_listed(aliases)}. "
                    f"`polyloom releases {scenario}` lists them, `polyloom promote {scenario} VERSION` takes any."
                )
            release = self._get(scenario, version)
            self.move("rollback", release, alias=CHAMPION, expected=champion, who=who, why=why)
        return self._get(scenario, version)

    def history(self, scenario: str, at: datetime | None = None, *, steps: bool = False) -> list[Change]:
        """What was decided of the scenario's releases until `at` (a time without zone is local), oldest first.

        With `steps` also what came before each decision: registered, judged, turned down by the gate.
        """
        self._settle(scenario)
        known = [change for change in changes(self.ledger(scenario)) if steps or change.action not in STEPS]
        return known if at is None else [change for change in known if change.at <= at.astimezone(UTC)]

    def champion_at(self, scenario: str, at: datetime) -> Change | None:
        """The change that had made the champion of that time, None before the first; by the ledger alone."""
        self.ledger(scenario).catch_up()
        moment = at.astimezone(UTC)
        made = [change for change in champions(self.ledger(scenario)) if change.at <= moment]
        return made[-1] if made else None

    def waiting(self, scenario: str) -> Change | None:
        """The change by which a version waits for a person's approval; None when none does."""
        self._settle(scenario)
        return standing(changes(self.ledger(scenario))).waiting

    def version(self, scenario: str, version: str) -> Registered:
        """A version as it is registered, wherever its bundle is. Raises RequestError that says which there are."""
        return self._get(scenario, version)

    def holders(self, bundle: Path) -> list[Registered]:
        """The releases of any scenario that have this bundle."""
        found = self._search(f"tags.`{BUNDLE_TAG}` = '{bundle.absolute().as_uri()}'")
        return [_registered(version, {}) for version in found]

    def discard_bundle(self, path: Path, *, digest: str) -> Path | None:
        """Remove a bundle's folder unless a release of any scenario has it; None when it stays, or is gone already.

        Only a folder that is named after its digest is one that polyloom made.
        """
        if path.name != digest or not path.is_dir() or self.holders(path):
            return None
        # What MLflow loads holds the same files, so they would stay on the disk.
        for folder in (*self._models.glob(f"*/{digest}"), path):
            # In one step out of sight: a process killed while it deletes leaves no half bundle.
            shutil.rmtree(folder.rename(folder.with_name(f".{folder.name}.gone")))
        return path

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
        known = self._ledgers.get(scenario)
        if known is None:
            known = self._ledgers[scenario] = Ledger(self.ledger_folder / f"{scenario}.jsonl", shared=self.shared)
        return known

    def aliases(self, scenario: str) -> ModelAliases:
        """The scenario's pointers, as MLflow has them now."""
        return ModelAliases(self.client, scenario)

    @contextlib.contextmanager
    def changing(self, scenario: str) -> Iterator[None]:
        """Hold the scenario's lock; what a killed process left is settled first."""
        with self._lock(scenario):
            self._settle_locked(scenario)
            yield

    def note(
        self,
        action: Action,
        scenario: str,
        version: str,
        digest: str,
        *,
        alias: str,
        why: str,
        who: str | None = None,
        against: str | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Note what happened to a version and let the aliases follow; inside `changing`."""
        note_change(
            ledger=self.ledger(scenario),
            aliases=self.aliases(scenario),
            action=action,
            alias=alias,
            version=version,
            digest=digest,
            against=against,
            who=who or getpass.getuser(),
            why=why,
            more=more,
        )

    def move(
        self,
        action: Action,
        release: Registered,
        *,
        alias: str,
        expected: str | None,
        who: str,
        why: str,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        """Point an alias to a release, by compare-and-set; inside `changing`."""
        change_alias(
            scenario=release.scenario,
            ledger=self.ledger(release.scenario),
            aliases=self.aliases(release.scenario),
            action=action,
            alias=alias,
            version=release.version,
            digest=release.digest,
            expected=expected,
            who=who,
            why=why,
            more=more,
        )

    @contextlib.contextmanager
    def _lock(self, scenario: str) -> Iterator[None]:
        ledger = self.ledger(scenario)
        others = self.shared.held(scenario) if self.shared else contextlib.nullcontext()
        with locked(ledger.path.with_suffix(".lock")), others:
            ledger.catch_up()
            yield

    def _settle(self, scenario: str) -> None:
        """Settle what a killed process left, at the price of a lock only when there is something."""
        self.ledger(scenario).catch_up()
        if open_intent(self.ledger(scenario)) is not None:
            with self._lock(scenario):
                self._settle_locked(scenario)

    def _settle_locked(self, scenario: str) -> None:
        ledger = self.ledger(scenario)
        intent = open_intent(ledger)
        settle(ledger, self.aliases(scenario))
        if intent is not None and changes(ledger)[-1].action == "delete" and changes(ledger)[-1].outcome == "done":
            self.discard_bundle(Path(intent.facts["more"]["path"]), digest=intent.facts["digest"])

    def _ensure_model(self, scenario: str) -> None:
        with accepting("RESOURCE_ALREADY_EXISTS"):
            self.client.create_registered_model(scenario, tags={"polyloom.scenario": scenario})

    def _version_of(self, scenario: str, digest: str) -> str | None:
        """The oldest version with this digest."""
        found = self._search(f"name = '{scenario}' and tags.`{DIGEST_TAG}` = '{digest}'")
        return min((str(version.version) for version in found), key=int, default=None)

    def _model(self, bundle: Path, digest: str) -> Path:
        """The folder that MLflow loads: the bundle with the code that answers; a folder that is no bundle as it is."""
        if not is_answerable(bundle):
            return bundle
        return model_folder(bundle, digest, models=self._models)

    @property
    def _models(self) -> Path:
        return self.ledger_folder.absolute().with_name(MODELS)

    def _source(self, model: Path, run_id: str | None) -> str:
        """A server accepts no path of this machine as a source, only a place in the run that it knows."""
        if not is_server(self.tracking_uri):
            return model.absolute().as_uri()
        if run_id is None:
            raise RequestError(
                f"run_id: the MLflow server {self.tracking_uri} registers a release only with the MLflow run that "
                f"made it, and none was given."
            )
        return give_to_run(self.client, run_id, model)

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
        return self.aliases(scenario).all()

    def _get(self, scenario: str, version: str) -> Registered:
        if version.isdigit():
            with accepting("RESOURCE_DOES_NOT_EXIST"):
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
