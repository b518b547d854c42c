"""What is known of a request while it is answered: what will be told of it, and what it holds of the server."""

from dataclasses import dataclass, field
from typing import Any

from releases.serving.access import ANYBODY, Caller
from releases.serving.handled import Handled
from releases.serving.routes import Route

KEY = "polyloom"


@dataclass(kw_only=True, eq=False)
class Context:
    """One request. What answers it fills in the rest."""

    request_id: str
    method: str
    route: Route
    began: float
    caller: Caller = ANYBODY
    rows: int = 0
    release: str | None = None
    version: str | None = None
    prediction: str | None = None
    refused: str | None = None
    status: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    span: Any = field(default=None, repr=False)

    def handled(self, *, seconds: float) -> Handled:
        """What logs, metrics and traces get."""
        return Handled(
            request_id=self.request_id,
            method=self.method,
            route=self.route.template,
            status=self.status,
            seconds=seconds,
            scenario=self.route.scenario,
            release=self.release,
            version=self.version,
            token=self.caller.token,
            rows=self.rows,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
            refused=self.refused,
            prediction=self.prediction,
        )
