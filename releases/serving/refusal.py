"""What a request is answered with that is not served, as RFC 9457 has it: `application/problem+json`."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

PROBLEM = "application/problem+json"
REASONS = frozenset(
    {
        "bad_request",
        "body_too_large",
        "body_too_slow",
        "busy",
        "closing",
        "damaged",
        "failed",
        "gone",
        "insufficient_scope",
        "invalid_token",
        "no_feedback",
        "no_json",
        "no_such_method",
        "no_such_path",
        "no_such_scenario",
        "no_token",
        "picture_too_large",
        "rate_limited",
        "text_too_long",
        "token_expired",
        "token_revoked",
        "tokens_unreadable",
        "too_many_found",
        "too_many_rows",
        "too_slow",
        "unavailable",
        "wrong_host",
        "wrong_origin",
        "wrong_request",
        "wrong_scheme",
        "wrong_tokens",
        "long_headers",
        "made_room",
        "malformed",
        "slow_headers",
        "slow_reader",
        "too_many_connections",
    }
)
"""Every reason that there is: what metrics count by must be a closed list."""


class Refused(Exception):  # noqa: N818  (a refusal is an answer, not a failure)
    """A request that is refused. `reason` is a code such as `busy`, which metrics count by; `detail` is for people.

    Neither may hold anything that came with the request, unless the request's own sender alone will see it and it is
    said in `detail`: logs, metrics and traces get `reason` and `status`.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        detail: str,
        *,
        retry_after_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers = dict(headers or {})
        if retry_after_seconds is not None:
            self.headers["Retry-After"] = str(seconds_to_wait(retry_after_seconds))

    def problem(self, request_id: str) -> dict[str, Any]:
        """The body of the answer."""
        return {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "reason": self.reason,
            "detail": self.detail,
            "request_id": request_id,
        }


def seconds_to_wait(wait: float) -> int:
    """Whole seconds for `Retry-After`, at least one."""
    return max(1, math.ceil(wait))
