"""The aliases of one registered model in MLflow."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


class ModelAliases:
    """The named pointers of one scenario, as MLflow holds them."""

    def __init__(self, client: "MlflowClient", scenario: str) -> None:
        self.client = client
        self.scenario = scenario

    def all(self) -> dict[str, str]:
        """Alias -> version; empty when the scenario has no release."""
        with accepting("RESOURCE_DOES_NOT_EXIST"):
            found = self.client.get_registered_model(self.scenario).aliases
            return {alias: str(version) for alias, version in found.items()}
        return {}

    def read(self, alias: str) -> str | None:
        """The version that an alias points to."""
        return self.all().get(alias)

    def move(self, alias: str, version: str) -> None:
        """Point an alias to a version."""
        self.client.set_registered_model_alias(self.scenario, alias, version)

    def drop(self, alias: str) -> None:
        """Take an alias away."""
        self.client.delete_registered_model_alias(self.scenario, alias)

    def knows(self, version: str) -> bool:
        """Whether there is such a version."""
        with accepting("RESOURCE_DOES_NOT_EXIST"):
            self.client.get_model_version(self.scenario, version)
            return True
        return False


@contextlib.contextmanager
def accepting(code: str) -> Iterator[None]:
    """Let one of MLflow's error codes pass, and no other."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        if error.error_code != code:
            raise
