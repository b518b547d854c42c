"""A connection to Milvus: to a server, or to the edition that runs inside this process and keeps its data on disk."""

import atexit
import logging
import os
import re
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from polyloom.errors import PolyloomError, RequestError

TOKEN = "POLYLOOM_MILVUS_TOKEN"  # noqa: S105
EMBEDDED = ".db"
SCHEMES = ("http://", "https://")
CONNECT_SECONDS = 20.0
# How many connections this process holds to each embedded edition: the last one that closes ends the server behind it.
held: Counter[str] = Counter()
lock = threading.Lock()
# Connections whose owners are gone, to be closed at the next occasion.
abandoned: deque["MilvusConnection"] = deque()


class MilvusConnection:
    """An open connection; closing it leaves nothing running."""

    def __init__(self, client: Any, *, uri: str) -> None:
        self.client = client
        self.uri = uri

    @property
    def place(self) -> str:
        """How a message calls the other end: without a password that stands in the address."""
        return shown(self.uri)

    @contextmanager
    def asked(self) -> Iterator[Any]:
        """The client; what Milvus refuses becomes a PolyloomError in its words."""
        with explained(f"Milvus at {self.place} refused"):
            yield self.client

    def close(self) -> None:
        """End the connection, and with the last one the embedded server."""
        self.client.close()
        if is_embedded(self.uri):
            release(self.uri)


def connect(uri: str) -> MilvusConnection:
    """A connection to `uri`: a path that ends in .db, made where it is missing, or http://host:port.

    A server's token is read from POLYLOOM_MILVUS_TOKEN. Raises: RequestError for another address, and without pymilvus;
    PolyloomError when nobody answers, or another process has the path open.
    """
    if not is_embedded(uri) and not uri.startswith(SCHEMES):
        raise RequestError(
            f"{shown(uri)!r} is not an address of Milvus. Name a path that ends in .db, or http://host:port."
        )
    close_abandoned()
    client_class = milvus(uri).MilvusClient
    if is_embedded(uri):
        return connect_embedded(client_class, uri)
    with explained(f"Milvus does not answer at {shown(uri)}; start it, or set {TOKEN} if it wants a token"):
        client = client_class(uri=uri, token=os.environ.get(TOKEN, ""), timeout=CONNECT_SECONDS, dedicated=True)
    return MilvusConnection(client, uri=uri)


def abandon(connection: MilvusConnection) -> None:
    """Have a connection closed later: who calls this may be the garbage collector, at any place, under any lock."""
    abandoned.append(connection)


@atexit.register
def close_abandoned() -> None:
    """Close the connections whose owners are gone."""
    while abandoned:
        abandoned.popleft().close()


def connect_embedded(client_class: Any, uri: str) -> MilvusConnection:
    """A connection to a server inside this process, which is started where none serves the path yet."""
    path = str(Path(uri).resolve())
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with lock, explained(f"Milvus cannot open {uri}; one process at a time may, so close the other or use a server"):
        client = client_class(uri=path, timeout=CONNECT_SECONDS, dedicated=True)
        held[path] += 1
    return MilvusConnection(client, uri=uri)


def release(uri: str) -> None:
    """Count one connection less; the server behind a path that nobody holds is ended."""
    from milvus_lite.server_manager import server_manager_instance

    path = str(Path(uri).resolve())
    with lock:
        held[path] -= 1
        if held[path] <= 0:
            del held[path]
            server_manager_instance.release_server(path)


def milvus(uri: str) -> Any:
    """The package pymilvus. Raises: RequestError where the extra is not installed."""
    try:
        import pymilvus

        if is_embedded(uri):
            import milvus_lite  # noqa: F401
    except ImportError as error:
        raise RequestError(
            f"The index at {shown(uri)} needs the package {error.name}, which is not installed. "
            'Install the extra: pip install "polyloom[milvus]".'
        ) from error
    # They log each error with its trace before they raise it; the embedded server, what a client may ask in vain.
    for name in ("pymilvus", "milvus_lite", *(["grpc._server"] if is_embedded(uri) else [])):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return pymilvus


@contextmanager
def explained(problem: str) -> Iterator[None]:
    """What pymilvus raises, as a PolyloomError that begins with the problem."""
    from grpc import FutureTimeoutError, RpcError
    from pymilvus.exceptions import MilvusException

    try:
        yield
    except MilvusException as error:
        raise PolyloomError(f"{problem}: {error.message}") from error
    except (RpcError, FutureTimeoutError) as error:
        # Those of a call that was not worth a second attempt, such as one with a wrong token.
        details = getattr(error, "details", lambda: "no answer in time")
        raise PolyloomError(f"{problem}: {details()}") from error


def is_embedded(uri: str) -> bool:
    """Whether an address is a path."""
    return uri.endswith(EMBEDDED) and "://" not in uri


def shown(uri: str) -> str:
    """An address without a name and a password before its host."""
    return re.sub(r"//[^/@]*@", "//", uri)
