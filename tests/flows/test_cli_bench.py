"""`polyloom bench` lists what there is, and runs it in a process of its own."""

from importlib.util import find_spec

import pytest

from flows import cli_bench
from flows.cli_bench import BENCHES, root
from tests.support.command_line import inside


def test_without_a_name_it_lists_them() -> None:
    ended = inside("bench", environment={})
    assert ended.code == 0
    assert all(name in ended.said for name in BENCHES)


def test_each_one_is_there() -> None:
    assert all(find_spec(f"benchmarks.{name}") for name in BENCHES)
    assert (root() / "benchmarks" / "figures.py").is_file()


def test_options_are_the_benchmarks_own() -> None:
    ended = inside("bench", "serving", "--part", "nothing", environment={})
    assert ended.code == 2
    ended = inside("bench", "serving", "--help", environment={})
    assert "such as --part" in ended.said


def test_an_unknown_name() -> None:
    ended = inside("bench", "ingestoin", environment={})
    assert ended.code == 2
    assert "there is no 'ingestoin'. Did you mean 'ingestion'?" in ended.said


def test_an_installation_without_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_bench.importlib.util, "find_spec", lambda name: None)
    ended = inside("bench", "ingestion", environment={})
    assert ended.code == 2
    assert "part of a checkout" in ended.said
