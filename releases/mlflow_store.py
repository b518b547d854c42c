"""Opening MLflow: late, without telemetry, and safe against a kill while its tables are made.

MLflow makes a new SQLite file by some seventy migrations, several seconds long. A process killed
among them leaves a file that no later start can mend, so the file is made under another name and renamed.
"""

import contextlib
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from polyloom.durable import locked, sync_folder, sync_tree
from polyloom.errors import RequestError

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SQLITE = "sqlite:///"


def connect(tracking_uri: str) -> "MlflowClient":
    """A client for runs and for the model registry of one MLflow store; a missing SQLite file is made.

    Raises:
        RequestError: the URI is a folder, which MLflow no longer accepts as a store.
    """
    _refuse_file_store(tracking_uri)
    with _quiet():
        if (database := sqlite_file(tracking_uri)) is not None and not database.exists():
            _create(database)
        from mlflow.tracking import MlflowClient

        return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def sqlite_file(tracking_uri: str) -> Path | None:
    """The file behind a SQLite URI, None for any other store."""
    if not tracking_uri.startswith(SQLITE):
        return None
    return Path(tracking_uri.removeprefix(SQLITE).partition("?")[0])


def is_server(tracking_uri: str) -> bool:
    """Whether the store is an MLflow server, which has its own artifact folder and its own rules on paths."""
    return tracking_uri.startswith(("http://", "https://"))


def _refuse_file_store(tracking_uri: str) -> None:
    if "://" not in tracking_uri or tracking_uri.startswith("file:"):
        raise RequestError(
            f"MLFLOW_TRACKING_URI: {tracking_uri!r} is a folder, which MLflow no longer accepts as a store. "
            f"Use a database, such as '{SQLITE}/path/to/mlflow.db', or a server, such as 'http://127.0.0.1:5000'."
        )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No telemetry, nothing on stdout, no log line for each migration; must precede MLflow's first import."""
    for variable in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"):
        os.environ.setdefault(variable, "true")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy", category=DeprecationWarning)
        import mlflow.tracking  # noqa: F401  (its import sets the log level that is changed here)

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        yield


def _create(database: Path) -> None:
    """Make an MLflow database in one step; one process makes it, the others wait for it."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    folder = database.parent
    with locked(folder / f".{database.name}.lock"):
        if database.exists():
            return
        for left_over in folder.glob(f".{database.name}.draft-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(dir=folder, prefix=f".{database.name}.draft-"))
        store = SqlAlchemyStore(f"{SQLITE}{draft / database.name}", (folder / "mlartifacts").absolute().as_uri())  # type: ignore[no-untyped-call]
        store.engine.dispose()
        sync_tree(draft)
        (draft / database.name).replace(database)
        sync_folder(folder)
        shutil.rmtree(draft, ignore_errors=True)
