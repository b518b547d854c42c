"""Where polyloom keeps its state: everything lies under `POLYLOOM_HOME`."""

import os
from pathlib import Path


def home() -> Path:
    """The state folder: `POLYLOOM_HOME`, else `.polyloom` in the current folder; absolute."""
    return Path(os.environ.get("POLYLOOM_HOME", ".polyloom")).expanduser().absolute()


def data_folders() -> list[Path]:
    """Folders searched for data sets, in order: `POLYLOOM_DATA`, then the state folder's own."""
    given = os.environ.get("POLYLOOM_DATA")
    folders = [Path(given).expanduser().absolute()] if given else []
    return [*folders, home() / "datasets"]
