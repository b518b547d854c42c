"""`polyloom replay` as a user runs it, over a state folder with a real release and a real log."""

import json
import shutil

import pytest

from flows.asking import open_kept
from releases.serving.acts import index_state, perform
from releases.serving.prediction_id import new_prediction_id
from releases.serving.prediction_log import PredictionLog
from releases.serving.served_batch import Member, ServedBatch
from tests.support.command_line import inside
from tests.support.small_bundle import make_small_bundle


@pytest.fixture
def release(polyloom_home):
    """A release that no alias names, as one before the champion is."""
    draft = polyloom_home / "releases" / "shop" / "draft"
    digest = make_small_bundle(draft, blobs=polyloom_home / "blobs")
    draft.rename(draft.with_name(digest))
    return digest


def served(home, digest, action, row, *, answers=None):
    runtime = open_kept("shop", digest)
    prediction = new_prediction_id()
    log = PredictionLog(home / "predictions")
    log.add(
        ServedBatch(
            scenario="shop",
            release=digest,
            action=action,
            rows=[row],
            index=index_state(runtime, action),
            answers=answers or perform(runtime, action, [row]),
            members=[Member(prediction=prediction, request="r", place=0, rows=1)],
        )
    )
    log.close()
    return prediction


@pytest.mark.parametrize("action", ["predict", "search", "explain"])
def test_the_same_ends_well(polyloom_home, release, action):
    row = {"text": "red mug"} if action == "search" else {"title": "red mug"}
    prediction = served(polyloom_home, release, action, row)
    ended = inside("replay", prediction, environment={"POLYLOOM_HOME": str(polyloom_home)})
    assert ended.code == 0, ended.err
    assert "same to the last bit of every score" in ended.said
    assert f"{action} of shop, by the release {release[:12]}" in ended.said


def test_another_answer_ends_with_1_and_says_where(polyloom_home, release):
    answers = perform(open_kept("shop", release), "predict", [{"title": "red mug"}])
    changed = json.loads(json.dumps(answers))
    changed[0]["answers"]["category"]["probability"] = 0.5
    prediction = served(polyloom_home, release, "predict", {"title": "red mug"}, answers=changed)
    environment = {"POLYLOOM_HOME": str(polyloom_home)}
    ended = inside("replay", prediction, environment=environment)
    assert ended.code == 1
    assert "answers.category.probability" in ended.said
    assert "different nothing that is known" in ended.said
    told = inside("replay", prediction, "--json", environment=environment)
    assert (told.code, told.json["same"], told.json["release"]) == (1, False, release)


def test_a_release_that_is_gone_is_named_with_the_cure(polyloom_home, release):
    prediction = served(polyloom_home, release, "predict", {"title": "red mug"})
    shutil.rmtree(polyloom_home / "releases" / "shop" / release)
    ended = inside("replay", prediction, environment={"POLYLOOM_HOME": str(polyloom_home)})
    assert ended.code == 2
    assert f"The release {release} of 'shop' is not here any more" in ended.said
    assert "polyloom bundle import FILE" in ended.said


@pytest.mark.parametrize("given", ["../../etc/passwd", "20260131-0123456789abcdef"])
def test_what_is_no_prediction_is_a_wrong_request(polyloom_home, given):
    ended = inside("replay", given, environment={"POLYLOOM_HOME": str(polyloom_home)})
    assert ended.code == 2
    assert "There is no prediction" in ended.said or "names no prediction" in ended.said
