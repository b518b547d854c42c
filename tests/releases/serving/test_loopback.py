"""An open server stays on this machine."""

import socket

import pytest

from polyloom.errors import RequestError
from releases.serving.loopback import check_binding, check_host, check_origin
from releases.serving.refusal import Refused


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "127.1", "::1", "::ffff:127.0.0.1"])
def test_an_open_server_may_listen_on_loopback(host):
    check_binding(host, is_open=True)


@pytest.mark.parametrize(
    "host", ["", "0.0.0.0", "::", "0", "192.0.2.1", "::ffff:192.0.2.1", "no.such.invalid", "a" * 300]
)
def test_an_open_server_may_not_listen_elsewhere(host):
    with pytest.raises(
        RequestError, match=r"came in, where others reach it. Make a token first: 'polyloom tokens create"
    ):
        check_binding(host, is_open=True)


def test_a_name_is_loopback_only_if_all_its_addresses_are(monkeypatch):
    found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 0)) for address in ("127.0.0.1", "192.0.2.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port: found)
    with pytest.raises(RequestError, match=r"'both\.example' came in"):
        check_binding("both.example", is_open=True)
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port: found[:1])
    check_binding("here.example", is_open=True)


def test_a_server_with_tokens_may_listen_anywhere():
    check_binding("0.0.0.0", is_open=False)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8000", "localhost.", "127.0.0.1:8000", "127.3.2.1", "[::1]", "[::1]:8000"]
)
def test_names_of_this_machine_are_answered(host):
    check_host(host)


@pytest.mark.parametrize("host", [
    None, "", "evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "0.0.0.0",
    "192.0.2.1", "[::]", "::1", "evil@localhost", "localhost/evil", "localhost:80:80", "localhost:", " localhost",
    "local host", "localhost, evil.example", "0x7f.1", "[localhost]",
])  # fmt: skip
def test_names_of_strangers_are_not(host):
    with pytest.raises(Refused, match="names of this machine alone") as refused:
        check_host(host)
    assert (refused.value.status, refused.value.reason) == (421, "wrong_host")


def test_a_name_may_be_allowed():
    check_host("Box.Example:8000", allowed=["box.example"])
    check_origin("https://box.example", allowed=["Box.example"])
    with pytest.raises(Refused):
        check_host("other.example", allowed=["box.example"])


@pytest.mark.parametrize("origin", [None, "http://localhost:3000", "https://127.0.0.1", "http://[::1]:8000"])
def test_pages_of_this_machine_and_programs_may_ask(origin):
    check_origin(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://evil.example",
        "http://localhost.evil.example",
        "file://",
        "chrome-extension://abc",
        "http://localhost@evil.example",
    ],
)
def test_pages_of_strangers_may_not(origin):
    with pytest.raises(Refused, match="no page of another site") as refused:
        check_origin(origin)
    assert (refused.value.status, refused.value.reason) == (403, "wrong_origin")
