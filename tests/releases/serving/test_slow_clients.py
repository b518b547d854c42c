"""Clients that would hold a connection for nothing, against a real uvicorn, with all of Python and with all of C."""

import contextlib
import json
import socket
import ssl
import time
from importlib.util import find_spec

import pytest

from releases.serving.client_limits import ClientLimits
from releases.serving.slow_clients import guarded_protocol, on_h11, on_httptools
from tests.support.certificate import make_certificate
from tests.support.guarded_server import HELLO, guarded_server, rest, until, whole

QUICK = 0.5
GROUNDS = {"h11 on asyncio": (on_h11, "asyncio")}
if find_spec("httptools") and find_spec("uvloop"):
    GROUNDS["httptools on uvloop"] = (on_httptools, "uvloop")


@pytest.fixture(params=GROUNDS)
def serve(request):
    """Start a server with limits of a test's own."""
    make_protocol, loop = GROUNDS[request.param]

    def start(*, keep_alive=5, tls=None, **limits):
        return guarded_server(make_protocol, ClientLimits(**limits), keep_alive=keep_alive, loop=loop, tls=tls)

    return start


def problem(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    return json.loads(body)


def test_an_honest_client_is_served_many_times_on_one_connection(serve):
    with serve(head_seconds=QUICK) as served, served.connect() as client:
        for _ in range(3):
            client.sendall(HELLO)
            assert whole(client).endswith(b"hello")
            time.sleep(0.3)
        assert served.cut_off == {}


def test_headers_that_trickle_are_answered_408_and_meanwhile_others_are_served(serve):
    with serve(head_seconds=QUICK) as served, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.connect()) for _ in range(50)]
        began = time.monotonic()
        for byte in HELLO[:4]:
            for client in clients:
                client.sendall(bytes([byte]))
            answer, seconds = served.honest()
            assert answer.endswith(b"hello")
            assert seconds < 2
            time.sleep(0.05)
        for client in clients:
            answer, _ = rest(client)
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert problem(answer)["reason"] == "slow_headers"
        assert time.monotonic() - began < 4 * QUICK
        assert served.cut_off == {"slow_headers": 50}
        until(lambda: served.open_connections() == 0)


def test_a_client_that_sends_nothing_is_dropped_without_a_word(serve):
    with serve(head_seconds=QUICK) as served, served.connect() as client:
        assert rest(client)[0] == b""
        assert served.cut_off == {"slow_headers": 1}


def test_a_second_request_that_trickles_is_cut_off_too(serve):
    with serve(head_seconds=QUICK) as served, served.connect() as client:
        client.sendall(HELLO)
        assert whole(client).endswith(b"hello")
        client.sendall(b"GET / HT")
        assert rest(client)[0].startswith(b"HTTP/1.1 408 ")


def test_empty_lines_do_not_keep_a_connection(serve):
    with serve(head_seconds=QUICK) as served, served.connect() as client:
        client.sendall(HELLO)
        assert whole(client).endswith(b"hello")
        began = time.monotonic()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while time.monotonic() - began < 5:
                client.sendall(b"\r\n")
                time.sleep(0.05)
        assert time.monotonic() - began < 4
        # h11 knows no empty lines before a request.
        assert served.cut_off in ({"slow_headers": 1}, {"malformed": 1})


def test_time_that_the_answer_takes_is_not_the_clients(serve):
    with serve(head_seconds=0.4, read_seconds=0.4) as served, served.connect() as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n")
        assert whole(client).endswith(b"hello")
        assert served.cut_off == {}


def test_headers_without_end_are_answered_431(serve):
    with serve(head_bytes=4096) as served, served.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n")
        for _ in range(80):
            client.sendall(b"X-Filler: " + b"y" * 90 + b"\r\n")
        answer, _ = rest(client)
        assert answer.startswith(b"HTTP/1.1 431 ")
        assert problem(answer)["detail"] == "The headers of a request may have 4096 bytes here."
        assert served.cut_off == {"long_headers": 1}


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nX-One: ", b"GET / HTTP/1.1\r\nX"])
def test_one_endless_line_is_answered_431_and_what_still_comes_is_thrown_away(serve, start):
    with serve(head_bytes=4096) as served, served.connect() as client:
        client.sendall(start)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(200):
                client.sendall(b"a" * 10_000)
        assert rest(client)[0].startswith(b"HTTP/1.1 431 ")
        assert served.cut_off == {"long_headers": 1}


def test_headers_just_within_the_limit_are_served_whatever_body_comes_along(serve):
    with serve(head_bytes=4096) as served, served.connect() as client:
        head = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 200000\r\nX-Filler: "
        client.sendall(head + b"y" * (4096 - len(head) - 4) + b"\r\n\r\n" + b"z" * 200_000)
        assert whole(client).endswith(b"hello")
        assert served.bodies == [b"z" * 200_000]


def test_many_small_requests_at_once_do_not_count_as_one_head(serve):
    with serve(head_bytes=256) as served, served.connect() as client:
        client.sendall(HELLO * 12)
        assert whole(client, 12).count(b"hello") == 12
        assert served.cut_off == {}


def test_a_flood_of_requests_ahead_of_the_answers_does_not_pile_up(serve):
    with serve() as served, served.connect() as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(HELLO * 50_000)
        ahead = []
        while not served.heads and not served.cut_off:
            ahead += [len(getattr(one, "pipeline", ())) for one in tuple(served.state.connections)]
            time.sleep(0.01)
        assert max(ahead, default=0) <= 16
        assert served.honest()[0].endswith(b"hello")
        # h11 reads no further than the request that it answers.
        assert served.cut_off == {"malformed": 1} or len(served.heads) > 1


@pytest.mark.parametrize("flood", [b"1;" + b"e" * 100_000, b"0\r\nX-Trailer: " + b"t" * 100_000])
def test_extensions_and_trailers_without_end_are_cut_off(serve, flood):
    with serve(head_bytes=4096) as served, served.connect() as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(flood)
        rest(client)
        assert served.cut_off.total() == 1


def test_trailers_do_not_become_headers_of_the_request(serve):
    with serve() as served, served.connect() as client:
        client.sendall(
            b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"2\r\nab\r\n0\r\nAuthorization: Bearer late\r\n\r\n"
        )
        assert whole(client).endswith(b"hello")
        assert b"authorization" not in dict(served.heads[0])
        assert served.bodies == [b"ab"]


def test_what_is_no_http_is_answered_400_with_a_problem(serve):
    with serve() as served, served.connect() as client:
        client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        answer, _ = rest(client)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert problem(answer)["reason"] == "malformed"
        assert served.cut_off == {"malformed": 1}


def test_an_idle_connection_is_closed_after_the_keep_alive_time(serve):
    with serve(keep_alive=1, head_seconds=30) as served, served.connect() as client:
        client.sendall(HELLO)
        assert whole(client).endswith(b"hello")
        began = time.monotonic()
        assert rest(client) == (b"", "closed")
        assert 0.8 < time.monotonic() - began < 3
        assert served.cut_off == {}


def test_a_client_that_does_not_read_its_answer_is_cut_off(serve):
    with serve(read_seconds=QUICK) as served, served.connect(receive_bytes=4096) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: here\r\n\r\n")
        until(lambda: served.cut_off == {"slow_reader": 1})
        assert len(rest(client)[0]) < 20_000_000
        until(lambda: served.open_connections() == 0)
        assert served.honest()[0].endswith(b"hello")


def test_a_client_that_reads_byte_by_byte_is_cut_off(serve):
    with serve(read_seconds=QUICK) as served, served.connect(receive_bytes=4096) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        began = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            while not served.cut_off and time.monotonic() - began < 8:
                client.recv(100)
                time.sleep(0.02)
        assert served.cut_off == {"slow_reader": 1}


def test_a_client_that_reads_steadily_gets_a_large_answer(serve):
    with serve(read_seconds=5) as served, served.connect() as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert len(rest(client)[0]) > 20_000_000
        assert served.cut_off == {}


def test_one_connection_too_many_is_told_to_come_again(serve):
    with serve(connections=3, patient_seconds=60) as served, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.connect()) for _ in range(3)]
        until(lambda: served.open_connections() == 3)
        for client in clients:
            client.sendall(HELLO)
            assert whole(client).endswith(b"hello")
        with served.connect() as late:
            answer, how = rest(late)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"Retry-After: 1\r\n" in answer
        assert problem(answer)["reason"] == "too_many_connections"
        assert how == "closed"
        clients[0].sendall(HELLO)
        assert whole(clients[0]).endswith(b"hello")
        clients[0].close()
        until(lambda: served.open_connections() < 3)
        assert served.honest()[0].endswith(b"hello")


def test_connections_that_ask_nothing_make_room_for_a_client_that_does(serve):
    with serve(connections=20, patient_seconds=0.2, head_seconds=30) as served, contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(served.connect())
        until(lambda: served.open_connections() == 20)
        time.sleep(0.3)
        for _ in range(5):
            answer, seconds = served.honest()
            assert answer.endswith(b"hello")
            assert seconds < 1
        assert served.cut_off["too_many_connections"] == 0
        assert served.cut_off["made_room"] >= 1


def test_a_flood_of_connections_is_dropped_at_twice_the_limit_and_leaves_nothing(serve):
    with serve(connections=10, linger_seconds=0.3) as served, contextlib.ExitStack() as stack:
        for _ in range(200):
            with contextlib.suppress(ConnectionResetError, socket.timeout):
                stack.enter_context(served.connect())
        until(lambda: served.cut_off.total() >= 180)
        until(lambda: served.open_connections() <= 20)
        stack.close()
        until(lambda: served.open_connections() == 0)
        assert served.honest()[0].endswith(b"hello")


def test_a_request_under_way_is_not_disturbed_by_nonsense_behind_it(serve):
    with serve() as served, served.connect() as client:
        client.sendall(b"POST /slow HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        answer, _ = rest(client)
        assert answer.count(b"HTTP/1.1") <= 1
        assert served.honest()[0].endswith(b"hello")


def test_a_server_that_ends_does_not_wait_for_those_who_never_ask(serve):
    with serve(head_seconds=60) as served:
        client = served.connect()
        until(lambda: served.open_connections() == 1)
    with client:
        assert rest(client)[0] == b""


def test_the_same_holds_under_tls(serve, tmp_path):
    paths = make_certificate(tmp_path)
    context = ssl.create_default_context(cafile=str(paths[0]))
    with serve(tls=paths, head_seconds=QUICK, read_seconds=QUICK, head_bytes=4096, linger_seconds=0.2) as served:

        def connect(**more):
            return context.wrap_socket(served.connect(**more), server_hostname="127.0.0.1", suppress_ragged_eofs=True)

        with connect() as client:
            client.sendall(HELLO)
            assert whole(client).endswith(b"hello")
        with connect() as client:
            client.sendall(HELLO[:5])
            assert rest(client)[0].startswith(b"HTTP/1.1 408 ")
        with connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\nX-One: " + b"a" * 6000)
            assert rest(client)[0].startswith(b"HTTP/1.1 431 ")
        with connect(receive_bytes=4096) as client:
            client.sendall(b"GET /large HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            until(lambda: served.cut_off["slow_reader"] == 1)
        until(lambda: served.open_connections() == 0)
        assert served.cut_off == {"slow_headers": 1, "long_headers": 1, "slow_reader": 1}


def test_the_protocol_is_the_fast_one_where_that_is_installed():
    kinds = {base.__name__ for base in guarded_protocol(ClientLimits()).__mro__}
    assert ("HttpToolsProtocol" if find_spec("httptools") else "H11Protocol") in kinds
