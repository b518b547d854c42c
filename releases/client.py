"""A release as a downstream service holds it: pinned, watched, swapped in one step, and never lost with the registry.

    with ReleaseClient("http://registry:5000", "support", cache=Path("releases")) as client:
        client.predict([{"text": "Where is my parcel?"}])
        client.status.stale_since    # None while the registry answers

Calls that run while a release is swapped end on the one that they began with; the old one goes when the last has ended.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from polyloom.errors import IntegrityError, PolyloomError, RegistryError
from releases.bundle_cache import BundleCache
from releases.registry_lookup import Lookup, Named, lookup
from releases.runtime import Prediction, Runtime

Opener = Callable[[Path, str], Runtime]
POLL_SECONDS = 30.0


@dataclass(frozen=True)
class Status:
    """Which release answers, when the registry last confirmed it, and since when and why it no longer does."""

    version: str
    digest: str
    confirmed: datetime | None
    stale_since: datetime | None = None
    reason: str | None = None

    @property
    def stale(self) -> bool:
        """Whether what answers may no longer be what the alias names."""
        return self.stale_since is not None


class Pinned(NamedTuple):
    """An opened release."""

    found: Named
    runtime: Runtime


def open_bundle(folder: Path, digest: str) -> Runtime:
    """The usual opener: every byte is verified."""
    return Runtime.open(folder, digest=digest)


class ReleaseClient:
    """The release behind one alias. `look_up` and `opened` stand for others than MLflow and `Runtime`."""

    def __init__(
        self,
        tracking_uri: str,
        scenario: str,
        *,
        alias: str = "champion",
        cache: Path,
        poll_seconds: float = POLL_SECONDS,
        look_up: Lookup | None = None,
        opened: Opener = open_bundle,
    ) -> None:
        """Resolve the alias and open its release; with no registry, the one that was good last.

        Raises: RegistryError when there is neither, IntegrityError for a bundle that is not what was registered.
        """
        self.scenario, self.alias = scenario, alias
        self._cache = BundleCache(cache, tracking_uri=tracking_uri)
        self._look_up = look_up or lookup(tracking_uri)
        self._opened = opened
        self._checking = threading.Lock()
        self._closed = threading.Event()
        self._pinned, self._status = self._begin()
        self._poller = threading.Thread(target=self._poll, args=(poll_seconds,), name=f"watch {scenario}", daemon=True)
        self._poller.start()

    @property
    def runtime(self) -> Runtime:
        """The release that answers now. Hold it for as long as several calls must be answered by the same one."""
        return self._pinned.runtime

    @property
    def status(self) -> Status:
        """What is known of it."""
        return self._status

    def predict(self, rows: Sequence[Mapping[str, object]], *, top: int = 5) -> list[Prediction]:
        """Answers by the release of this moment."""
        return self.runtime.predict(rows, top=top)

    def check(self) -> Status:
        """Ask the registry now, and swap if the alias names another release. Failures are told by the status."""
        with self._checking:
            try:
                self._follow(self._look_up(self.scenario, self.alias))
            except (PolyloomError, OSError) as error:
                self._is_stale(error)
        return self._status

    def close(self) -> None:
        """Stop watching; what was pinned still answers."""
        self._closed.set()
        self._poller.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> tuple[Pinned, Status]:
        try:
            pinned = self._open(self._look_up(self.scenario, self.alias))
        except (RegistryError, IntegrityError, OSError) as error:
            return self._last_good(error)
        return pinned, Status(pinned.found.version, pinned.found.digest, confirmed=now())

    def _last_good(self, error: Exception) -> tuple[Pinned, Status]:
        """What was opened before. Raises: RegistryError when nothing was."""
        found = self._cache.last_good(self.scenario, self.alias)
        if found is None or found.folder is None or not found.folder.is_dir():
            raise RegistryError(
                f"{self.scenario}@{self.alias} cannot be had: {error} And no release of it was opened before in "
                f"{self._cache.folder}. Start the registry, or give a cache that holds one."
            ) from error
        pinned = Pinned(found, self._opened(found.folder, found.digest))
        return pinned, Status(found.version, found.digest, confirmed=None, stale_since=now(), reason=str(error))

    def _open(self, found: Named) -> Pinned:
        """Get a release and open it; one that is damaged here is got again once."""
        folder = self._cache.get(self.scenario, found)
        try:
            runtime = self._opened(folder, found.digest)
        except IntegrityError:
            self._cache.discard(found.digest)
            runtime = self._opened(self._cache.get(self.scenario, found), found.digest)
        self._cache.note_good(self.scenario, self.alias, found)
        return Pinned(found, runtime)

    def _follow(self, found: Named) -> None:
        if found.digest != self._pinned.found.digest:
            self._pinned = self._open(found)
        elif found.version != self._pinned.found.version:
            self._pinned = self._pinned._replace(found=found)
        self._status = Status(found.version, found.digest, confirmed=now())

    def _is_stale(self, error: BaseException) -> None:
        """Go on with what is pinned, and say since when and why."""
        known, pinned = self._status, self._pinned.found
        self._status = Status(
            pinned.version, pinned.digest, known.confirmed, stale_since=known.stale_since or now(), reason=str(error)
        )

    def _poll(self, seconds: float) -> None:
        """Check again and again; whatever a check dies of, the next one is made."""
        with ThreadPoolExecutor(1) as checker:
            while not self._closed.wait(seconds):
                error = checker.submit(self.check).exception()
                if error is not None:
                    self._is_stale(error)


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)
