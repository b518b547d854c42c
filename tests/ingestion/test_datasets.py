import gzip
import hashlib
import http.server
import os
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ingestion import public
from ingestion.datasets import DATA_SETS, catalogue, fetch, locate
from ingestion.pictures import picture_refusal
from ingestion.sources import resolve_paths
from polyloom.errors import DataError, IntegrityError, RequestError
from polyloom.progress import SILENT

REAL = os.environ.get("POLYLOOM_DATA")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("POLYLOOM_DATA", raising=False)
    return tmp_path / "home"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives
        """Say nothing."""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "served"
    folder.mkdir()

    def handler(*args: object) -> Quiet:
        return Quiet(*args, directory=str(folder))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_beside_the_scenario_comes_first_then_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario = tmp_path / "scenarios/own.yaml"
    data = tmp_path / "data/own/rows.csv"
    for path in (scenario, data):
        path.parent.mkdir(parents=True)
        path.write_text("x")
    monkeypatch.setenv("POLYLOOM_DATA", str(tmp_path / "data"))
    assert locate("own/rows.csv", beside=scenario) == data
    near = tmp_path / "scenarios/own/rows.csv"
    near.parent.mkdir()
    near.write_text("x")
    assert locate("own/rows.csv", beside=scenario) == locate("own/rows.csv", beside=scenario.parent) == near
    assert locate(str(data), beside=scenario) == data
    assert resolve_paths("own/rows.csv", beside=scenario) == {"": near}
    assert resolve_paths({"train": "own/rows.csv"}, beside=scenario) == {"train": near}


def test_a_missing_public_set_says_both_ways(tmp_path: Path) -> None:
    with pytest.raises(
        RequestError,
        match=r"the data set 'banking77' is not here. Set POLYLOOM_DATA to a folder that holds 'banking77/train.csv', "
        "or run `polyloom datasets fetch banking77`",
    ):
        locate("banking77/train.csv", beside=tmp_path)


def test_a_wrong_file_of_a_set_lists_those_there(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/train.csv").write_text("x")
    with pytest.raises(RequestError, match=r"has own/train.csv. Did you mean 'own/train.csv'?"):
        locate("own/trian.csv", beside=tmp_path)


def test_an_unknown_path_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(
        RequestError, match=f"there is no 'bankin77/x.csv' in {tmp_path} or .*Did you mean 'banking77'?"
    ):
        locate("bankin77/x.csv", beside=tmp_path)
    with pytest.raises(RequestError, match=r"there is no '/gone.csv' in"):
        locate("/gone.csv", beside=tmp_path)


def test_a_made_set_is_made_once(tmp_path: Path, home: Path) -> None:
    pytest.importorskip("ingestion.demo.make", reason="the demo data is not built")
    folder = fetch("support")
    assert folder == home / "datasets/support"
    file = next(path for path in folder.rglob("*") if path.is_file())
    written = file.stat().st_mtime_ns
    assert locate(f"support/{file.relative_to(folder)}", beside=tmp_path) == file
    assert fetch("support") == folder
    assert file.stat().st_mtime_ns == written


def test_the_catalogue_tells_what_was_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {listed.data_set.name: listed.found for listed in catalogue()} == dict.fromkeys(DATA_SETS)
    (tmp_path / "data/banking77").mkdir(parents=True)
    monkeypatch.setenv("POLYLOOM_DATA", str(tmp_path / "data"))
    found = {listed.data_set.name: listed.found for listed in catalogue()}
    assert found["banking77"] == tmp_path / "data/banking77"
    assert {listed.data_set.kind for listed in catalogue()} == {"made", "public", "derived"}


def test_fetch_of_what_nobody_knows() -> None:
    with pytest.raises(RequestError, match=r"'fashion_mist' is not a known data set. Did you mean 'fashion_mnist'?"):
        fetch("fashion_mist")


def test_banking77_is_fetched_whole_or_not_at_all(served, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, url = served
    files = {"train.csv": b"text,category\nhi,a\n", "test.csv": b"text,category\n", "categories.json": b"[]"}
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=r"train.csv: what came has the digest .*, the published file b06e26ac"):
        fetch("banking77", base_url=url)
    assert not (home / "datasets/banking77").exists()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    monkeypatch.setattr(public, "BANKING77_SHA256", digests)
    fetched = fetch("banking77", base_url=url)
    assert {path.name: path.read_bytes() for path in fetched.iterdir()} == files
    assert locate("banking77/train.csv", beside=home) == fetched / "train.csv"


def test_the_published_digests_are_those_of_the_real_files(served, home: Path) -> None:
    real = Path(REAL or "") / "banking77"
    if REAL is None or not (real / "train.csv").exists():
        pytest.skip("POLYLOOM_DATA names no folder with banking77")
    folder, url = served
    for name in ("train.csv", "test.csv", "categories.json"):
        (folder / name).write_bytes((real / name).read_bytes())
    assert (fetch("banking77", base_url=url) / "train.csv").stat().st_size == 839_073


def test_a_source_that_does_not_answer(served) -> None:
    with pytest.raises(DataError, match=r"train.csv cannot be fetched: .*404.*set POLYLOOM_DATA"):
        fetch("banking77", base_url=served[1])


def test_only_http_is_fetched() -> None:
    with pytest.raises(RequestError, match=r"'file:///etc/train.csv' is not an http or https address"):
        fetch("banking77", base_url="file:///etc/")


def idx(array: np.ndarray, magic: int) -> bytes:
    return gzip.compress(struct.pack(f">I{array.ndim}I", magic, *array.shape) + array.astype(np.uint8).tobytes())


def archives(pictures: int = 3) -> dict[str, bytes]:
    files = {}
    for part in ("train", "t10k"):
        pixels = np.arange(pictures * 28 * 28).reshape(pictures, 28, 28) % 256
        files[f"{part}-images-idx3-ubyte.gz"] = idx(pixels, public.IDX_IMAGES)
        files[f"{part}-labels-idx1-ubyte.gz"] = idx(np.arange(pictures), public.IDX_LABELS)
    return files


def test_fashion_mnist_becomes_parquet(served, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, url = served
    for name, content in archives().items():
        (folder / name).write_bytes(content)
    digests = {name: hashlib.md5(content).hexdigest() for name, content in archives().items()}
    monkeypatch.setattr(public, "FASHION_MNIST_MD5", digests)
    table = pq.read_table(fetch("fashion_mnist", base_url=url) / "fashion_mnist_test.parquet")
    assert table.schema.names == ["split", "label", "file", "png"]
    assert table.column("label").to_pylist() == [0, 1, 2]
    assert table.column("split").to_pylist() == ["test"] * 3
    assert all(picture_refusal(content) is None for content in table.column("png").to_pylist())


@pytest.mark.parametrize(
    "damage",
    [b"", b"\0" * 40, gzip.compress(b"\0\0\x08\x03"), gzip.compress(bytes(32))],
    ids=["empty", "not gzip", "cut off", "no pictures"],
)
def test_a_damaged_archive(tmp_path: Path, damage: bytes) -> None:
    with pytest.raises(IntegrityError, match=r"an IDX (archive cannot be read|file starts with)"):
        public.fashion_mnist_tables({**archives(), "train-images-idx3-ubyte.gz": damage}, tmp_path)


def test_pictures_without_labels(tmp_path: Path) -> None:
    labels = {"train-labels-idx1-ubyte.gz": idx(np.arange(2), public.IDX_LABELS)}
    with pytest.raises(IntegrityError, match="Fashion-MNIST, train: 3 pictures but 2 labels"):
        public.fashion_mnist_tables({**archives(), **labels}, tmp_path)


def test_a_set_without_a_loader(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="'shop' has no public loader"):
        public.fill("shop", tmp_path, base_url="http://127.0.0.1/", progress=SILENT)
