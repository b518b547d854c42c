"""Champions for a server, out of this home or out of a registry elsewhere."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flows.scenario_name import scenario_name
from polyloom.errors import RegistryError, RequestError
from polyloom.home import home
from releases.bundle_cache import BundleCache
from releases.changes import CHAMPION
from releases.known_release import known_release
from releases.registry_lookup import Named
from releases.runtime import Runtime
from releases.serving.actions import Actions
from releases.serving.champion import Champion
from releases.serving.door import Door
from releases.serving.intake import Intake
from releases.serving.limits import Limits
from releases.serving.local_lookup import LocalLookup

if TYPE_CHECKING:
    from retrieval.recommending.recommender import Event


@dataclass(kw_only=True)
class Opening:
    """How champions are opened: from where, behind which door, and who is told when they move."""

    limits: Limits
    intake: Intake
    poll_seconds: float
    threads: int = 0
    remember: int = 0
    moved: Callable[[Champion, bool], None]
    _explorers: dict[str, Any] = field(default_factory=dict)

    def champion(self, scenario: str, alias: str) -> Champion:
        """The champion of a scenario. Raises: RequestError where it has none; as `Runtime.open` does."""
        uri = os.environ["MLFLOW_TRACKING_URI"]
        look_up = LocalLookup(tracking_uri=uri, ledgers=home() / "ledger", releases=home() / "releases")
        cache = BundleCache(home() / "cache" / "served", tracking_uri=uri)

        def opened(found: Named) -> Runtime:
            runtime = self._open(scenario, found, cache)
            cache.note_good(scenario, alias, found)
            return runtime

        try:
            return Champion(
                scenario,
                alias,
                look_up=look_up,
                opened=opened,
                door=self.door,
                poll_seconds=self.poll_seconds,
                moved=self.moved,
                last_good=lambda: cache.last_good(scenario, alias),
            )
        except RegistryError as error:
            raise RequestError(f"{scenario}@{alias} cannot be served: {error} Next: polyloom run {scenario}") from error

    def door(self, runtime: Runtime) -> Actions:
        """What checks requests for a release and makes work of them."""
        door = Door(runtime, limits=self.limits, intake=self.intake)
        return Actions(runtime, door, limits=self.limits, histories=histories)

    def explorer(self, runtime: Runtime) -> Any:
        """What explores over a release's lists; made once. Raises: RequestError where it does not explore."""
        from flows.exploring import exposures_folder
        from releases.exploring import open_exploring

        known = self._explorers.get(runtime.name)
        if known is None or known.runtime is not runtime:
            known = self._explorers[runtime.name] = open_exploring(runtime, exposures_folder(runtime.name))
        return known

    def _open(self, scenario: str, found: Named, cache: BundleCache) -> Runtime:
        """A release of this machine where it lies, any other out of the registry's files."""
        here = home() / "releases" / scenario / found.digest
        folder = here if here.is_dir() else cache.get(scenario, found)
        return Runtime.open(
            folder,
            blobs=home() / "blobs",
            digest=found.digest,
            indexes=home() / "indexes" / scenario,
            threads=self.threads,
            remember=self.remember,
        )


def wanted_scenarios(names: Sequence[str]) -> dict[str, str]:
    """The alias to serve of each scenario. Raises: RequestError where there is nothing to serve."""
    if names:
        pairs = [name.partition("@") for name in names]
        return {scenario_name(scenario): alias or CHAMPION for scenario, _, alias in pairs}
    found = champions()
    if not found:
        raise RequestError(
            f"No scenario has a champion in {home()}. Next: polyloom run SCENARIO, or name what to serve: "
            "polyloom serve SCENARIO"
        )
    return dict.fromkeys(found, CHAMPION)


def champions() -> list[str]:
    """The scenarios of this home that have a champion."""
    return [path.stem for path in sorted((home() / "ledger").glob("*.jsonl")) if has_champion(path.stem)]


def has_champion(scenario: str) -> bool:
    """Whether this home has a champion of a scenario."""
    return (
        known_release(
            scenario,
            CHAMPION,
            tracking_uri=os.environ["MLFLOW_TRACKING_URI"],
            ledgers=home() / "ledger",
            releases=home() / "releases",
        )
        is not None
    )


def histories(runtime: Runtime, user: str) -> "list[Event]":
    """What a user did, by the newest snapshot here; nothing where this machine has none."""
    from flows.events import history_of, settings_of

    settings_of(runtime)
    try:
        return history_of(runtime, user)
    except RequestError:
        return []
