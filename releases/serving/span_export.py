"""Spans by OpenTelemetry's SDK, sent in batches by a thread of their own. Imported only where spans are asked for."""

import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from polyloom.errors import RequestError
from polyloom.version import VERSION
from releases.serving.handled import Handled
from releases.serving.known import Known, one_of
from releases.serving.request_id import is_harmless

TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)
CLOSING_SECONDS = 3.0
# The fields of Handled by the names that OpenTelemetry gives them, or by our own.
ATTRIBUTES = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "bytes_in": "http.request.body.size",
    "bytes_out": "http.response.body.size",
    **{
        name: f"polyloom.{name}"
        for name in (
            "request_id",
            "scenario",
            "release",
            "version",
            "token",
            "rows",
            "refused",
            "prediction",
        )
    },
}


class HandledSpan:
    """The span of one request; `releases.serving.traces.RequestSpan`."""

    def __init__(self, known: Known, maker: trace.Tracer, span: Span) -> None:
        self._known = known
        self._maker = maker
        self._span = span
        # Parts are told in the seconds of a clock that knows no date.
        self._epoch = time.time() - time.monotonic()

    def was(self, name: str, *, begun: float, ended: float, rows: int | None = None) -> None:
        """A part that is over."""
        parent = trace.set_span_in_context(self._span, Context())
        part = self._maker.start_span(
            name,
            parent,
            start_time=self._nanoseconds(begun),
            attributes={} if rows is None else {"polyloom.rows": rows},
        )
        part.end(self._nanoseconds(ended))

    def handled(self, handled: Handled) -> None:
        """What became of the request."""
        told = vars(self._known.clean(handled))
        self._span.set_attributes({name: told[ours] for ours, name in ATTRIBUTES.items() if told[ours] is not None})
        self._span.update_name(f"{told['method']} {told['route']}")
        if handled.status >= 500:
            self._span.set_status(Status(StatusCode.ERROR))

    def died(self, error: BaseException) -> None:
        """An exception, by its type alone: its message may quote values."""
        self._span.set_attribute("error.type", type(error).__qualname__)
        self._span.set_status(Status(StatusCode.ERROR))

    def _nanoseconds(self, seconds: float) -> int:
        return int((self._epoch + seconds) * 1e9)


class SpanTracer:
    """Makes spans of requests; `releases.serving.traces.Tracer`. Not the process's global one, which others may use."""

    def __init__(self, known: Known, exporter: SpanExporter) -> None:
        self._known = known
        ours = Resource.create({SERVICE_VERSION: VERSION})
        if ours.attributes.get(SERVICE_NAME, "").startswith("unknown_service"):  # type: ignore[union-attr]
            ours = ours.merge(Resource({SERVICE_NAME: "polyloom"}))
        # At exit the SDK would wait up to 30 seconds for a collector that is down.
        self._provider = TracerProvider(resource=ours, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._maker = self._provider.get_tracer("polyloom.serving", VERSION)

    @contextmanager
    def request(self, traceparent: str | None, route: str) -> Iterator[HandledSpan]:
        """The span of a request."""
        span = self._maker.start_span(
            one_of(self._known.routes, route), callers_context(traceparent), kind=SpanKind.SERVER
        )
        told = HandledSpan(self._known, self._maker, span)
        try:
            yield told
        except BaseException as error:
            told.died(error)
            raise
        finally:
            span.end()

    def close(self) -> None:
        """Send what waits, for as long as it is worth waiting."""
        sending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        sending.start()
        sending.join(CLOSING_SECONDS)


def callers_context(traceparent: str | None) -> Context:
    """The caller's trace, unless its id hides something; `tracestate` and `baggage` may hold anything and are left."""
    found = TRACEPARENT.fullmatch(traceparent or "")
    if found is None or not is_harmless(found[1]):
        return Context()
    return TraceContextTextMapPropagator().extract({"traceparent": found[0]}, Context())


def console_exporter() -> SpanExporter:
    """Spans as JSON on the standard error: the standard output is the command's own."""
    return ConsoleSpanExporter(out=sys.stderr)


def http_exporter() -> SpanExporter:
    """To the collector that OTEL_EXPORTER_OTLP_ENDPOINT names. Raises: RequestError without the extra."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise RequestError(
            "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, which the package opentelemetry-exporter-otlp-proto-http "
            "sends. Install polyloom[telemetry], or unset the variable."
        ) from error
    exporter: SpanExporter = OTLPSpanExporter()
    return exporter
