"""The front before servers that may die, without Ray: who is asked again, and what is told when none is left."""

import asyncio
import json

import pytest
from fastapi import FastAPI, Request

from releases.serving.buffered import Answered, Asked, answer_of
from releases.serving.front import TRIES, front
from releases.serving.limits import Limits


class LostError(Exception):
    """What the transport raises for a server that is gone."""


class BusyError(Exception):
    """What it raises when too many wait."""


behind = FastAPI()


@behind.post("/v1/{scenario}/predict")
async def echo(scenario: str, request: Request):
    headers = {"id": request.headers["x-request-id"], "agent": request.headers.get("user-agent")}
    body = (await request.body()).decode()
    return {"scenario": scenario, "query": request.url.query, "body": body, "client": request.client.host, **headers}


class Servers:
    """Servers that die of the first requests that they are asked."""

    def __init__(self, *, dying=0, error=LostError, seconds=0.0):
        self.asked = 0
        self.lost = []
        self._dying = dying
        self._error = error
        self._seconds = seconds

    async def call(self, asked):
        self.asked += 1
        await asyncio.sleep(self._seconds)
        if self.asked <= self._dying:
            raise self._error("alice@example.org")
        return Answered(*await answer_of(behind, Asked(*asked)))


def ask(servers, *, limits=None, is_open=False, client="127.0.0.1", headers=(), body=b'{"rows": []}'):
    app = front(
        servers.call,
        limits=limits or Limits(),
        lost=(LostError,),
        busy=(BusyError,),
        is_open=is_open,
        told_lost=servers.lost.append,
    )
    asked = Asked("POST", "/v1/shop/predict", b"a=1", [*headers], (client, 7), "http", body)
    answer = asyncio.run(answer_of(app, asked))
    return answer, dict(answer.headers), json.loads(answer.body)


def test_a_request_and_its_answer_go_through_as_they_are():
    answer, headers, said = ask(Servers(), headers=[(b"user-agent", b"mine"), (b"x-request-id", b"f" * 32)])
    assert answer.status == 200
    assert said == {
        "scenario": "shop",
        "query": "a=1",
        "body": '{"rows": []}',
        "client": "127.0.0.1",
        "id": "f" * 32,
        "agent": "mine",
    }
    assert [value for name, value in answer.headers if name == b"x-request-id"] == [b"f" * 32]
    assert headers[b"content-type"] == b"application/json"


def test_an_id_that_is_none_is_replaced_before_anybody_sees_it():
    _, headers, said = ask(Servers(), headers=[(b"x-request-id", b"alice@example.org")])
    assert said["id"] == headers[b"x-request-id"].decode() != "alice@example.org"


def test_another_server_is_asked_when_one_is_lost():
    servers = Servers(dying=TRIES - 1)
    answer, _, said = ask(servers)
    assert (answer.status, said["scenario"]) == (200, "shop")
    assert servers.asked == TRIES
    assert len(servers.lost) == TRIES - 1


def test_a_request_that_kills_whoever_answers_it_does_not_go_round():
    servers = Servers(dying=100)
    answer, headers, said = ask(servers)
    assert (answer.status, said["reason"], headers[b"retry-after"]) == (503, "unavailable", b"5")
    assert servers.asked == TRIES
    assert "alice" not in str(said)


def test_servers_that_are_full():
    answer, headers, said = ask(Servers(dying=1, error=BusyError))
    assert (answer.status, said["reason"], headers[b"retry-after"]) == (429, "busy", b"1")


def test_anything_else_is_told_to_nobody_but_the_log():
    servers = Servers(dying=1, error=ValueError)
    answer, _, said = ask(servers)
    assert (answer.status, servers.asked) == (500, 1)
    assert "alice" not in str(said)


def test_servers_that_do_not_answer_in_time():
    answer, _, said = ask(Servers(seconds=5), limits=Limits(answer_seconds=0.05, wait_seconds=0.05))
    assert (answer.status, said["reason"]) == (504, "too_slow")


def test_a_body_that_is_too_large_reaches_no_server():
    servers = Servers()
    answer, _, said = ask(servers, limits=Limits(body_bytes=10), body=b"x" * 11)
    assert (answer.status, said["reason"], servers.asked) == (413, "body_too_large", 0)


@pytest.mark.parametrize("client", ["10.0.0.1", "", "127.0.0.1.example.org"])
def test_an_open_front_answers_on_its_own_machine_alone(client):
    assert ask(Servers(), is_open=True, client=client)[0].status == 403
    assert ask(Servers(), is_open=True, client="::1")[0].status == 200
    assert ask(Servers(), client=client)[0].status == 200
