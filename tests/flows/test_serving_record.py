"""The note of a running server, by which the page finds it."""

import os

import pytest

from flows import processes
from flows.serving_record import SERVE, forgotten_at_the_end, note_server


@pytest.mark.parametrize(
    ("url", "reached"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("https://0.0.0.0:8443", "https://127.0.0.1:8443"),
        ("http://[::]:8000", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_server_is_noted_by_an_address_that_this_machine_reaches(url, reached):
    note_server(url)
    found = processes.read_record(SERVE)
    assert (found.url, found.pid, found.alive()) == (reached, os.getpid(), True)


def test_the_note_goes_with_the_server_and_no_other_server_s_does():
    with forgotten_at_the_end():
        note_server("http://127.0.0.1:8000")
    assert processes.read_record(SERVE) is None
    with forgotten_at_the_end():
        note_server("http://127.0.0.1:8000")
        mine = processes.read_record(SERVE)
        processes.write_record(processes.Running(**{**vars(mine), "pid": mine.pid + 1}))
    assert processes.read_record(SERVE) is not None


def test_a_home_that_takes_nothing_stops_no_server(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "file"))
    with forgotten_at_the_end():
        note_server("http://127.0.0.1:8000")
