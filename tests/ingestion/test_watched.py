from pathlib import Path

import pytest

from ingestion.watched import is_glob, watched_files
from polyloom.errors import RequestError


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    for name in (
        "b.jsonl",
        "a/2.jsonl",
        "a/10.jsonl",
        "数据.jsonl",
        ".hidden.jsonl",
        ".git/x.jsonl",
        "c.jsonl.part",
        "d.csv",
        "~$e.jsonl",
        "f.jsonl~",
    ):
        (tmp_path / "inbox" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "inbox" / name).write_text("")
    return tmp_path / "inbox"


def names(files: list[Path], folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in files]


def test_a_folder_in_an_order_that_does_not_change(inbox: Path) -> None:
    expected = ["a/10.jsonl", "a/2.jsonl", "b.jsonl", "数据.jsonl"]
    assert names(watched_files(inbox, pattern="*.jsonl"), inbox) == expected
    (inbox / "c.jsonl").write_text("")
    assert names(watched_files(inbox, pattern="*.jsonl"), inbox) == sorted([*expected, "c.jsonl"])


def test_globs(inbox: Path) -> None:
    assert names(watched_files(inbox / "*.jsonl"), inbox) == ["b.jsonl", "数据.jsonl"]
    assert names(watched_files(inbox / "**/*.jsonl"), inbox) == ["a/10.jsonl", "a/2.jsonl", "b.jsonl", "数据.jsonl"]
    assert names(watched_files(inbox.parent / "in*/a/[0-9].jsonl"), inbox) == ["a/2.jsonl"]
    assert is_glob(str(inbox / "*.jsonl"))
    (inbox / "really[1].jsonl").write_text("")
    assert not is_glob(str(inbox / "really[1].jsonl"))


def test_what_matches_nothing_or_too_much(inbox: Path) -> None:
    with pytest.raises(
        RequestError, match=r"path: no file matches .*\*.parquet. Check the pattern, or put a file there"
    ):
        watched_files(inbox, pattern="*.parquet")
    with pytest.raises(
        RequestError, match=r"more than one kind: 10.jsonl, d.csv. Narrow the pattern, such as '\*.jsonl'"
    ):
        watched_files(inbox)
    with pytest.raises(RequestError, match=r"path: there is no folder .*gone. Check the path, or make the folder"):
        watched_files(inbox / "gone", pattern="*.jsonl")


def test_links_that_lead_in_a_circle(inbox: Path) -> None:
    (inbox / "a/circle").symlink_to(inbox, target_is_directory=True)
    assert len(watched_files(inbox, pattern="*.jsonl")) == 4
