"""Metrics: what is counted, and that callers can put nothing into them."""

import random
import string

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

from releases.serving.handled import Handled
from releases.serving.known import known
from releases.serving.metrics import Metrics

KNOWN = known(
    routes=["/v1/{scenario}/predict", "/health"],
    scenarios=["shop", "support"],
    actions=["predict", "search"],
    reasons=["busy", "too_large"],
)


@pytest.fixture
def metrics():
    return Metrics(KNOWN)


def handled(**fields):
    usual = {
        "request_id": "0" * 32,
        "method": "POST",
        "route": "/v1/{scenario}/predict",
        "status": 200,
        "seconds": 0.004,
    }
    return Handled(**{**usual, **fields})


def samples(metrics, accept=""):
    text, kind = metrics.text(accept)
    read = read_open_metrics if "openmetrics" in kind else read_plain
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in read(text.decode())
        for sample in family.samples
    }


def value(metrics, name, **labels):
    return samples(metrics)[(name, *sorted(labels.items()))]


def test_a_request_is_counted_by_route_scenario_and_status(metrics):
    metrics.handled(handled(scenario="shop", rows=3))
    metrics.handled(handled(scenario="shop", rows=2))
    labels = {"route": "/v1/{scenario}/predict", "scenario": "shop"}
    assert value(metrics, "polyloom_requests_total", **labels, status="200") == 2
    assert value(metrics, "polyloom_rows_total", scenario="shop") == 5
    assert value(metrics, "polyloom_request_seconds_count", **labels) == 2
    assert value(metrics, "polyloom_request_seconds_bucket", **labels, le="0.002") == 0
    assert value(metrics, "polyloom_request_seconds_bucket", **labels, le="0.005") == 2
    assert value(metrics, "polyloom_request_seconds_bucket", **labels, le="30.0") == 2


def test_a_refusal_is_counted_by_its_reason_and_its_rows_are_not(metrics):
    metrics.handled(handled(scenario="shop", status=429, refused="busy", rows=9))
    assert value(metrics, "polyloom_refusals_total", reason="busy") == 1
    assert ("polyloom_rows_total", ("scenario", "shop")) not in samples(metrics)


def test_how_long_answers_take_is_not_hidden_by_quick_refusals(metrics):
    labels = {"route": "/v1/{scenario}/predict", "scenario": "shop"}
    metrics.handled(handled(scenario="shop", status=429, refused="busy", seconds=0.0))
    metrics.handled(handled(scenario="shop", status=504, refused="too_slow", seconds=29.0))
    assert value(metrics, "polyloom_requests_total", **labels, status="429") == 1
    assert value(metrics, "polyloom_request_seconds_count", **labels) == 1
    assert value(metrics, "polyloom_request_seconds_sum", **labels) == 29.0


def test_batches_and_waits(metrics):
    metrics.batch(scenario="shop", action="predict", rows=8, seconds=0.02)
    metrics.waited(scenario="shop", seconds=0.001)
    assert value(metrics, "polyloom_batch_rows_sum", scenario="shop", action="predict") == 8
    assert value(metrics, "polyloom_batch_seconds_count", scenario="shop", action="predict") == 1
    assert value(metrics, "polyloom_queue_seconds_count", scenario="shop") == 1


def test_one_release_answers_at_a_time(metrics):
    metrics.released("shop", "1", "aaa")
    metrics.released("shop", "1", "aaa")
    metrics.released("support", "7", "bbb")
    metrics.released("shop", "2", "ccc")
    metrics.switched("shop", ok=True)
    metrics.switched("shop", ok=False)
    answering = {labels[1:] for labels in samples(metrics) if labels[0] == "polyloom_release"}
    assert answering == {
        (("digest", "ccc"), ("scenario", "shop"), ("version", "2")),
        (("digest", "bbb"), ("scenario", "support"), ("version", "7")),
    }
    assert value(metrics, "polyloom_switches_total", scenario="shop", outcome="done") == 1
    assert value(metrics, "polyloom_switches_total", scenario="shop", outcome="failed") == 1


def test_states_are_read_when_they_are_scraped(metrics):
    depth = [3.0]
    metrics.watch("queue_depth", lambda: depth[0], scenario="shop")
    metrics.watch("stale_since_timestamp_seconds", lambda: None, scenario="shop")
    metrics.watch("in_flight", lambda: 4)
    assert value(metrics, "polyloom_queue_depth", scenario="shop") == 3
    assert value(metrics, "polyloom_stale_since_timestamp_seconds", scenario="shop") == 0
    assert value(metrics, "polyloom_in_flight") == 4
    depth[0] = 5
    assert value(metrics, "polyloom_queue_depth", scenario="shop") == 5


def test_a_state_that_cannot_be_read_costs_none_of_the_others(metrics):
    metrics.watch("in_flight", lambda: 1 // 0)
    metrics.watch("prediction_log_up", lambda: 1)
    assert value(metrics, "polyloom_in_flight") != value(metrics, "polyloom_in_flight")  # NaN
    assert value(metrics, "polyloom_prediction_log_up") == 1


def test_a_state_that_there_is_not_is_a_mistake_of_ours(metrics):
    with pytest.raises(KeyError, match="flights"):
        metrics.watch("flights", lambda: 1)


def test_unlogged_answers_by_reason(metrics):
    metrics.unlogged("full")
    metrics.unlogged("because Bob@example.org said so")
    assert value(metrics, "polyloom_unlogged_total", reason="full") == 1
    assert value(metrics, "polyloom_unlogged_total", reason="other") == 1


def test_the_process_and_the_code_are_told(metrics):
    told = samples(metrics)
    for name in ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "polyloom_threads"):
        assert told[(name,)] > 0
    assert any(name[0] == "polyloom_build_info" for name in told)


def test_two_servers_in_one_process_do_not_share_counts(metrics):
    metrics.handled(handled())
    assert ("polyloom_requests_total",) not in {name[:1] for name in samples(Metrics(KNOWN))}


def test_open_metrics_when_it_is_asked_for(metrics):
    metrics.handled(handled(scenario="shop"))
    text, kind = metrics.text("application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")
    assert samples(metrics, "application/openmetrics-text")[("polyloom_threads",)] > 0
    assert metrics.text("text/html")[1].startswith("text/plain")


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text;version=bob", "text/plain;version=bob", "\0", ";;,,=", "a" * 100_000]
)
def test_no_accept_header_breaks_a_scrape_or_comes_back(metrics, accept):
    _, kind = metrics.text(accept)
    assert "bob" not in kind


def test_ten_thousand_hostile_requests_add_no_series(metrics):
    chance = random.Random(4)

    def anything():
        return "alice@example.org" + "".join(chance.choices(string.printable, k=12))

    for number in range(10_000):
        metrics.handled(
            handled(
                method=anything(),
                route=anything(),
                scenario=anything(),
                refused=anything(),
                rows=1,
                status=chance.choice([200, 429, number]),
                request_id=anything(),
                token=anything(),
            )
        )
        metrics.batch(scenario=anything(), action=anything(), rows=number, seconds=1)
        metrics.waited(scenario=anything(), seconds=1)
        metrics.switched(anything(), ok=False)
        metrics.unlogged(anything())
    text = metrics.text()[0].decode()
    assert "alice" not in text
    requests = [name for name in samples(metrics) if name[0] == "polyloom_requests_total"]
    assert {dict(name[1:])["route"] for name in requests} == {"other"}
    # One for each status that HTTP knows, and one for all that it does not.
    assert len(requests) < 70
    assert len(samples(metrics)) < 300
