import io
import os
import pty
import re
import subprocess
import sys

import pytest
from rich.console import Console

from flows.console import Lines, console_progress, summary_table

TALKER = """
from flows.console import console_progress
progress = console_progress()
with progress.stage("embed [pictures]", total=10, unit="rows") as outer:
    outer.advance(5)
    with progress.stage("fit", total=None, unit="steps") as inner:
        inner.advance(3)
        inner.say("loss [0.5]")
    outer.advance(5)
progress.log("a [line] 线")
with progress.stage("index", total=4, unit="rows") as bar:
    bar.advance(4)
"""


def test_a_file_gets_one_plain_line_for_each_stage() -> None:
    stream = io.StringIO()
    progress = console_progress(stream)
    with progress.stage("embed", total=2000, unit="rows") as outer:
        with progress.stage("fit", total=5, unit="steps") as inner:
            inner.advance(4)
            inner.say("stopped early")
        outer.advance(2000)
    progress.log("kept [2000] rows")
    with progress.stage("start", total=None, unit="s"):
        pass
    lines = stream.getvalue().splitlines()
    assert re.fullmatch(r"fit: 4 of 5 steps in \d+\.\d s \([\d.,e+]+ steps/s\)  stopped early", lines[0])
    assert re.fullmatch(r"embed: 2,000 rows in \d+\.\d s \([\d.,e+]+ rows/s\)", lines[1])
    assert lines[2] == "kept [2000] rows"
    assert re.fullmatch(r"start: in \d+\.\d s", lines[3])
    assert len(lines) == 4
    assert "\x1b" not in stream.getvalue()


def test_a_long_stage_tells_its_notes_in_a_file() -> None:
    stream = io.StringIO()
    lines = Lines(Console(file=stream, width=240), seconds_between=0.0)
    with lines.stage("train", total=8, unit="rows") as bar:
        bar.advance(4)
        bar.say("epoch 1: loss 0.5")
    assert re.match(
        r"train: 4 of 8 rows so far, \d+\.\d s \([\d.,e+]+ rows/s\)  epoch 1: loss 0.5\n", stream.getvalue()
    )


def test_a_stage_that_fails_says_so() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="x"), console_progress(stream).stage("fit", total=3, unit="steps"):
        raise ValueError("x")
    assert stream.getvalue().startswith("fit: 0 of 3 steps failed after")


def test_a_terminal_gets_bars_that_nest_and_follow() -> None:
    """In a real pseudo-terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.run(
        [sys.executable, "-c", TALKER], stderr=theirs, stdout=subprocess.PIPE, env=environment, check=True
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        shown += part
    os.close(ours)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert process.stdout == b"", "stdout belongs to the answer"
    assert "embed [pictures]" in text
    assert re.search(r"fit .*━.* 3/3 .*loss \[0\.5\]", text)
    assert "a [line] 线" in text
    assert re.search(r"10/10 .*rows/s", text)
    assert re.search(r"index .*4/4 ", text)


def test_a_table_has_straight_edges_with_chinese_cells() -> None:
    stream = io.StringIO()
    rows = [{"name": "商店", "share": 0.51234567, "rows": 1200}, {"name": "shop", "share": 12.5, "rows": 3, "x": 1}]
    summary_table(rows, title="Releases", columns=["name", "share", "rows", "none"], stream=stream)
    shown = stream.getvalue()
    assert "0.5123" in shown
    assert "1200" in shown
    chinese, plain = (next(line for line in shown.splitlines() if word in line) for word in ("商店", "12.5"))
    assert len(chinese) + 2 == len(plain), "each Chinese character takes two cells"


def test_brackets_in_a_table_are_shown_as_they_are() -> None:
    stream = io.StringIO()
    summary_table([{"found": "[red]x"}], title="t", columns=["found"], stream=stream)
    assert "[red]x" in stream.getvalue()


def test_an_empty_table_keeps_its_head() -> None:
    stream = io.StringIO()
    summary_table([], title="Releases", columns=["name"], stream=stream)
    assert "name" in stream.getvalue()
