"""Whoever is to be told of releases is told, by a real server on this machine; and a failure fails nothing."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from flows.notify import announce, webhook_of
from flows.notify_checks import notify_problems
from flows.spec import DataScenario
from polyloom.durable import write_json
from tests.support.small_bundle import release_small_bundle


class Listener(BaseHTTPRequestHandler):
    """Keeps what is posted, and answers with the next status of its server."""

    def do_POST(self):
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.heard.append((self.path, content))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 204)
        self.end_headers()

    def log_message(self, *words):
        """Nothing."""


@pytest.fixture
def listener():
    """A server on a free port; `heard` is what was posted, `answers` the statuses that come before 204."""
    server = HTTPServer(("127.0.0.1", 0), Listener)
    server.heard, server.answers = [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.address = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A champion."""
    return release_small_bundle(tmp_path_factory.mktemp("told") / "home")


def told(release, *, webhook="${TEAM_HOOK}"):
    """What stands in the log after an announcement."""
    lines = []
    announce("promoted", release, against="7", who="ann", why="better", webhook=webhook, log=lines.append)
    return lines


def test_a_webhook_gets_what_happened(release, listener, monkeypatch):
    monkeypatch.setenv("TEAM_HOOK", f"{listener.address}/hook?token=1")
    assert told(release) == []
    ((path, facts),) = listener.heard
    assert path == "/hook?token=1"
    assert facts.pop("at")
    assert facts == {
        "event": "polyloom.release.promoted",
        "scenario": "shop",
        "version": "1",
        "digest": release.digest,
        "against": "7",
        "who": "ann",
        "why": "better",
    }


def test_a_webhook_that_fails_once_is_tried_again(release, listener, monkeypatch):
    monkeypatch.setenv("TEAM_HOOK", listener.address)
    listener.answers = [503]
    assert told(release) == []
    assert len(listener.heard) == 2


@pytest.mark.parametrize(("answers", "tries"), [([404], 1), ([500, 500], 2)])
def test_a_webhook_that_does_not_take_it_is_logged_without_its_address(release, listener, monkeypatch, answers, tries):
    monkeypatch.setenv("TEAM_HOOK", f"{listener.address}/secret")
    listener.answers = list(answers)
    assert told(release) == [
        f"127.0.0.1 could not be told of a release (status {answers[0]}); nothing else is changed by that"
    ]
    assert len(listener.heard) == tries


def test_a_server_that_is_not_there_is_logged(release, monkeypatch):
    monkeypatch.setenv("TEAM_HOOK", "http://127.0.0.1:9/secret")
    assert told(release) == ["127.0.0.1 could not be told of a release (ConnectError); nothing else is changed by that"]


def test_a_variable_without_an_address_is_logged(release, monkeypatch):
    monkeypatch.setenv("TEAM_HOOK", "file:///etc/passwd")
    assert told(release) == [
        "monitor.notify.webhook: nobody was told, the environment variable TEAM_HOOK holds no http address"
    ]


def test_a_prefect_server_gets_an_event(release, listener, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", f"{listener.address}/api")
    assert told(release, webhook=None) == []
    ((path, (event,)),) = listener.heard
    assert (path, event["event"]) == ("/api/events", "polyloom.release.promoted")
    assert event["resource"] == {"prefect.resource.id": "polyloom.scenario.shop", "polyloom.version": "1"}
    assert event["payload"]["why"] == "better"


def test_a_real_prefect_server_keeps_the_event(release, prefect_api):
    import httpx

    assert told(release, webhook=None) == []
    # The server is the whole session's: releases of other tests are told to it too.
    own = {"id": ["polyloom.scenario.shop"]}
    about = {"filter": {"event": {"name": ["polyloom.release.promoted"]}, "resource": own}, "limit": 50}
    for _ in range(100):
        found = httpx.post(f"{prefect_api}/events/filter", json=about).json()["events"]
        if mine := [one for one in found if one["payload"]["digest"] == release.digest]:
            break
        threading.Event().wait(0.2)
    assert mine[0]["payload"]["scenario"] == "shop"


def test_the_webhook_of_a_release_is_its_scenarios(tmp_path):
    assert webhook_of(tmp_path) is None
    write_json(tmp_path / "scenario.json", {"monitor": {"notify": None}})
    assert webhook_of(tmp_path) is None
    write_json(tmp_path / "scenario.json", {"monitor": {"notify": {"webhook": "${TEAM_HOOK}"}}})
    assert webhook_of(tmp_path) == "${TEAM_HOOK}"


@pytest.mark.parametrize(
    ("webhook", "problem"),
    [
        ("${TEAM_HOOK}", None),
        ("https://hooks.example.org/a/b", None),
        ("http://hooks.example.org", "'http://hooks.example.org' is neither an https address without a password nor"),
        ("https://ann:secret@example.org/x", "'https://...@example.org' is neither"),
        ("#releases", "'#releases' is neither"),
    ],
)
def test_an_address_that_is_none_is_refused(webhook, problem):
    rows = {"kind": "table", "path": "rows.csv"}
    monitor = {"notify": {"webhook": webhook}}
    found = list(notify_problems(DataScenario(name="a", title="A", data={"rows": rows}, monitor=monitor)))
    assert bool(found) == bool(problem)
    if problem:
        assert problem in found[0]
