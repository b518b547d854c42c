"""The server as a process: it listens, says when it is ready, and ends without dropping whoever is being answered."""

import signal
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI

from ingestion.pictures import picture_limits
from polyloom.errors import RequestError
from releases.serving.client_limits import ClientLimits
from releases.serving.quiet import quiet_libraries
from releases.serving.service import Service
from releases.serving.slow_clients import guarded_protocol

DRAIN_SECONDS = 30
BACKLOG = 2_048
ALIVE_SECONDS = 30
# The thread that hears callers must not wait 5 ms, as Python has it, each time one that answers has the interpreter.
SWITCH_SECONDS = 0.0002


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where a server listens, and by which certificate."""

    host: str
    port: int
    certificate: Path | None = None
    private_key: Path | None = None

    @property
    def url(self) -> str:
        """The address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self.certificate is None else 'https'}://{host}:{self.port}"


class Running(NamedTuple):
    """A server that answers: its address, and what ends it as SIGTERM does."""

    url: str
    end: Callable[[], None]


def serve(
    app: FastAPI, service: Service, *, at: Listening, clients: ClientLimits, ready: Callable[[Running], None]
) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is here and return. Raises: RequestError for a taken port."""
    taken = listen(at)
    at = replace(at, port=taken.getsockname()[1])
    config = uvicorn.Config(
        app,
        http=guarded_protocol(clients, cut_off=service.parts.metrics.cut_off, full=service.turning_away),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        timeout_keep_alive=ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        backlog=BACKLOG,
        ssl_context_factory=None if at.certificate is None else lambda _config, _default: tls(at),
        ssl_certfile=at.certificate,
        ssl_keyfile=at.private_key,
    )
    server = Server(config, service=service, ready=lambda end: ready(Running(at.url, end)))
    put_back, interval = quiet_libraries(service.log), sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        with picture_limits():
            server.run(sockets=[taken])
    finally:
        sys.setswitchinterval(interval)
        put_back()
        taken.close()


class Server(uvicorn.Server):
    """uvicorn's, which says when it is ready, and no longer is as soon as it is told to end."""

    def __init__(
        self, config: uvicorn.Config, *, service: Service, ready: Callable[[Callable[[], None]], None]
    ) -> None:
        super().__init__(config)
        self._service = service
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        if self.started:
            self._ready(self.end)

    def handle_exit(self, sig: int, frame: object) -> None:
        """SIGTERM and SIGINT. A second Ctrl-C does not wait for those who are being answered."""
        del frame
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.end()

    def end(self) -> None:
        """Load balancers see it at once, then the last requests are answered."""
        self._service.begin_closing()
        self.should_exit = True


def listen(at: Listening) -> socket.socket:
    """A bound socket. Raises: RequestError for an address that cannot be had."""
    family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
    taken = socket.socket(family, socket.SOCK_STREAM)
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((at.host, at.port))
    except (OSError, OverflowError) as error:
        taken.close()
        raise RequestError(
            f"{at.host}:{at.port} cannot be listened on ({error}). Take another port: --port, 0 for any that is free."
        ) from None
    taken.set_inheritable(True)
    return taken


def tls(at: Listening) -> ssl.SSLContext:
    """TLS of version 1.2 or later. Raises: RequestError for files that are no certificate with its key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(str(at.certificate), None if at.private_key is None else str(at.private_key))
    except (OSError, ssl.SSLError) as error:
        raise RequestError(
            f"{at.certificate}: no certificate with its key can be read ({error}). "
            "Give PEM files: --tls-cert, --tls-key."
        ) from None
    return context
