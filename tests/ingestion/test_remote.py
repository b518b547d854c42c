"""Files at addresses: a real web server that fails on demand, and a real S3 server, both on this machine."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestion import remote
from ingestion.readers.separated import SeparatedReader
from ingestion.refusals import RowRefused
from ingestion.remote import fetch, is_address, read_picture, shown_address
from polyloom.errors import DataError, RequestError

CONTENT = "a,b\n1,说\n".encode() * 20_000


class Source(http.server.ThreadingHTTPServer):
    """Serves `content`; answers the first requests for it with what stands in `failures`: a status, or "cut"."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.etag: str | None = '"one"'
        self.failures: list[object] = []
        self.silent_requests = 0
        self.requests: list[str] = []


class Handler(http.server.BaseHTTPRequestHandler):
    server: Source

    def do_HEAD(self) -> None:
        self.answer(with_content=False)

    def do_GET(self) -> None:
        self.answer(with_content=True)

    def answer(self, *, with_content: bool) -> None:
        self.server.requests.append(self.command)
        if self.server.silent_requests:
            self.server.silent_requests -= 1
            self.send_error(502)
            return
        failure = self.server.failures.pop(0) if with_content and self.server.failures else None
        if "gone" in self.path:
            failure = 404
        if isinstance(failure, int):
            self.send_error(failure)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        if self.server.etag:
            self.send_header("ETag", self.server.etag)
        self.end_headers()
        if with_content:
            self.wfile.write(self.server.content[:1000] if failure == "cut" else self.server.content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives
        """Say nothing."""


@pytest.fixture
def source() -> Iterator[Source]:
    with Source() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def address(source: Source, path: str = "data/rows.csv", *, user: str = "") -> str:
    return f"http://{user}127.0.0.1:{source.server_address[1]}/{path}"


def test_a_table_is_fetched_once_until_it_changes(source: Source, cache: Path) -> None:
    path = fetch(address(source), cache=cache)
    assert path.name == "rows.csv"
    assert path.read_bytes() == CONTENT
    assert next(SeparatedReader(path, encoding="utf-8", separator=",").rows()).values == {"a": "1", "b": "说"}
    assert fetch(address(source), cache=cache) == path
    assert source.requests.count("GET") == 1
    source.content, source.etag = b"a,b\n2,x\n", '"two"'
    changed = fetch(address(source), cache=cache)
    assert changed.read_bytes() == source.content
    assert path.read_bytes() == CONTENT, "whoever still reads the former state must not be disturbed"


def test_a_source_that_tells_no_state_is_fetched_again_but_kept_once(source: Source, cache: Path) -> None:
    source.etag = None
    assert fetch(address(source), cache=cache) == fetch(address(source), cache=cache)
    assert source.requests.count("GET") == 2
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("failures", [[503, 503, 503], ["cut", 429, "cut"], [500]])
def test_what_fails_in_passing_is_tried_again(source: Source, cache: Path, failures: list[object]) -> None:
    source.failures = list(failures)
    assert fetch(address(source), cache=cache, pause_seconds=0.01).read_bytes() == CONTENT
    assert source.requests.count("GET") == len(failures) + 1


def test_a_gateway_that_fails_is_no_missing_file(source: Source, cache: Path) -> None:
    source.silent_requests = 5
    assert fetch(address(source), cache=cache, pause_seconds=0.01).read_bytes() == CONTENT
    source.silent_requests = 100
    with pytest.raises(DataError, match=r"the server answered 502 Bad Gateway. Try again later"):
        fetch(address(source), cache=cache, pause_seconds=0.01)


def test_what_does_not_pass_leaves_nothing_behind(source: Source, cache: Path) -> None:
    source.failures = [503] * 9
    with pytest.raises(DataError, match=r"rows.csv cannot be fetched: the server answered 503 .*Try again later"):
        fetch(address(source), cache=cache, attempts=3, pause_seconds=0.01)
    assert source.requests.count("GET") == 3
    source.failures = ["cut"] * 9
    with pytest.raises(DataError, match=r"rows.csv cannot be fetched: .*Try again later"):
        fetch(address(source), cache=cache, attempts=2, pause_seconds=0.01)
    assert list(cache.rglob("*")) == []


def test_what_will_never_pass_is_not_tried_again(source: Source, cache: Path) -> None:
    with pytest.raises(DataError, match=r"gone.csv cannot be fetched: there is no such file. Check the address"):
        fetch(address(source, "gone.csv"), cache=cache)
    source.failures = [403, 403]
    with pytest.raises(
        DataError, match=r"rows.csv cannot be fetched: the server answered 403 Forbidden. Check the address"
    ):
        fetch(address(source), cache=cache)
    assert len(source.failures) == 1


def test_what_is_secret_in_an_address_is_never_shown(source: Source, cache: Path) -> None:
    url = address(source, "gone.csv?signature=s3cret#part", user="me:pa55@")
    assert shown_address(url) == address(source, "gone.csv")
    with pytest.raises(DataError) as caught:
        fetch(url, cache=cache)
    closed = "http://me:pa55@127.0.0.1:1/rows.csv?signature=s3cret"
    with pytest.raises(DataError, match=r"http://127.0.0.1:1/rows.csv cannot be fetched: .*connect") as refused:
        fetch(closed, cache=cache, attempts=2, pause_seconds=0.01)
    with pytest.raises(RowRefused) as picture:
        read_picture(url)
    for error in (caught, refused, picture):
        assert "pa55" not in str(error.value)
        assert "s3cret" not in str(error.value)
        assert error.value.__cause__ is None


def test_pictures(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    source.failures = [503, "cut"]
    assert read_picture(address(source, "1.png"), pause_seconds=0.01) == CONTENT
    assert source.requests == ["GET"] * 3
    monkeypatch.setattr(remote, "MAX_BYTES", 1000)
    monkeypatch.setattr(remote, "CHUNK_BYTES", 300)
    with pytest.raises(RowRefused, match=r"1.png has more than 0 MiB. Make it smaller") as refused:
        read_picture(address(source, "1.png"))
    assert refused.value.refusal.reason == "picture_too_large"
    with pytest.raises(RowRefused, match=r"gone.png cannot be opened: there is no such file") as refused:
        read_picture(address(source, "gone.png"))
    assert refused.value.refusal.reason == "picture_missing"


def test_files_of_this_machine(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "数 据.csv"
    path.write_bytes(b"a\n")
    assert fetch(path.as_uri(), cache=cache) == path
    assert read_picture(path.as_uri()) == b"a\n"
    with pytest.raises(DataError, match=r"there is no such file. Check the address"):
        fetch((tmp_path / "gone.csv").as_uri(), cache=cache)


@pytest.mark.parametrize("url", ["ssh://host/a.csv", "simplecache::https://host/a.csv", "github://a:b@/x", "rows.csv"])
def test_addresses_that_are_not_read(url: str, cache: Path) -> None:
    with pytest.raises(RequestError, match=r"addresses cannot be read. Allowed are file, http, https, s3"):
        fetch(url, cache=cache)


def test_what_an_address_is() -> None:
    assert is_address("https://host/a.csv")
    assert is_address("S3://bucket/a.csv")
    assert not is_address("data/a.csv")
    assert not is_address("C:\\data\\a.csv")


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A bucket `shop` of a real S3 server."""
    moto_server = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("s3fs", reason="the extra polyloom[s3] is not installed")
    import boto3
    import s3fs

    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret-key")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    client = boto3.client("s3")
    client.create_bucket(Bucket="shop")
    yield client
    client.close()
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_s3(bucket: object, cache: Path) -> None:
    bucket.put_object(Bucket="shop", Key="data/rows 数据.csv", Body=CONTENT)
    path = fetch("s3://shop/data/rows 数据.csv", cache=cache)
    assert path.name == "rows 数据.csv"
    assert path.read_bytes() == read_picture("s3://shop/data/rows 数据.csv") == CONTENT
    assert fetch("s3://shop/data/rows 数据.csv", cache=cache) == path
    bucket.put_object(Bucket="shop", Key="data/rows 数据.csv", Body=b"changed")
    assert fetch("s3://shop/data/rows 数据.csv", cache=cache).read_bytes() == b"changed"
    with pytest.raises(DataError, match=r"s3://shop/gone.csv cannot be fetched: there is no such file"):
        fetch("s3://shop/gone.csv", cache=cache)
    with pytest.raises(RowRefused, match=r"s3://nobucket/1.png cannot be opened: "):
        read_picture("s3://nobucket/1.png")
