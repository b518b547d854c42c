"""A server that asks nobody who they are stays on this machine, and is no prey of pages in this machine's browser."""

import ipaddress
import re
import socket
from collections.abc import Collection
from functools import lru_cache

from polyloom.errors import RequestError
from releases.serving.refusal import Refused

HOST = re.compile(r"(?P<name>\[[0-9a-fA-F:.]+\]|[^\s:/?#@\[\]]+)(:[0-9]{1,5})?")
ORIGIN = re.compile(r"^https?://")


def check_binding(host: str, *, is_open: bool) -> None:
    """Raises: RequestError for an open server that others could reach, which is one on any address but loopback."""
    if not is_open or is_loopback(host):
        return
    raise RequestError(
        f"Without access tokens this server answers at 127.0.0.1, ::1 or localhost alone; {host!r} came in, where "
        "others reach it. Make a token first: 'polyloom tokens create NAME --scope predict'."
    )


def check_host(host_header: str | None, allowed: Collection[str] = ()) -> None:
    """Let requests to an open server pass that were meant for this machine, or for a name that is `allowed`.

    A page of a stranger can let its own name lead to 127.0.0.1 (DNS rebinding), so that the browser takes this server
    for the page's own and shows the page what it answers; the header Host then says the stranger's name.
    Raises: Refused, 421.
    """
    if not _is_meant(host_header or "", allowed):
        raise Refused(421, "wrong_host", "This server answers to names of this machine alone, such as 127.0.0.1.")


def check_origin(origin: str | None, allowed: Collection[str] = ()) -> None:
    """Let requests to an open server pass that no page sent, or one of this machine, or of a name that is `allowed`.

    A browser lets any page send simple requests anywhere and only hides the answer. Raises: Refused, 403.
    """
    if origin is not None and not _is_meant(ORIGIN.sub("", origin), allowed):
        raise Refused(403, "wrong_origin", "This server answers no page of another site.")


def _is_meant(host: str, allowed: Collection[str]) -> bool:
    return _is_one_of(host, frozenset(allowed))


@lru_cache(maxsize=256)
def _is_one_of(host: str, allowed: frozenset[str]) -> bool:
    """The same; callers say the same few names again and again."""
    name = _name_in(host)
    return name is not None and (name in {one.lower() for one in allowed} or _is_this_machine(name))


def _name_in(host: str) -> str | None:
    """The name or address in `name:port`, in small letters; None for anything else."""
    found = HOST.fullmatch(host)
    return found["name"].strip("[]").lower() if found else None


def _is_this_machine(name: str) -> bool:
    """Whether a name in a request is one of this machine that nobody else can have; names are not looked up."""
    return name.rstrip(".") == "localhost" or _is_loopback_address(name)


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is loopback, whatever addresses its name has."""
    if not host:
        return False
    try:
        found = socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(_is_loopback_address(str(address[4][0])) for address in found)


def _is_loopback_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
