"""Which release an alias names, asked as a downstream service asks: over HTTP with the standard library alone.

A registry that is a database is asked through MLflow, which such a service then has to have.
"""

import base64
import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote, urlencode, urlsplit

from polyloom.errors import RegistryError

BUNDLE_TAG, DIGEST_TAG = "polyloom.bundle", "polyloom.digest"
TIMEOUT_SECONDS = 10.0
SHOWN_CHARACTERS = 200


class Named(NamedTuple):
    """The version behind an alias: its bundle's digest, and where it was made, if that is a folder of this machine."""

    version: str
    digest: str
    folder: Path | None


Lookup = Callable[[str, str], Named]


def lookup(tracking_uri: str) -> Lookup:
    """What finds (scenario, alias) in a registry. It raises RegistryError when nothing is found or nobody answers."""
    return ServerLookup(tracking_uri) if is_address(tracking_uri) else DatabaseLookup(tracking_uri)


def is_address(tracking_uri: str) -> bool:
    """Whether a registry is a server."""
    return tracking_uri.startswith(("http://", "https://"))


class ServerLookup:
    """Asks an MLflow server."""

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri.rstrip("/")

    def __call__(self, scenario: str, alias: str) -> Named:
        """The version that the alias points to now."""
        asked = urlencode({"name": scenario, "alias": alias})
        content = fetched(f"{self.tracking_uri}/api/2.0/mlflow/registered-models/alias?{asked}")
        try:
            version = json.loads(content)["model_version"]
            tags = {tag["key"]: tag["value"] for tag in version.get("tags", ())}
            return named(scenario, alias, str(version["version"]), tags)
        except (ValueError, KeyError, TypeError) as error:
            raise RegistryError(
                f"{self.tracking_uri} answered with something else than a version: {content[:SHOWN_CHARACTERS]!r}. "
                "Is this the address of an MLflow server?"
            ) from error


class DatabaseLookup:
    """Asks MLflow's tables."""

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri

    def __call__(self, scenario: str, alias: str) -> Named:
        """The version that the alias points to now."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        from releases.mlflow_store import connect, sqlite_file

        file = sqlite_file(self.tracking_uri)
        # Whoever only reads makes no empty registry.
        if file is not None and not file.is_file():
            raise RegistryError(f"There is no registry at {file}. Name the one that the releases were registered in.")
        try:
            version = connect(self.tracking_uri).get_model_version_by_alias(scenario, alias)
        except (MlflowException, SQLAlchemyError) as error:
            raise RegistryError(f"{scenario}@{alias}: {told(str(error))}") from error
        return named(scenario, alias, str(version.version), version.tags)


def named(scenario: str, alias: str, version: str, tags: Mapping[str, str]) -> Named:
    """A version as its tags describe it. Raises: RegistryError for one that polyloom did not register."""
    if DIGEST_TAG not in tags:
        raise RegistryError(
            f"{scenario}@{alias} is version {version}, which has no tag {DIGEST_TAG!r}, so it is no release of "
            "polyloom's. Ask for another alias."
        )
    place = urlsplit(tags.get(BUNDLE_TAG, ""))
    return Named(version, tags[DIGEST_TAG], Path(unquote(place.path)) if place.scheme == "file" else None)


def artifact_address(tracking_uri: str, scenario: str, version: str, path: str) -> str:
    """Where a server hands out a file of a version."""
    asked = urlencode({"name": scenario, "version": version, "path": path}, quote_via=quote)
    return f"{tracking_uri.rstrip('/')}/model-versions/get-artifact?{asked}"


def fetched(address: str, *, most: int = 1 << 26) -> bytes:
    """The answer of a server, at most so many bytes. Raises: RegistryError saying who did not answer, or what it said.

    A name and a password, or a token, are those that MLflow's own variables hold.
    """
    request = urllib.request.Request(address, headers=credentials(os.environ))  # noqa: S310  (http and https only)
    server = urlsplit(address).netloc
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            content: bytes = answer.read(most + 1)
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(1 << 16).decode("utf-8", "replace")
        raise RegistryError(f"The registry at {server} refused ({error.code}): {told(said)}") from error
    except OSError as error:
        raise RegistryError(f"The registry at {server} does not answer: {getattr(error, 'reason', error)}.") from error
    if len(content) > most:
        raise RegistryError(f"The registry at {server} sent more than the {most} bytes that {address} may have.")
    return content


def credentials(variables: Mapping[str, str]) -> dict[str, str]:
    """The header that says who asks."""
    if token := variables.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if name := variables.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{name}:{variables.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def told(answer: str) -> str:
    """What an answer of MLflow's says, without what surrounds it."""
    try:
        message: Any = json.loads(answer)["message"]
    except (ValueError, KeyError, TypeError):
        message = answer
    return str(message).strip()[:SHOWN_CHARACTERS]
