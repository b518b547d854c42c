"""What a running server keeps: every prediction, nothing personal, and what comes back; whatever its disk does."""

import base64
import io
import json
import time

import httpx
import pytest
from click.testing import CliRunner
from PIL import Image

from flows.cli import main
from ingestion.event_log import segments
from polyloom.home import home
from releases.serving.tokens import TokenStore
from tests.support.live_server import client_of, live_server
from tests.support.small_bundle import picture_of, release_small_bundle

SECRETS = [
    "ada.lovelace@mail.example.co.uk",
    "+1 415-555-2671",
    "13812345678",
    "4111 1111 1111 1111",
    "110105 19491231 002X",
]


@pytest.fixture(autouse=True)
def team(tmp_path, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(tmp_path / "home"))
    for name in ("shop", "support"):
        release_small_bundle(home(), name=name)


def predicted(client, text="Where is my parcel?"):
    return client.post("/v1/support/predict", json={"text": text}).raise_for_status().json()


def replayed(prediction):
    found = CliRunner().invoke(main, ["replay", prediction, "--json"])
    return found.exit_code, found.output


def test_whatever_was_served_is_replayed_to_the_bit_by_the_command():
    with live_server() as (url, _), client_of(url) as client:
        asked = [
            client.post("/v1/support/predict", json={"rows": [{"text": "怎么退货？"}, {"text": "parcel"}], "top": 2}),
            client.post("/v1/support/predict", json={"text": "a mail to ann@example.com about my parcel"}),
            client.post("/v1/support/explain", json={"text": "Where is my parcel?"}),
            client.post("/v1/shop/search", json={"text": "red mug", "where": "price < 20", "facets": ["category"]}),
            client.post("/v1/shop/predict", json={"rows": [{"picture": base64.b64encode(picture_of("p01")).decode()}]}),
        ]
        ids = [answer.raise_for_status().json()["prediction"] for answer in asked]
    for prediction in ids:
        code, output = replayed(prediction)
        assert code == 0, output


def test_without_a_log_answers_are_the_same_and_say_that_they_were_not_kept():
    with live_server() as (url, _), client_of(url) as client:
        kept = predicted(client)
    with live_server(is_logged=False) as (url, _), client_of(url) as client:
        other = predicted(client)
        assert other["prediction"] is None
        assert other["predictions"] == kept["predictions"]
        assert client.get("/ready").json()["prediction_log"]["state"] == "off"
        assert "polyloom_prediction_log_up 0.0" in client.get("/metrics").text
        assert 'polyloom_unlogged_total{reason="off"} 1.0' in client.get("/metrics").text
    assert kept["prediction"] is not None


def test_a_disk_that_takes_nothing_costs_no_answer_and_is_told_until_it_is_well_again():
    folder = home() / "predictions"
    folder.mkdir()
    (folder / "support").symlink_to("/dev/full")
    with live_server() as (url, _), client_of(url) as client:
        answers = [predicted(client) for _ in range(3)]
        assert all(answer["predictions"] for answer in answers)
        wait(lambda: client.get("/ready").json()["prediction_log"]["state"] == "failing")
        told = client.get("/ready").json()
        assert told["ready"] is True
        assert told["prediction_log"]["reason"]
        assert "polyloom_prediction_log_up 0.0" in client.get("/metrics").text
        (folder / "support").unlink()
        wait(lambda: client.get("/ready").json()["prediction_log"]["state"] == "on")
        last = predicted(client)["prediction"]
    assert replayed(last)[0] == 0


def test_feedback_is_kept_where_ingestion_reads_it():
    with live_server() as (url, _), client_of(url) as client:
        prediction = predicted(client)["prediction"]
        body = {"kind": "correction", "prediction": prediction, "task": "topic", "label": "returns"}
        first = client.post("/v1/support/feedback", json={"feedback": body}).raise_for_status().json()
        assert first == {"kept": prediction, "counted": True, "waits_for": []}
        assert client.post("/v1/support/feedback", json={"feedback": body}).json()["counted"] is False
        for wrong, said in (
            ({**body, "label": "nonsense"}, "no label of 'topic'"),
            ({**body, "task": "nothing"}, "There is no task 'nothing'"),
            ({**body, "row": 7}, "has no row 7"),
            ({**body, "prediction": "20260101-0123456789abcdef"}, "is kept no more"),
            ({**body, "prediction": "../../etc/passwd"}, "names no prediction"),
            ({"kind": "click", "user": "u1", "item": "q01"}, "recommends nothing"),
        ):
            answer = client.post("/v1/support/feedback", json={"feedback": wrong})
            assert answer.status_code == 422
            assert said in answer.json()["detail"]
        elsewhere = client.post("/v1/shop/feedback", json={"feedback": body})
        assert elsewhere.status_code == 422
    (segment,) = segments(home() / "feedback" / "support" / "corrections")
    (line,) = segment.path.read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["values"] == {"text": "Where is my parcel?"}


@pytest.mark.parametrize("is_masked", [True, False])
def test_nothing_personal_is_in_any_log_metric_trace_or_file(is_masked, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "console")
    before = {path for path in home().rglob("*") if path.is_file()}
    secret = (
        TokenStore(home() / "serving" / "tokens.json")
        .create("all", scopes=["predict", "search", "explain", "feedback", "metrics"])
        .secret
    )
    with live_server(is_masked=is_masked) as (url, _), client_of(url, secret) as client:
        for one in SECRETS:
            tell_everywhere(client, url, one)
        figures = client.get("/metrics").text
    said = capfd.readouterr()
    left = {path for path in home().rglob("*") if path.is_file()} - before
    assert any("predictions" in str(path) for path in left)
    assert any(path.name == "server.log" for path in left)
    assert "/v1/{scenario}/predict" in said.err
    everything = b"".join(path.read_bytes() for path in left) + (figures + said.out + said.err).encode()
    for one in SECRETS:
        assert one.encode() not in everything, one
        assert one.replace(" ", "").encode() not in everything, one


def tell_everywhere(client, url, secret):
    """A request with a secret in each place that a request has; many are refused, and that is well."""
    content = io.BytesIO()
    exif = Image.Exif()
    exif[0x013B] = secret
    Image.open(io.BytesIO(picture_of("p01"))).convert("RGB").save(
        content, format="JPEG", exif=exif, comment=secret.encode()
    )
    picture = base64.b64encode(content.getvalue()).decode()
    headers = {"User-Agent": secret, "X-Request-ID": secret, "Referer": secret, "Cookie": secret, "traceparent": secret}
    bodies = [
        ("support/predict", {"text": f"write or call: {secret}"}),
        ("support/predict", {"rows": [{"text": f"send it back, call {secret}", secret: secret}]}),
        ("support/predict", {secret: secret}),
        ("support/explain", {"text": f"write or call {secret}", "tasks": [secret]}),
        ("support/explain", {"text": f"write or call {secret}"}),
        ("shop/search", {"text": f"mug, call {secret}", "where": f"category <> '{secret}'"}),
        ("shop/search", {"text": "mug", "where": f"{secret} = 1", "facets": [secret], "weights": {secret: 1}}),
        ("shop/search", {"like": secret}),
        ("shop/predict", {"rows": [{"picture": picture}]}),
        ("shop/search", {"image": picture}),
        (
            "support/feedback",
            {"feedback": {"kind": "correction", "prediction": secret, "task": secret, "label": secret}},
        ),
        (f"{secret}/predict", {"text": secret}),
        (f"support/{secret}", {"text": secret}),
    ]
    for path, body in bodies:
        client.post(f"/v1/{path}", json=body, headers=headers, params={"q": secret})
    client.post(
        "/v1/support/predict", content=f'{{"text": "{secret}'.encode(), headers={"content-type": "application/json"}
    )
    with httpx.Client(base_url=url) as other:
        other.get(f"/{secret}", headers={"Authorization": f"Bearer {secret}"})
    answered = client.post("/v1/support/predict", json={"text": f"call {secret}"}).json()
    body = {"kind": "correction", "prediction": answered["prediction"], "task": "topic", "label": "returns"}
    client.post("/v1/support/feedback", json={"feedback": body}).raise_for_status()


def wait(is_so, seconds=20):
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_folder_of_predictions_is_for_its_owner_alone():
    with live_server() as (url, _), client_of(url) as client:
        predicted(client)
    assert (home() / "predictions").stat().st_mode & 0o077 == 0
