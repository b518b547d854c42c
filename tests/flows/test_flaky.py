"""What may pass is tried again; wrong content and wrong requests are not."""

import http.server
import socket
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.flaky import is_flaky
from ingestion.remote import fetch
from polyloom.errors import DataError, PolyloomError, RequestError


@pytest.fixture
def site():
    """A web server that always answers with the given code; gives its address."""

    class Site(http.server.BaseHTTPRequestHandler):
        code = 200

        def do_GET(self):
            self.send_response(self.code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET  # noqa: N815 - http.server asks by this name

        def log_message(self, *_words):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()

        def answering(code: int) -> str:
            Site.code = code
            return f"http://127.0.0.1:{running.server_port}/rows.csv"

        yield answering
        running.shutdown()
        thread.join()


@pytest.mark.parametrize(("code", "flaky"), [(503, True), (500, True), (429, True), (404, False), (403, False)])
def test_a_server_that_is_down_may_come_back(site, tmp_path: Path, code: int, flaky: bool) -> None:
    with pytest.raises(DataError, match="cannot be fetched") as failed:
        fetch(site(code), cache=tmp_path, attempts=1)
    assert is_flaky(failed.value) is flaky


def test_a_port_that_nobody_listens_on(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/rows.csv"
        with pytest.raises(DataError, match="cannot be fetched") as failed:
            fetch(address, cache=tmp_path, attempts=1)
    assert is_flaky(failed.value)


def test_a_database_without_the_table_stays_so(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}", poolclass=sa.NullPool)
    with engine.connect() as connection, pytest.raises(sa.exc.OperationalError, match="no such table") as failed:
        connection.execute(sa.text("select * from absent"))
    assert not is_flaky(failed.value)


def test_a_locked_database_opens_again(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path / 'a.db'}"
    one = sa.create_engine(address, poolclass=sa.NullPool)
    two = sa.create_engine(address, poolclass=sa.NullPool, connect_args={"timeout": 0})
    with one.connect() as writer, two.connect() as reader:
        writer.execute(sa.text("create table t (a)"))
        writer.commit()
        writer.execute(sa.text("begin exclusive"))
        with pytest.raises(sa.exc.OperationalError, match="locked") as failed:
            reader.execute(sa.text("select * from t"))
    assert is_flaky(failed.value)


@pytest.mark.parametrize("error", [DataError("no column 'text'"), RequestError("no such path"), FileNotFoundError("x")])
def test_wrong_content_is_wrong_the_next_time_too(error: Exception) -> None:
    assert not is_flaky(error)


def test_what_led_to_an_error_counts_and_a_wrong_request_never_does() -> None:
    def raised(kind: type[PolyloomError]) -> PolyloomError:
        try:
            try:
                raise ConnectionResetError
            except OSError:
                raise kind("cannot be read") from None
        except PolyloomError as error:
            return error

    assert is_flaky(raised(DataError))
    assert not is_flaky(raised(RequestError))
