"""A model among the artifacts of the run that made it, where an MLflow server looks for it."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from polyloom.durable import publish_folder
from releases.linking import link_tree

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

MODEL = "model"


def give_to_run(client: "MlflowClient", run_id: str, model: Path) -> str:
    """Put a model into the run's artifacts, linked where these lie on this machine, else sent; gives its address.

    The address is the artifacts' own: of a version at `runs:/...` a server hands out no files.
    """
    root = client.get_run(run_id).info.artifact_uri
    place = local_place(root)
    if place is None:
        client.log_artifacts(run_id, str(model), MODEL)
    elif not (place / MODEL).is_dir():
        with publish_folder(place / MODEL) as draft:
            link_tree(model, draft)
    return f"{root}/{MODEL}"


def local_place(uri: str) -> Path | None:
    """The folder that an address names, None for one that only the server reaches."""
    parts = urlsplit(uri)
    if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
        return None
    folder = Path(unquote(parts.path))
    # A server on another machine names its own folders like this too.
    return folder if folder.parent.is_dir() or folder.parent.parent.is_dir() else None
