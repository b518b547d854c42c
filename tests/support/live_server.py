"""A real server over the small releases: uvicorn in a thread of the test's process, on a port of its own."""

import threading
from contextlib import contextmanager

import httpx

from flows.serving import Options, open_service
from polyloom.home import home
from releases.serving.app import create_app
from releases.serving.client_limits import ClientLimits
from releases.serving.process import Listening, serve

START_SECONDS = 30


@contextmanager
def live_server(*names, clients=None, **options):
    """The address of a server with these options, until the block ends, and its service."""
    options = {"log_file": home() / "server.log", **options}
    service = open_service(Options(names=names, poll_seconds=0.05, **options))
    told, found = threading.Event(), {}

    def ready(running):
        found["running"] = running
        told.set()

    at = Listening(host="127.0.0.1", port=0)
    thread = threading.Thread(
        target=serve,
        args=(create_app(service, origins=options.get("origins", ())), service),
        kwargs={"at": at, "clients": clients or ClientLimits(), "ready": ready},
    )
    thread.start()
    assert told.wait(START_SECONDS)
    try:
        yield found["running"].url, service
    finally:
        found["running"].end()
        thread.join(START_SECONDS)
        assert not thread.is_alive()


@contextmanager
def client_of(url, token=None, **settings):
    """A client of a server."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=30, **settings) as client:
        yield client
