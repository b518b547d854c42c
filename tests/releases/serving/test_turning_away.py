"""A server that is asked for more than it can do refuses at once, keeps the connection, and goes on as before."""

import asyncio
import json
import socket
import threading

import pytest

from polyloom.home import home
from releases.serving.lane import Lane, Work
from releases.serving.limits import Limits
from releases.serving.turning_away import TurningAway
from tests.support.live_server import client_of, live_server
from tests.support.small_bundle import release_small_bundle

BODY = json.dumps({"text": "Where is my parcel?"}).encode()
HEAD = b"POST /v1/support/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
REQUEST = HEAD + f"Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY


@pytest.fixture
def held(tmp_path, monkeypatch):
    """A server for whose releases one request may wait, and what lets its lanes go on."""
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path))
    for name in ("shop", "support"):
        release_small_bundle(home(), name=name)
    with live_server(limits=Limits(under_way=2), batches=1) as (url, service):
        free, begun = threading.Event(), threading.Event()

        def hold(works):
            begun.set()
            free.wait(20)
            return [None for _ in works]

        lane, loop = service._lanes["support"], asyncio.new_event_loop()
        put(loop, lane, hold)
        assert begun.wait(5)
        put(loop, lane, hold)
        assert lane.is_full
        yield url, service, free
        free.set()
        lane.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def put(loop, lane, hold):
    work = Work(action="hold", run=hold)
    work.answer = loop.create_future()
    lane._put(work)
    lane._open += 1


def said(raw):
    """One answer: its head, and its body as JSON."""
    content = b""
    while b"\r\n\r\n" not in content:
        content += raw.recv(4096)
    head, _, body = content.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < size:
        body += raw.recv(4096)
    return head.lower(), json.loads(body)


def test_a_full_scenario_refuses_on_the_same_connection_and_others_answer(held):
    url, service, free = held
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw, client_of(url) as client:
        for _ in range(3):
            raw.sendall(REQUEST)
            head, problem = said(raw)
            assert head.startswith(b"http/1.1 429 too many requests")
            assert b"retry-after: 1" in head
            assert (problem["reason"], problem["status"]) == ("busy", 429)
            assert problem["request_id"].encode() in head
        raw.sendall(REQUEST[:-5])
        raw.sendall(REQUEST[-5:])
        assert said(raw)[1]["reason"] == "busy"
        assert client.post("/v1/shop/predict", json={"text": "red mug"}).status_code == 200
        assert client.get("/v1/support").status_code == 200
        free.set()
        service._lanes["support"]._open = 0
        raw.sendall(REQUEST)
        head, answer = said(raw)
        assert head.startswith(b"http/1.1 200")
        assert answer["predictions"]
        metrics = client.get("/metrics").text
    assert 'polyloom_refusals_total{reason="busy"} 4.0' in metrics
    assert 'route="/v1/{scenario}/predict",scenario="support",status="429"} 4.0' in metrics


@pytest.mark.parametrize(
    "special",
    [
        b"Connection: close\r\n",
        b"Expect: 100-continue\r\n",
        b"Origin: http://127.0.0.1\r\n",
        b"Content-Length: 99999999\r\n",
    ],
)
def test_what_is_no_plain_request_is_refused_the_usual_way(held, special):
    url, _, _ = held
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        size = b"" if b"Content-Length" in special else f"Content-Length: {len(BODY)}\r\n".encode()
        raw.sendall(HEAD + special + size + b"\r\n" + BODY)
        head, problem = said(raw)
    assert (head.split(b" ")[1], problem["reason"]) == (b"429", "busy")


def test_only_what_is_asked_of_a_full_lane_is_turned_away():
    lanes = {"shop": Lane("shop", most=1, wait_seconds=5), "support": Lane("support", most=1, wait_seconds=5)}
    counted, told = [], []
    away = TurningAway(lanes, handled=counted.append, told=lambda name, count: told.append((name, count)))
    assert away(b"/v1/shop/predict") is None
    lanes["shop"]._open = 1
    assert away(b"/v1/shop/predict").startswith(b"HTTP/1.1 429")
    for path in (b"/v1/support/predict", b"/v1/shop/feedback", b"/v1/shop", b"/health", b"/v1/shop/predict?x=1", b""):
        assert away(path) is None
    assert [(one.scenario, one.status, one.refused) for one in counted] == [("shop", 429, "busy")]
    assert told == [("shop", 1)]
    for lane in lanes.values():
        lane.close()
