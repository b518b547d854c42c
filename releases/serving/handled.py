"""What is known of a request once it is answered, without anything that came in it: for logs, metrics and traces."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Handled:
    """One answered request.

    `route` is the template, such as `/v1/{scenario}/predict`, and `other` for a path that there is not; `scenario` is
    None unless it is served here; `release` is the digest that answered, `token` the id of the access token, `refused`
    the reason of a refusal, `prediction` the id under which the answer can be replayed, None where it was not kept.
    """

    request_id: str
    method: str
    route: str
    status: int
    seconds: float
    scenario: str | None = None
    release: str | None = None
    version: str | None = None
    token: str | None = None
    rows: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    refused: str | None = None
    prediction: str | None = None
