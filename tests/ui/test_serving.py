"""The page about a server: one that runs, one that asks for tokens, one that is gone, none."""

import json
import re
import socket
import threading

import pytest

from flows import processes
from flows.serving_record import SERVE, note_server
from polyloom.errors import PolyloomError
from releases.serving.tokens import TokenStore
from tests.support.live_server import client_of, live_server
from tests.ui.test_pages import again, look_at, words
from ui.serving import Figures, kept_predictions, server_url, serving

ASK = {"rows": [{"title": "a red mug"}, {"title": "eine Lampe"}]}
BUCKETS = """# TYPE polyloom_request_seconds histogram
polyloom_request_seconds_bucket{scenario="shop",le="0.1"} 80.0
polyloom_request_seconds_bucket{scenario="shop",le="0.5"} 90.0
polyloom_request_seconds_bucket{scenario="shop",le="1.0"} 100.0
polyloom_request_seconds_bucket{scenario="shop",le="+Inf"} 100.0
polyloom_request_seconds_bucket{scenario="late",le="0.1"} 0.0
polyloom_request_seconds_bucket{scenario="late",le="+Inf"} 4.0
# TYPE polyloom_refusals counter
polyloom_refusals_total{reason="busy"} 3.0
polyloom_refusals_total{reason="no_token"} 7.0
polyloom_refusals_total{reason="too_slow"} 0.0
"""


@pytest.fixture
def home(own_home, at_home, monkeypatch):
    monkeypatch.delenv("POLYLOOM_API_URL", raising=False)
    at_home(own_home)
    return own_home


def figures_of(page):
    return dict(re.findall(r"<span>([^<]+)</span><b[^>]*>([^<]+)</b>", words(page)))


def test_quantiles_lie_within_buckets_as_prometheus_has_it():
    figures = Figures(BUCKETS)
    name = "polyloom_request_seconds_bucket"
    assert figures.quantile(name, 0.95, scenario="shop") == pytest.approx(0.75)
    assert figures.quantile(name, 0.4, scenario="shop") == pytest.approx(0.05)
    # Beyond the last bound nothing is known but that bound.
    assert figures.quantile(name, 0.95, scenario="late") == pytest.approx(0.1)
    assert figures.quantile(name, 0.95, scenario="none") is None


def test_counts_are_told_by_a_label_the_largest_first_and_none_that_are_zero():
    assert list(Figures(BUCKETS).counts("polyloom_refusals_total", by="reason").items()) == [
        ("no_token", 7),
        ("busy", 3),
    ]


def test_a_server_is_shown_with_what_it_answered_and_kept(home):
    with live_server("shop", "support") as (url, _):
        note_server(url)
        assert server_url() == url
        with client_of(url) as client:
            told = client.post("/v1/shop/predict", json=ASK).json()
            client.post("/v1/shop/nothing", json=ASK)
        found = serving(url)
        assert {one.name: (one.answered, one.rows) for one in found.scenarios} == {"shop": (1, 2), "support": (0, 0)}
        assert found.scenarios[0].digest == told["release"]["digest"]
        assert 0 < found.scenarios[0].p95_seconds < 30
        assert (found.is_ready, found.is_open, found.log_state) == (True, True, "on")
        assert found.memory_bytes > 50 << 20
        page = look_at("serving")
        assert len(page.error) == len(page.warning) == 0
        assert url in words(page)
        assert figures_of(page)["answered"] == "0"
        assert "<span>answered</span><b>1</b>" in words(page)
        assert "no such path" in words(page)
        # A second look shows how many were answered between the two.
        assert "requests a second" not in words(page).lower()
        assert "requests a second" in words(again(page)).lower()
    kept = kept_predictions(count=5)
    assert [(one.prediction, one.rows, one.action) for one in kept] == [(told["prediction"], 2, "predict")]
    assert f"polyloom replay {told['prediction']}" in words(look_at("serving"))


def test_a_server_that_asks_for_tokens_tells_no_figures(home):
    TokenStore(home / "serving" / "tokens.json").create("page", scopes=["predict"])
    with live_server("shop") as (url, _):
        note_server(url)
        found = serving(url)
        assert (found.is_ready, found.is_open, found.scenarios) == (True, False, ())
        page = look_at("serving")
        assert "access tokens" in words(page)
        assert len(page.error) == 0


def test_a_server_that_is_gone_is_not_shown_and_one_that_does_not_answer_is_told(home, monkeypatch):
    assert "No server of this home runs" in words(look_at("serving"))
    note_server("http://127.0.0.1:9")
    assert "does not answer" in words(look_at("serving"))
    record = json.loads(processes.record_path(SERVE).read_text())
    processes.record_path(SERVE).write_text(json.dumps({**record, "born": "long ago"}))
    assert server_url() is None
    monkeypatch.setenv("POLYLOOM_API_URL", "http://127.0.0.1:9/")
    assert server_url() == "http://127.0.0.1:9"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n\r\n[1]",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"SSH-2.0-x\r\n",
        b"",
    ],
)
def test_another_program_at_the_address_is_told_apart(answer):
    with socket.create_server(("127.0.0.1", 0)) as other:

        def reply():
            connection, _ = other.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        threading.Thread(target=reply).start()
        url = f"http://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(PolyloomError, match=re.escape(f"{url}/ready")):
            serving(url)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "no address", "http://"])
def test_what_does_not_answer_is_told_by_its_address(url):
    with pytest.raises(PolyloomError, match=re.escape(f"{url}/ready")):
        serving(url)
