import os
import signal
import subprocess
import sys
import time

import pytest

from ingestion.demo.make import make
from polyloom.durable import file_digest
from polyloom.errors import RequestError

MAKE = "import sys, pathlib; from ingestion.demo.make import make; make(sys.argv[1], pathlib.Path(sys.argv[2]))"


def digests(folder):
    return {path.relative_to(folder): file_digest(path) for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", ["shop", "support", "handbook"])
def test_a_new_process_makes_the_same_bytes(name, request, tmp_path):
    made = request.getfixturevalue(name)
    # Another hash seed would show any dependence on the order of a set.
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    subprocess.run([sys.executable, "-c", MAKE, name, str(tmp_path / name)], check=True, env=environment)
    assert digests(tmp_path / name) == digests(made)


@pytest.mark.parametrize("name", ["shop", "support", "handbook"])
def test_it_says_that_it_is_made_up(name, request):
    text = (request.getfixturevalue(name) / "README.txt").read_text(encoding="utf-8")
    assert "ALL OF THIS IS MADE UP" in text
    assert "seed 7" in text


def test_another_seed_gives_other_data(support, tmp_path):
    make("support", tmp_path / "support", seed=8)
    assert digests(tmp_path / "support") != digests(support)


def test_made_data_is_left_alone(support):
    before = (support / "questions.jsonl").stat().st_mtime_ns
    make("support", support)
    assert (support / "questions.jsonl").stat().st_mtime_ns == before


def test_an_empty_folder_is_filled(tmp_path):
    make("support", tmp_path / "new")
    (tmp_path / "empty").mkdir()
    make("support", tmp_path / "empty")
    assert digests(tmp_path / "empty") == digests(tmp_path / "new")


def test_unknown_name_is_refused_with_a_suggestion(tmp_path):
    with pytest.raises(RequestError, match=r"'shopp' is not .*: shop, support, handbook\. Did you mean 'shop'\?"):
        make("shopp", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_folder_with_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(RequestError, match=r"no demo data set and not empty\. Remove it, or name another folder"):
        make("shop", tmp_path)
    assert (tmp_path / "letter.txt").read_text() == "dear"


def test_other_demo_data_is_refused(support):
    with pytest.raises(RequestError, match=r"holds .*'seed': 7.*, not .*'seed': 8.*Remove the folder, or name another"):
        make("support", support, seed=8)


def test_killed_in_the_middle_nothing_half_made_is_there(tmp_path):
    folder = tmp_path / "shop"
    process = subprocess.Popen([sys.executable, "-c", MAKE, "shop", str(folder)])
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".shop.*/pictures/p0001.png")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert list(tmp_path.glob(".shop.*/pictures/*.png"))
    assert not folder.exists()
