"""Where the state lies."""

from pathlib import Path

from polyloom.home import data_folders, home


def test_the_variable_names_the_state_folder(polyloom_home, tmp_path, monkeypatch):
    assert home() == polyloom_home
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POLYLOOM_HOME", "here")
    assert home() == tmp_path / "here"
    monkeypatch.setenv("POLYLOOM_HOME", "~/there")
    assert home() == Path.home() / "there"


def test_without_it_the_state_lies_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("POLYLOOM_HOME")
    assert home() == tmp_path / ".polyloom"


def test_data_are_looked_for_in_the_given_folder_first(polyloom_home, tmp_path, monkeypatch):
    monkeypatch.delenv("POLYLOOM_DATA", raising=False)
    assert data_folders() == [polyloom_home / "datasets"]
    monkeypatch.setenv("POLYLOOM_DATA", str(tmp_path))
    assert data_folders() == [tmp_path, polyloom_home / "datasets"]
