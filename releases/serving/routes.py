"""Every path that is served, as a closed list: what a request is about is known before its body is read."""

from typing import NamedTuple

ACTIONS = ("predict", "explain", "search", "recommend", "ask", "feedback")
OTHER = "other"
OPEN = ("/", "/health", "/ready", "/openapi.json")
"""Paths that tell nothing of anybody's data, and need no token."""
TEMPLATES = (*OPEN, "/metrics", "/v1", "/v1/{scenario}", *(f"/v1/{{scenario}}/{action}" for action in ACTIONS), OTHER)


class Route(NamedTuple):
    """The template of a path, the scope that a token needs for it (None: no token), and the scenario that it names."""

    template: str
    scope: str | None = None
    scenario: str | None = None
    action: str | None = None


def route_of(path: str, *, scenarios: frozenset[str]) -> Route:
    """What a path leads to; `other` where it leads nowhere, and no scenario where it is not one of `scenarios`."""
    if path in OPEN:
        return Route(path)
    if path == "/metrics":
        return Route(path, scope="metrics")
    if path == "/v1":
        return Route(path, scope="any")
    parts = path.split("/")
    if len(parts) in {3, 4} and parts[:2] == ["", "v1"]:
        scenario = parts[2] if parts[2] in scenarios else None
        if len(parts) == 3:
            return Route("/v1/{scenario}", scope="any", scenario=scenario)
        if parts[3] in ACTIONS:
            return Route(f"/v1/{{scenario}}/{parts[3]}", scope=parts[3], scenario=scenario, action=parts[3])
    return Route(OTHER, scope="any")
