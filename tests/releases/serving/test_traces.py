"""Spans of requests, and what they do not tell."""

import json
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from polyloom.errors import RequestError
from releases.serving.handled import Handled
from releases.serving.known import known
from releases.serving.traces import NoTracer, tracer

KNOWN = known(routes=["/v1/{scenario}/predict"], scenarios=["shop"], actions=["predict"], reasons=["busy"])
ROUTE = "/v1/{scenario}/predict"
SECRET = "alice@example.org"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def request(**fields):
    usual = {"request_id": "f" * 32, "method": "POST", "route": ROUTE, "status": 200, "seconds": 0.01}
    return Handled(**{**usual, **fields})


@contextmanager
def collector():
    """Stands for an OpenTelemetry collector: takes OTLP over HTTP, and keeps the spans by name."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans = {}

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self):
            sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/traces"
            for resource in sent.resource_spans:
                names = {one.key: one.value.string_value for one in resource.resource.attributes}
                for scope in resource.scope_spans:
                    spans.update({span.name: (span, names["service.name"]) for span in scope.spans})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *told):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Takes) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}", spans
        server.shutdown()
        serving.join()


def attributes(span):
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


@pytest.fixture
def to(monkeypatch):
    pytest.importorskip(
        "opentelemetry.exporter.otlp.proto.http", reason="the extra polyloom[telemetry] is not installed"
    )

    def point(address):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        return tracer(KNOWN)

    return point


def test_a_request_and_its_parts_reach_the_collector(to):
    with collector() as (address, spans):
        traces = to(address)
        with traces.request(f"00-{TRACE}-{PARENT}-01", ROUTE) as span:
            now = time.monotonic()
            span.was("queue", begun=now, ended=now + 0.25)
            span.was("batch", begun=now + 0.25, ended=now + 0.5, rows=8)
            span.handled(request(scenario="shop", release="abc", version="3", rows=2, prediction="p1"))
        traces.close()
    whole, service = spans[f"POST {ROUTE}"]
    assert service == "polyloom"
    assert (whole.trace_id.hex(), whole.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(whole) == {
        "http.request.method": "POST",
        "http.route": ROUTE,
        "http.response.status_code": 200,
        "http.request.body.size": 0,
        "http.response.body.size": 0,
        "polyloom.request_id": "f" * 32,
        "polyloom.scenario": "shop",
        "polyloom.release": "abc",
        "polyloom.version": "3",
        "polyloom.rows": 2,
        "polyloom.prediction": "p1",
    }
    queue, batch = spans["queue"][0], spans["batch"][0]
    assert {queue.parent_span_id, batch.parent_span_id} == {whole.span_id}
    assert queue.end_time_unix_nano - queue.start_time_unix_nano == pytest.approx(0.25e9, rel=1e-3)
    assert abs(queue.start_time_unix_nano - whole.start_time_unix_nano) < 1e9
    assert attributes(batch) == {"polyloom.rows": 8}


def fails(traces):
    with traces.request(SECRET, f"/{SECRET}") as span:
        span.handled(request(method=SECRET, route=SECRET, scenario=SECRET, refused=SECRET, status=500))
        int(SECRET)


def test_an_exception_is_told_by_its_type_and_a_caller_by_nothing(to):
    with collector() as (address, spans):
        traces = to(address)
        with pytest.raises(ValueError, match="alice"):
            fails(traces)
        traces.close()
    (whole, _) = spans["other other"]
    assert SECRET not in str(whole)
    assert not whole.events
    assert not whole.parent_span_id
    assert (whole.status.code, whole.status.message) == (2, "")
    assert attributes(whole)["error.type"] == "ValueError"


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "00-" + "0" * 32 + f"-{PARENT}-01",
        f"00-aaaaaaaa4111111111111111aaaaaaaa-{PARENT}-01",
        f"ff-{TRACE}",
        "é",
    ],
)
def test_a_trace_that_is_none_or_hides_a_card_begins_anew(to, given):
    with collector() as (address, spans):
        traces = to(address)
        with traces.request(given, ROUTE):
            pass
        traces.close()
    (whole, _) = spans[ROUTE]
    assert whole.trace_id.hex() not in {TRACE, "0" * 32, "aaaaaaaa4111111111111111aaaaaaaa"}
    assert not whole.parent_span_id


def test_a_collector_that_is_down_costs_no_request(to):
    traces = to("http://127.0.0.1:9")
    begun = time.monotonic()
    for _ in range(1000):
        with traces.request(None, ROUTE) as span:
            span.handled(request())
    assert time.monotonic() - begun < 2
    begun = time.monotonic()
    traces.close()
    assert time.monotonic() - begun < 5


def test_on_the_console():
    code = f"""
from releases.serving.handled import Handled
from releases.serving.known import known
from releases.serving.traces import tracer
traces = tracer(known(routes=[{ROUTE!r}], scenarios=["shop"], actions=[], reasons=[]))
with traces.request(None, {ROUTE!r}) as span:
    span.handled(Handled(request_id="1", method="GET", route={ROUTE!r}, status=200, seconds=1, scenario="shop"))
traces.close()
"""
    done = run(code, OTEL_TRACES_EXPORTER="console")
    assert done.stdout == ""
    assert json.loads(done.stderr)["attributes"]["polyloom.scenario"] == "shop"


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_where_nobody_asks_nothing_is_imported(environment):
    code = f"""
import sys
from releases.serving.known import Known
from releases.serving.traces import tracer
with tracer(Known(), {environment!r}).request(None, "/") as span:
    span.was("queue", begun=0, ended=1)
print(any(name.startswith("opentelemetry") for name in sys.modules))
"""
    assert run(code).stdout == "False\n"


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )


def test_an_exporter_that_there_is_not():
    with pytest.raises(RequestError, match=r"'zipkin' is not an exporter .* Allowed: otlp, console, none\. Set one"):
        tracer(KNOWN, {"OTEL_TRACES_EXPORTER": "zipkin"})


def test_a_protocol_that_is_not_spoken():
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with pytest.raises(RequestError, match=r"'grpc' is not spoken here\. Allowed: http/protobuf.* unset it"):
        tracer(KNOWN, environment)


def test_without_the_extra_the_error_names_it(monkeypatch):
    # What Python does for a package that is not installed.
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(RequestError, match=r"Install polyloom\[telemetry\], or unset the variable"):
        tracer(KNOWN, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"})


def test_no_tracer_is_one_without_spans():
    assert isinstance(tracer(KNOWN, {}), NoTracer)
