"""Served predictions of real releases run again: to the last bit, and what is said where that cannot be."""

import dataclasses
import json

import pytest

from polyloom.errors import RequestError
from releases.runtime import Runtime
from releases.serving.acts import index_state, perform
from releases.serving.prediction_id import new_prediction_id
from releases.serving.prediction_log import PredictionLog
from releases.serving.replay import differences, replay
from releases.serving.served_batch import Member, ServedBatch
from tests.support.small_bundle import SHOP, make_small_bundle, picture_of

ROWS = [{"title": title, "title_zh": chinese, "picture": picture_of(key)} for key, title, chinese, *_ in SHOP]
ASKED = {
    "predict": (ROWS, {"top": 3}),
    "explain": ([ROWS[0]], {"near": 2}),
    "search": (
        [{"text": "red mug", "image": picture_of("p02")}],
        {"k": 3, "where": "price < 20", "facets": ["colour"]},
    ),
}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    folder = tmp_path_factory.mktemp("replay")
    make_small_bundle(folder / "bundle", blobs=folder / "blobs")
    return Runtime.open(folder / "bundle", blobs=folder / "blobs")


@pytest.fixture
def log(tmp_path):
    log = PredictionLog(tmp_path / "predictions", sync_seconds=0.05)
    yield log
    log.close()


def served(runtime, log, action, rows, options, *, requests=1, **given):
    """Run and log a batch as a server does; the ids of its requests."""
    size = len(rows) // requests
    members = [
        Member(prediction=new_prediction_id(), request=f"r{n}", place=n * size, rows=size) for n in range(requests)
    ]
    log.add(
        ServedBatch(
            scenario=runtime.name,
            release=runtime.digest,
            action=action,
            rows=rows,
            options=options,
            members=members,
            index=index_state(runtime, action),
            answers=perform(runtime, action, rows, options),
            **given,
        )
    )
    return [one.prediction for one in members]


@pytest.mark.parametrize("action", ASKED)
def test_it_gives_the_same_to_the_last_bit(runtime, log, action):
    (prediction,) = served(runtime, log, action, *ASKED[action])
    found = replay(log.find(prediction), runtime)
    assert found.same
    assert found.why is None
    assert (found.then, found.differences, found.machine, found.index_changed) == (found.now, (), {}, False)
    assert json.loads(json.dumps(found.to_json()))["same"] is True


def test_a_request_is_run_with_the_company_it_had(runtime, log):
    predictions = served(runtime, log, "predict", ROWS, {"top": 5}, requests=4)
    for number, prediction in enumerate(predictions):
        found = replay(log.find(prediction), runtime)
        assert found.same
        assert len(found.then) == 3
        assert found.then[0]["answers"]["category"]["label"] == SHOP[3 * number][4]


def test_a_last_bit_that_differs_is_found(runtime, log):
    (prediction,) = served(runtime, log, "predict", ROWS[:2], {"top": 5})
    logged = log.find(prediction)
    answers = json.loads(json.dumps(list(logged.batch.answers)))
    before = answers[1]["answers"]["category"]["probability"]
    answers[1]["answers"]["category"]["probability"] = before + 1e-16
    changed = dataclasses.replace(logged, batch=dataclasses.replace(logged.batch, answers=answers))
    found = replay(changed, runtime)
    assert not found.same
    (only,) = found.differences
    assert (only.row, only.place, only.now) == (1, "answers.category.probability", before)
    assert found.why == "nothing that is known: the same release, the same rows, the same machine"


def test_another_machine_is_named(runtime, log):
    (prediction,) = served(runtime, log, "predict", ROWS[:1], {})
    logged = log.find(prediction)
    other = dataclasses.replace(
        logged,
        machine={**logged.machine, "cpu": "Abacus 9"},
        batch=dataclasses.replace(logged.batch, answers=[{"answers": {}, "missing": []}]),
    )
    found = replay(other, runtime)
    assert found.machine == {"cpu": ("Abacus 9", logged.machine["cpu"])}
    assert found.why.startswith("it ran on another machine: cpu was Abacus 9, is ")


def test_what_was_masked_afterwards_says_so(runtime, log):
    (prediction,) = served(runtime, log, "predict", ROWS[:1], {}, exact=False)
    logged = log.find(prediction)
    found = replay(
        dataclasses.replace(logged, batch=dataclasses.replace(logged.batch, answers=[{"answers": {}}])), runtime
    )
    assert "personal data was masked afterwards" in found.why


def test_a_changed_index_is_said_instead_of_another_score(runtime, log):
    (prediction,) = served(runtime, log, *("search", *ASKED["search"]))
    logged = log.find(prediction)
    before = dataclasses.replace(logged.batch, index="another", answers=[{"hits": [], "facets": {}}])
    found = replay(dataclasses.replace(logged, batch=before), runtime)
    assert found.index_changed
    assert found.why == "the index has changed since, so other items may be found"


def test_an_index_that_changed_is_seen(runtime):
    assert index_state(runtime, "predict") is None
    assert index_state(runtime, "search") == index_state(runtime, "ask") != ""


def test_another_release_is_refused(runtime, log, tmp_path):
    (prediction,) = served(runtime, log, "predict", ROWS[:1], {})
    make_small_bundle(tmp_path / "other", name="support")
    with pytest.raises(RequestError, match=r"was answered by the release .*, not by"):
        replay(log.find(prediction), Runtime.open(tmp_path / "other"))


def test_what_nobody_does_is_refused(runtime):
    with pytest.raises(RequestError, match=r"'forecast' is nothing that a release does.* It does predict, search"):
        perform(runtime, "forecast", [])


@pytest.mark.parametrize(
    ("then", "now", "places"),
    [
        ({"a": [1, {"b": 0.1}]}, {"a": [1, {"b": 0.1}]}, []),
        ({"a": [1, {"b": 0.1}]}, {"a": [1, {"b": 0.1 + 2**-56}]}, ["a[1].b"]),
        ({"a": 1}, {"a": 1.0}, ["a"]),
        ({"a": 0.0}, {"a": -0.0}, ["a"]),
        ([1], [1, 2], [""]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, [""]),
        ({"a": True}, {"a": 1}, ["a"]),
    ],
)
def test_differences_are_found_where_they_are(then, now, places):
    assert [one.place for one in differences(0, then, now)] == places
