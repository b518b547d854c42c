"""How often somebody may ask: a token bucket for each key, such as an access token or an address."""

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache

KEYS = 10_000
# A bucket holds what may be asked in ten seconds, so that a page that asks for several things at once is served.
BURST_SECONDS = 10.0
# Whoever has waited as long as was asked is not sent back for the last bit of a float.
ROUNDING_SECONDS = 1e-6
# A site is given a whole /64 of IPv6, so that a limit on one address of it would limit nothing.
SITE_BITS = 64


class RateLimits:
    """Token buckets, which any thread may take from; `per_minute` is what a key may ask that has no limit of its own.

    A bucket is kept as one number, the time at which it will be full again (the generic cell rate algorithm, ITU-T
    I.371). No more than `keys` are known at once: who was heard of longest ago is forgotten, and begins anew.
    """

    def __init__(
        self,
        per_minute: int = 600,
        *,
        burst_seconds: float = BURST_SECONDS,
        keys: int = KEYS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_minute = per_minute
        self._burst_seconds = burst_seconds
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str, per_minute: int | None = None, cost: int = 1) -> float:
        """Take `cost` from a key's bucket: 0.0 when that is allowed, else the seconds after which it would be.

        What costs more than the bucket holds is allowed while it is full, and paid for by a longer wait afterwards.
        What is refused costs nothing.
        """
        a_unit = 60.0 / (per_minute or self.per_minute)
        # Whoever may ask seldom may still ask once.
        room = max(self._burst_seconds, a_unit)
        with self._lock:
            now = self._clock()
            missing = max(0.0, self._full_at.get(key, now) - now)
            wait = missing + (min(cost * a_unit, room) - room)
            is_allowed = wait <= ROUNDING_SECONDS
            self._full_at[key] = now + missing + (cost * a_unit if is_allowed else 0.0)
            self._full_at.move_to_end(key)
            if len(self._full_at) > self._keys:
                self._full_at.popitem(last=False)
        return 0.0 if is_allowed else wait


@lru_cache(maxsize=4_096)
def address_key(address: str) -> str:
    """The key of a client's address: itself, or the network of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found.packed, SITE_BITS), strict=False))
