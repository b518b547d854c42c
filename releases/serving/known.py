"""The closed sets that logs, metrics and traces name things by: what is not in them is `other`.

A label with values that callers choose is a leak twice over: of memory, a series for each value, and of what they sent.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from http import HTTPMethod, HTTPStatus

from releases.serving.handled import Handled

OTHER = "other"
NONE = "none"
METHODS = frozenset(HTTPMethod)
STATUSES = frozenset(map(int, HTTPStatus))


@dataclass(frozen=True, kw_only=True)
class Known:
    """Names that are this server's own. A request without a scenario or a refusal has `none`."""

    routes: frozenset[str] = field(default_factory=frozenset)
    scenarios: frozenset[str] = field(default_factory=frozenset)
    actions: frozenset[str] = field(default_factory=frozenset)
    reasons: frozenset[str] = field(default_factory=frozenset)

    def clean(self, handled: Handled) -> Handled:
        """The same request, with nothing in it that is not known here."""
        told = (
            one_of(METHODS, handled.method),
            one_of(self.routes, handled.route),
            handled.scenario and one_of(self.scenarios, handled.scenario),
            handled.refused and one_of(self.reasons, handled.refused),
            handled.status if handled.status in STATUSES else 0,
        )
        if told == (handled.method, handled.route, handled.scenario, handled.refused, handled.status):
            return handled
        method, route, scenario, refused, status = told
        return replace(handled, method=method, route=route, scenario=scenario, refused=refused, status=status)


def known(*, routes: Iterable[str], scenarios: Iterable[str], actions: Iterable[str], reasons: Iterable[str]) -> Known:
    """The sets of a server."""
    return Known(
        routes=frozenset(routes),
        scenarios=frozenset(scenarios),
        actions=frozenset(actions),
        reasons=frozenset(reasons),
    )


def one_of(allowed: frozenset[str], name: str | None) -> str:
    """The name, or what stands for it."""
    if not name:
        return NONE
    return name if name in allowed else OTHER
