"""The whole server over two small releases, asked over real sockets."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from flows.asking import open_release
from polyloom.home import home
from releases.asked_rows import Request, answer_rows
from releases.serving.limits import Limits
from tests.support.live_server import client_of, live_server
from tests.support.small_bundle import release_small_bundle


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setenv("POLYLOOM_HOME", str(tmp_path_factory.mktemp("served")))
    for name in ("shop", "support"):
        release_small_bundle(home(), name=name)
    with live_server(limits=Limits(rows=8, text_characters=500, picture_bytes=200_000)) as (url, service):
        yield url, service
    patch.undo()


@pytest.fixture(autouse=True)
def home_of_the_server(served, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(served[1].parts.keeping.folder.parent))


@pytest.fixture
def client(served):
    with client_of(served[0]) as found:
        yield found


def picture():
    path = next(path for path in (home() / "blobs").rglob("*") if path.is_file())
    return base64.b64encode(path.read_bytes()).decode()


def refused(answer, status, reason, said):
    assert (answer.status_code, answer.json()["reason"]) == (status, reason), answer.text
    assert said in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
    return answer


def test_predictions_are_those_of_the_release(client):
    rows = [{"text": "Where is my parcel?"}, {"text": "怎么退货？"}, {"text": "Which cards can I pay with?"}]
    told = client.post("/v1/support/predict", json={"rows": rows, "top": 2}).raise_for_status().json()
    runtime = open_release("support")
    assert told["predictions"] == answer_rows(runtime, rows, Request(top=2))
    assert told["release"] == {"scenario": "support", "version": "1", "digest": runtime.digest}
    assert told["prediction"]
    one = client.post("/v1/support/predict", json={"text": "怎么退货？"}).json()
    assert one["predictions"][0]["answers"]["topic"]["label"] == "returns"


def test_callers_at_once_get_their_own_answers(client):
    texts = ["Where is my parcel?", "怎么退货？", "Which cards can I pay with?", "I want to return an order"] * 10
    runtime = open_release("support")
    right = [answer_rows(runtime, [{"text": text}], Request())[0]["answers"]["topic"]["label"] for text in texts]

    def ask(text):
        told = client.post("/v1/support/predict", json={"text": text}).raise_for_status().json()
        return told["predictions"][0]["answers"]["topic"]["label"]

    with ThreadPoolExecutor(16) as callers:
        assert list(callers.map(ask, texts)) == right


def test_search_by_words_picture_item_and_filter(client):
    hits = client.post("/v1/shop/search", json={"text": "red mug", "k": 2}).raise_for_status().json()["hits"]
    assert (hits[0]["id"], len(hits)) == ("p01", 2)
    body = {"text": "mug", "where": "price < 10", "facets": ["category"]}
    found = client.post("/v1/shop/search", json=body).json()
    assert [hit["id"] for hit in found["hits"]] == ["p01"]
    assert found["facets"]["category"][0] == {"value": "mug", "count": 1}
    assert client.post("/v1/shop/search", json={"like": "p01", "k": 3}).json()["hits"]
    assert client.post("/v1/shop/search", json={"image": picture(), "k": 1}).json()["hits"]


def test_explanations(client):
    told = client.post("/v1/support/explain", json={"text": "Where is my parcel?", "near": 1}).raise_for_status().json()
    (found,) = told["explanations"]
    assert found["topic"]["label"] == "delivery"
    assert found["topic"]["evidence"]


def test_pictures_in_rows(client):
    told = client.post("/v1/shop/predict", json={"rows": [{"picture": picture()}]}).raise_for_status().json()
    assert set(told["predictions"][0]["answers"]) == {"category"}


@pytest.mark.parametrize(
    ("path", "body", "status", "reason", "said"),
    [
        ("support/predict", {}, 422, "wrong_request", "Nothing was asked"),
        ("support/predict", {"rows": []}, 422, "wrong_request", "rows: List should have at least 1 item"),
        ("support/predict", {"rows": [{"txt": "x"}]}, 422, "wrong_request", "Did you mean 'text'?"),
        ("support/predict", {"rows": [{"text": " "}]}, 422, "wrong_request", "has nothing that a task reads"),
        ("support/predict", {"rows": [{"text": 3}]}, 422, "wrong_request", "row 1: text: a number; write text"),
        ("support/predict", {"rows": [{"text": "x"}], "text": "y"}, 422, "wrong_request", "not both"),
        ("support/predict", {"rows": [{"text": "x"}] * 9}, 413, "too_many_rows", "8 at once are allowed"),
        ("support/predict", {"text": "x" * 501}, 413, "text_too_long", "more than 500 characters"),
        ("support/predict", {"text": "x", "top": 0}, 422, "wrong_request", "top: Input should be greater"),
        ("support/predict", {"text": "x", "tops": 3}, 422, "wrong_request", "tops: Extra inputs"),
        ("support/predict", {"image": "x"}, 422, "wrong_request", "this is no base64"),
        ("shop/predict", {"rows": [{"picture": "aGFsbG8="}]}, 422, "wrong_request", "the file is not one of JPEG"),
        ("shop/predict", {"rows": [{"picture": "A" * 300_000}]}, 413, "picture_too_large", "more than 200000 bytes"),
        ("shop/search", {}, 422, "wrong_request", "give text, image or like"),
        ("shop/search", {"text": "mug", "where": "prize < 3"}, 422, "wrong_request", "price"),
        ("shop/search", {"text": "mug", "where": "'; DROP TABLE items; --"}, 422, "wrong_request", ""),
        ("shop/search", {"like": "nothing"}, 422, "wrong_request", "no such item"),
        ("shop/search", {"text": "mug", "k": 101}, 413, "too_many_found", "at most 100"),
        ("shop/search", {"text": "mug", "weights": {"nothing": 1}}, 422, "wrong_request", "no ranking"),
        ("shop/recommend", {"user": "u1"}, 422, "wrong_request", "recommends nothing"),
        ("shop/recommend", {}, 422, "wrong_request", "Nothing says for whom"),
        ("support/ask", {"question": "How?"}, 422, "wrong_request", "answers no questions"),
        ("support/explain", {"text": "x", "tasks": ["nothing"]}, 422, "wrong_request", "has no task 'nothing'"),
        ("nothing/predict", {"text": "x"}, 404, "no_such_scenario", "answers for shop, support"),
        ("..%2f..%2fetc%2fpasswd/predict", {"text": "x"}, 404, "no_such_path", "See /openapi.json"),
        ("support/dance", {"text": "x"}, 404, "no_such_path", "See /openapi.json"),
    ],
)
def test_what_cannot_be_answered_is_refused_and_told_why(client, path, body, status, reason, said):
    refused(client.post(f"/v1/{path}", json=body), status, reason, said)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"text": "\\ud800"}', b"\xff\xfe", b'{"text": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(client, content):
    answer = client.post("/v1/support/predict", content=content, headers={"content-type": "application/json"})
    assert answer.status_code in {400, 422}
    assert answer.json()["reason"] in {"no_json", "wrong_request"}


def test_what_is_not_sent_as_json_is_refused(client):
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = client.post("/v1/support/predict", content=b'{"text": "x"}', headers={"content-type": kind})
        refused(answer, 415, "no_json", "Content-Type: application/json")


def test_another_method_is_refused(client):
    answer = refused(client.get("/v1/support/predict"), 405, "no_such_method", "other methods")
    assert answer.headers["allow"] == "POST"


def test_the_request_id_of_a_caller_is_kept_where_it_is_one(client):
    own = "0123456789abcdef0123456789abcdef"
    assert client.get("/health", headers={"x-request-id": own}).headers["x-request-id"] == own
    other = client.get("/health", headers={"x-request-id": "ann@example.com"}).headers["x-request-id"]
    assert len(other) == 32


def test_state_is_told(client, served):
    assert client.get("/health").json() == {"status": "ok"}
    ready = client.get("/ready").raise_for_status().json()
    assert ready["ready"] is True
    assert set(ready["scenarios"]) == {"shop", "support"}
    assert ready["prediction_log"]["state"] == "on"
    known = client.get("/v1").json()["scenarios"]
    assert [one["name"] for one in known] == ["shop", "support"]
    support = client.get("/v1/support").json()
    assert (support["columns"], support["actions"]) == (["text"], ["predict", "explain", "search", "feedback"])
    metrics = client.get("/metrics").text
    assert 'polyloom_requests_total{route="/v1/{scenario}/predict",scenario="support",status="200"}' in metrics
    assert 'polyloom_release{digest="' in metrics


def test_openapi_has_an_example_for_each_action_that_is_answered(client):
    schema = client.get("/openapi.json").json()
    actions = {path: methods["post"] for path, methods in schema["paths"].items() if "post" in methods}
    assert {path.rpartition("/")[2] for path in actions} == {
        "predict",
        "explain",
        "search",
        "recommend",
        "ask",
        "feedback",
    }
    examples = schema["components"]["schemas"]["PredictRequest"]["examples"]
    for body in examples:
        assert client.post("/v1/support/predict", json=body).status_code == 200
    for operation in actions.values():
        assert {"401", "413", "422", "429", "504"} <= set(operation["responses"])


def test_every_prediction_is_kept_as_it_was_served(client, served):
    told = client.post("/v1/support/predict", json={"text": "Where is my parcel?"}).json()
    logged = served[1].parts.keeping.find(told["prediction"])
    assert list(logged.rows) == [{"text": "Where is my parcel?"}]
    assert list(logged.answers) == told["predictions"]
    assert logged.batch.release == told["release"]["digest"]


def test_figures_keep_every_bit(client):
    content = client.post("/v1/support/predict", json={"text": "Where is my parcel?"}).content
    own = answer_rows(open_release("support"), [{"text": "Where is my parcel?"}], Request())
    assert json.loads(content)["predictions"] == own
