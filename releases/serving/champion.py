"""The release that answers for a scenario: opened and tried before it takes over, and gone when nobody needs it."""

import ctypes
import gc
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from polyloom.errors import PolyloomError, RegistryError
from releases.registry_lookup import Lookup, Named
from releases.runtime import Runtime
from releases.serving.priority import compute_behind_others

Open = Callable[[Named], Runtime]
# A release that cannot be opened is not read anew at every look: each time costs all of its bytes.
AGAIN_SECONDS = 30.0


@dataclass(frozen=True, eq=False)
class Served:
    """A release that answers; `door` is what the caller has made of it once."""

    scenario: str
    version: str
    digest: str
    runtime: Runtime
    door: Any


@dataclass(frozen=True)
class Standing:
    """Since when, and why, it is not known whether the release is still the champion; None while it is."""

    stale_since: float | None = None
    reason: str | None = None


class Champion:
    """One scenario's champion. `moved` is told of each switch, and whether it went well."""

    def __init__(
        self,
        scenario: str,
        alias: str,
        *,
        look_up: Lookup,
        opened: Open,
        door: Callable[[Runtime], Any],
        poll_seconds: float = 1.0,
        moved: Callable[["Champion", bool], None] | None = None,
        last_good: Callable[[], Named | None] = lambda: None,
    ) -> None:
        """Open the release that the alias names now, or the one of before where no registry answers.

        Raises: as `look_up` and `opened` do.
        """
        self.scenario = scenario
        self.alias = alias
        self._look_up = look_up
        self._opened = opened
        self._door = door
        self._poll_seconds = poll_seconds
        self._moved = moved
        self._refused: str | None = None
        self._refused_at = 0.0
        self.standing = Standing()
        self.served = self._open(self._first(last_good))
        self._closed = threading.Event()
        self._checking = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name=f"watch {scenario}", daemon=True)
        self._thread.start()

    def check(self) -> bool:
        """Look now; whether another release took over. What goes wrong is told by `standing`: the old one answers."""
        with self._checking:
            try:
                found = self._look_up(self.scenario, self.alias)
            except (PolyloomError, OSError) as error:
                self._is_stale(error)
                return False
            if found.digest == self.served.digest:
                self.standing, self._refused = Standing(), None
                return False
            return self._switch(found)

    def close(self) -> None:
        """Stop watching; what is open still answers."""
        self._closed.set()
        self._thread.join()

    def _first(self, last_good: Callable[[], Named | None]) -> Named:
        try:
            return self._look_up(self.scenario, self.alias)
        except RegistryError as error:
            found = last_good()
            if found is None:
                raise
            self._is_stale(error)
            return found

    def _switch(self, found: Named) -> bool:
        if found.digest == self._refused and time.monotonic() - self._refused_at < AGAIN_SECONDS:
            return False
        try:
            served = self._open(found)
        except Exception as error:  # noqa: BLE001  (a release that cannot be opened must not take the old one along)
            self._is_stale(error)
            if self._refused != found.digest and self._moved is not None:
                self._moved(self, False)  # noqa: FBT003
            self._refused, self._refused_at = found.digest, time.monotonic()
            return False
        self.served = served
        self.standing, self._refused = Standing(), None
        if self._moved is not None:
            self._moved(self, True)  # noqa: FBT003
        return True

    def _open(self, found: Named) -> Served:
        """Open a release and ask it once, so that the first who asks does not pay for what is loaded late."""
        runtime = self._opened(found)
        served = Served(self.scenario, found.version, found.digest, runtime, self._door(runtime))
        warm(runtime)
        return served

    def _is_stale(self, error: BaseException) -> None:
        since = self.standing.stale_since or time.time()
        self.standing = Standing(since, str(error) if isinstance(error, PolyloomError) else type(error).__name__)

    def _watch(self) -> None:
        """Look again and again; what one look dies of, the next does not."""
        compute_behind_others()
        while not self._closed.wait(self._poll_seconds):
            before = self.served.digest
            try:
                self.check()
            except Exception as error:  # noqa: BLE001  (see above)
                self._is_stale(error)
            if self.served.digest != before:
                # The one before goes with the last request that it answers: soon, and in no request's time.
                self._closed.wait(self._poll_seconds)
                give_back()


def warm(runtime: Runtime) -> None:
    """Ask a release for all that it does, once."""
    from releases.found import Wishes
    from releases.signature import example

    asked = example(runtime.folder)
    row = dict(zip(asked["columns"], asked["data"][0], strict=True)) if asked["data"] else {}
    row = {name: value for name, value in row.items() if not _is_picture(runtime, name)}
    if runtime.heads:
        with suppress(PolyloomError):
            runtime.predict([row])
    if runtime.searchable:
        with suppress(PolyloomError):
            runtime.find(Wishes(k=1), text="warm")
    if runtime.facts.get("recommend"):
        with suppress(PolyloomError):
            runtime.recommend([], k=1)
    if runtime.facts.get("answer"):
        with suppress(PolyloomError):
            runtime.promise.broken()


def _is_picture(runtime: Runtime, column: str) -> bool:
    return any(getattr(one, "column", None) == column for one in runtime.preparations.values())


def give_back() -> None:
    """Free what nobody holds any more, to the system too: glibc keeps it otherwise, and a server would seem to grow."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
