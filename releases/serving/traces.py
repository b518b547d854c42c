"""OpenTelemetry spans of requests, only where the environment asks for them; otherwise nothing of it is imported.

`OTEL_EXPORTER_OTLP_ENDPOINT` (OTLP over HTTP) or `OTEL_TRACES_EXPORTER=console` asks. What a span tells is what the
server's log tells: no path, query, header, body or message of an exception.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from polyloom.errors import RequestError
from releases.serving.handled import Handled
from releases.serving.known import Known

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXPORTERS = ("otlp", "console", "none")


class RequestSpan(Protocol):
    """The span of one request."""

    def was(self, name: str, *, begun: float, ended: float, rows: int | None = None) -> None:
        """A part that is over, such as `queue`, `batch` or `runtime`; times as `time.monotonic()` gives them."""

    def handled(self, handled: Handled) -> None:
        """What became of the request. Without it the span tells a route and a time."""


class Tracer(Protocol):
    """Where spans of requests come from."""

    def request(self, traceparent: str | None, route: str) -> AbstractContextManager[RequestSpan]:
        """The span of a request, from now on until the block ends; a child of the caller's where there is one."""

    def close(self) -> None:
        """Send what waits; a collector that is down is not waited for longer than some seconds."""


class NoSpan:
    """Tells nobody."""

    def was(self, name: str, *, begun: float, ended: float, rows: int | None = None) -> None:
        """Nothing."""

    def handled(self, handled: Handled) -> None:
        """Nothing."""


class NoTracer:
    """Where nobody asked for spans."""

    _nothing = NoSpan()

    @contextmanager
    def request(self, traceparent: str | None, route: str) -> Iterator[RequestSpan]:  # noqa: ARG002  (as the protocol has it)
        """A block without a span."""
        yield self._nothing

    def close(self) -> None:
        """Nothing waits."""


def tracer(known: Known, environment: Mapping[str, str] = os.environ) -> Tracer:
    """As the environment asks. Raises: RequestError for what it asks for and cannot have."""
    kind = exporter_kind(environment)
    if kind == "none":
        return NoTracer()
    from releases.serving.span_export import SpanTracer, console_exporter, http_exporter

    return SpanTracer(known, console_exporter() if kind == "console" else http_exporter())


def exporter_kind(environment: Mapping[str, str]) -> str:
    """One of EXPORTERS. Raises: RequestError for another, and for a protocol other than OTLP over HTTP."""
    kind = environment.get("OTEL_TRACES_EXPORTER", "otlp").strip() or "otlp"
    if kind not in EXPORTERS:
        raise RequestError(
            f"OTEL_TRACES_EXPORTER={kind!r} is not an exporter of spans that polyloom has. "
            f"Allowed: {', '.join(EXPORTERS)}. Set one of them, or unset it."
        )
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or kind == "none":
        return "none"
    if kind == "console":
        return kind
    protocol = environment.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environment.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if not any(environment.get(name) for name in ENDPOINTS):
        return "none"
    if protocol not in {None, "", "http/protobuf"}:
        raise RequestError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol!r} is not spoken here. Allowed: http/protobuf, on the collector's "
            "port for it, 4318 as a rule. Set that, or unset it."
        )
    return kind
