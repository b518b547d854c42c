"""Who is let in to a running server, and what is done with those who try otherwise."""

import json
import socket
import time
from datetime import timedelta

import pytest

from polyloom.home import home
from releases.serving.limits import Limits
from releases.serving.tokens import TokenStore, utc_now
from tests.support.live_server import client_of, live_server
from tests.support.small_bundle import release_small_bundle

ASK = {"text": "Where is my parcel?"}
LIMITS = Limits(body_bytes=20_000, body_seconds=0.5, per_minute=600)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setenv("POLYLOOM_HOME", str(tmp_path_factory.mktemp("guarded")))
    for name in ("shop", "support"):
        release_small_bundle(home(), name=name)
    store = TokenStore(home() / "serving" / "tokens.json")
    store.create("first", scopes=["predict"])
    with live_server(limits=LIMITS) as (url, _):
        yield url, store
    patch.undo()


def asked(url, secret, path="/v1/support/predict", body=ASK):
    with client_of(url, secret) as client:
        return client.post(path, json=body)


def test_no_token_a_wrong_one_and_a_wrong_scheme(guarded):
    url, _ = guarded
    for secret, reason in ((None, "no_token"), ("plm_00000000_" + "x" * 43, "invalid_token"), ("x", "invalid_token")):
        answer = asked(url, secret)
        assert (answer.status_code, answer.json()["reason"]) == (401, reason)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    with client_of(url) as client:
        answer = client.post("/v1/support/predict", json=ASK, headers={"Authorization": "Basic YTpi"})
        assert (answer.status_code, answer.json()["reason"]) == (401, "wrong_scheme")


def test_scope_and_scenario(guarded):
    url, store = guarded
    secret = store.create("narrow", scopes=["predict"], scenarios=["support"]).secret
    assert asked(url, secret).status_code == 200
    answer = asked(url, secret, "/v1/support/search", {"text": "parcel"})
    assert (answer.status_code, answer.json()["reason"]) == (403, "insufficient_scope")
    assert 'scope="search"' in answer.headers["www-authenticate"]
    assert asked(url, secret, "/v1/shop/predict").status_code == 403
    with client_of(url, secret) as client:
        assert client.get("/metrics").status_code == 403
        assert [client.get(path).status_code for path in ("/health", "/ready", "/openapi.json", "/v1")] == [200] * 4
    with client_of(url) as client:
        assert [client.get(path).status_code for path in ("/v1", "/v1/support", "/metrics")] == [401] * 3
        ready = {"ready": True, "stale": False, "prediction_log": {"state": "on"}}
        assert client.get("/ready").json() == ready


def test_of_other_scenarios_nothing_is_told_not_even_that_they_are_there(guarded):
    url, store = guarded
    narrow = store.create("narrow", scopes=["predict"], scenarios=["support"]).secret
    wide = store.create("wide", scopes=["predict"]).secret
    there, missing = (asked(url, narrow, f"/v1/{name}/predict") for name in ("shop", "nothing"))
    told = [{**answer.json(), "request_id": ""} for answer in (there, missing)]
    assert told[0] == told[1]
    assert (there.status_code, missing.status_code) == (403, 403)
    answer = asked(url, wide, "/v1/nothing/predict")
    assert (answer.status_code, answer.json()["reason"]) == (404, "no_such_scenario")

    def names(secret):
        with client_of(url, secret) as client:
            return [one["name"] for one in client.get("/v1").json()["scenarios"]]

    assert (names(narrow), names(wide)) == (["support"], ["shop", "support"])
    with client_of(url) as client:
        described = client.get("/openapi.json")
        assert described.json()["paths"]["/v1"]["get"]["security"] == [{"token": []}]
        for text in (described.text, client.get("/ready").text):
            assert '"shop"' not in text


def test_revoked_expired_and_rotated_from_the_next_request_on(guarded):
    url, store = guarded
    issued = store.create("short", scopes=["predict"])
    assert asked(url, issued.secret).status_code == 200
    store.revoke(issued.token.id)
    assert asked(url, issued.secret).json()["reason"] == "token_revoked"

    late = TokenStore(store.path, now=lambda: utc_now() - timedelta(days=3))
    assert asked(url, late.create("old", scopes=["predict"], days=1).secret).json()["reason"] == "token_expired"

    before = store.create("turned", scopes=["predict"])
    after = store.rotate(before.token.id, grace_hours=1)
    assert [asked(url, one.secret).status_code for one in (before, after)] == [200, 200]
    last = store.rotate(before.token.id, grace_hours=0)
    assert [asked(url, one.secret).status_code for one in (after, last)] == [401, 200]


def test_a_token_has_its_own_rate(guarded):
    url, store = guarded
    secret = store.create("slow", scopes=["predict"], per_minute=6).secret
    with client_of(url, secret) as client:
        answers = [client.post("/v1/support/predict", json=ASK) for _ in range(12)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.json()["reason"] for answer in refused} == {"rate_limited"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


def test_a_body_that_is_too_large_is_refused_by_what_it_says_and_by_what_it_is(guarded):
    url, store = guarded
    secret = store.create("large", scopes=["predict"]).secret
    big = json.dumps({"text": "x" * 30_000}).encode()
    headers = {"content-type": "application/json"}
    with client_of(url, secret) as client:
        told = client.post("/v1/support/predict", content=big, headers=headers)
        streamed = client.post("/v1/support/predict", content=iter([big[:15_000], big[15_000:]]), headers=headers)
    for answer in (told, streamed):
        assert (answer.status_code, answer.json()["reason"]) == (413, "body_too_large")


def test_a_body_that_comes_drop_by_drop_is_given_up_and_holds_nobody_up(guarded):
    url, store = guarded
    secret = store.create("drops", scopes=["predict"]).secret
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        head = f"POST /v1/support/predict HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {secret}\r\n"
        slow.sendall(f"{head}Content-Type: application/json\r\nContent-Length: 500\r\n\r\n{{".encode())
        began = time.monotonic()
        assert asked(url, secret).status_code == 200
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")
        assert 0.4 < time.monotonic() - began < 5


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../../etc/passwd/predict",
        "/v1/%2e%2e/predict",
        "/v1/..%2f..%2fetc%2fpasswd/predict",
        "/v1/support/../shop",
        "//etc/passwd",
        "/v1/support%00/predict",
        "/v1/" + "x" * 5000 + "/predict",
    ],
)
def test_paths_that_lead_elsewhere_lead_nowhere(guarded, path):
    url, store = guarded
    secret = store.create("walker", scopes=["predict", "search"]).secret
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        body = json.dumps(ASK).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {secret}\r\nConnection: close\r\n"
        raw.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.split(b" ")[1] in {b"404", b"400"}
    assert b"root:" not in answer


def test_other_sites_get_nothing_unless_they_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path))
    release_small_bundle(home(), name="support")
    site = {"Origin": "https://shop.example", "Access-Control-Request-Method": "POST"}
    with live_server() as (url, _), client_of(url) as client:
        answer = client.post("/v1/support/predict", json=ASK, headers={"Origin": "https://evil.example"})
        assert (answer.status_code, answer.json()["reason"]) == (403, "wrong_origin")
        answer = client.post("/v1/support/predict", json=ASK, headers={"Host": "evil.example"})
        assert (answer.status_code, answer.json()["reason"]) == (421, "wrong_host")
        assert "access-control-allow-origin" not in client.options("/v1/support/predict", headers=site).headers
        assert client.post("/v1/support/predict", json=ASK).status_code == 200
        TokenStore(home() / "serving" / "tokens.json").create("site", scopes=["predict"])
        assert client.post("/v1/support/predict", json=ASK).status_code == 401
    with live_server(origins=["https://shop.example"]) as (url, _), client_of(url) as client:
        allowed = client.options("/v1/support/predict", headers=site).headers
        assert allowed["access-control-allow-origin"] == "https://shop.example"
        other = client.options("/v1/support/predict", headers={**site, "Origin": "https://evil.example"}).headers
        assert "access-control-allow-origin" not in other
