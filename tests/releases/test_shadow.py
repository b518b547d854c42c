"""What a challenger says to the rows that a champion was asked for."""

from dataclasses import replace

import pytest

from releases.runtime import Runtime
from releases.serving.acts import perform
from releases.serving.prediction_files import DayFiles
from releases.serving.recent_predictions import recent_batches
from releases.serving.served_batch import Member, ServedBatch
from releases.shadow import compared, same, shadow
from tests.support.small_bundle import make_small_bundle, picture_of

ROWS = [{"title": "a red mug"}, {"title": "green lamp for the desk"}, {"title": "wall clock"}]


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shadow") / "bundle"
    make_small_bundle(folder)
    return Runtime.open(folder)


def served(runtime, rows, *, at=1_000.0, **changes):
    answers = perform(runtime, "predict", rows, {"top": 3})
    member = Member(prediction="20261128-0123456789abcdef", request="r", place=0, rows=len(rows))
    batch = ServedBatch(
        scenario="shop",
        release=runtime.digest,
        action="predict",
        rows=rows,
        answers=answers,
        members=[member],
        options={"top": 3},
        at=at,
    )
    return replace(batch, **changes)


def test_a_release_agrees_with_itself(runtime):
    found = shadow(runtime, [served(runtime, ROWS), served(runtime, ROWS[:1], at=2_000.0)])
    assert (found.rows, found.failed, found.problem) == (4, 0, None)
    assert (found.first, found.last) == (1_000.0, 2_000.0)
    assert found.changed == found.moved == {"category": 0.0}


def test_changed_labels_and_moved_probabilities_are_counted(runtime):
    batch = served(runtime, ROWS)
    then = [dict(one) for one in batch.answers]
    then[0] = {"answers": {"category": {**then[0]["answers"]["category"], "label": "chair"}}}
    own = then[1]["answers"]["category"]
    then[1] = {"answers": {"category": {**own, "probability": own["probability"] - 0.1}}}
    found = shadow(runtime, [replace(batch, answers=then)])
    assert found.changed == {"category": pytest.approx(1 / 3)}
    assert found.moved == {"category": pytest.approx(0.05)}


def test_a_row_that_cannot_be_answered_costs_only_itself_and_refuses(runtime):
    batch = served(runtime, ROWS)
    found = shadow(runtime, [replace(batch, rows=[ROWS[0], {"image": b"no picture"}, ROWS[2]])])
    assert (found.rows, found.failed) == (3, 1)
    assert "1 of the last 3 rows" in found.problem
    assert "gate.shadow_rows: 0" in found.problem
    assert found.changed == {"category": 0.0}


def test_what_a_challenger_dies_of_is_told_by_its_type_and_refuses(runtime, monkeypatch):
    batch = served(runtime, ROWS[:2])
    answered = runtime.predict

    def dying(rows, **given):
        if any(row["title"] == ROWS[1]["title"] for row in rows):
            raise ValueError(f"cannot read {rows}")
        return answered(rows, **given)

    monkeypatch.setattr(runtime, "predict", dying)
    found = shadow(runtime, [batch])
    assert (found.rows, found.failed, found.why) == (2, 1, "ValueError")
    assert "lamp" not in found.problem


def test_where_nothing_was_asked_there_is_nothing(runtime):
    assert shadow(runtime, []) is None


def test_tasks_that_only_one_of_them_has_are_left_out():
    answer = {"label": "a", "probability": 0.5, "value": None, "parts": []}
    assert compared([({"old": answer}, {"new": answer})]) == ({}, {})


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({"label": "12.0", "value": 12.0}, {"label": "12.1", "value": 12.1}, True),
        ({"label": "12.0", "value": 12.0}, {"label": "12.2", "value": 12.2}, False),
        ({"label": "0.0", "value": 0.0}, {"label": "0.0", "value": 0.0}, True),
        ({"label": "a"}, {"label": "b"}, False),
        ({"label": "", "parts": [{"label": "PER", "start": 0, "end": 3}]}, {"label": "", "parts": []}, False),
        (
            {"label": "", "parts": [{"label": "PER", "start": 0, "end": 3}, {"label": "LOC", "start": 5, "end": 6}]},
            {"label": "", "parts": [{"label": "LOC", "start": 5, "end": 6}, {"label": "PER", "start": 0, "end": 3}]},
            True,
        ),
        (
            {"label": "", "parts": [{"label": "car", "start": None, "end": None, "box": [1, 2, 3, 4]}]},
            {"label": "", "parts": [{"label": "car", "start": None, "end": None, "box": [1, 2, 3, 5]}]},
            True,
        ),
    ],
)
def test_what_the_same_answer_is(one, other, is_same):
    assert same(one, other) is is_same


def test_kept_batches_come_back_with_their_pictures_newest_first_and_no_more_than_are_asked_for(runtime, tmp_path):
    pictured = served(runtime, [{"picture": picture_of("p04")}], at=3_000.0)
    files = DayFiles(tmp_path, process="one")
    files.write([served(runtime, ROWS), served(runtime, ROWS, at=2_000.0), pictured])
    other = {"release": "a" * 64}, {"action": "search"}, {"exact": False}, {"scenario": "support"}
    files.write([served(runtime, ROWS, at=2_500.0, **one) for one in other])
    wanted = {"release": runtime.digest, "action": "predict"}
    found = recent_batches(tmp_path, "shop", **wanted, rows=100)
    assert [(one.at, len(one.rows)) for one in found] == [(3_000.0, 1), (2_000.0, 3), (1_000.0, 3)]
    assert found[0].rows == [{"picture": picture_of("p04")}]
    assert shadow(runtime, found).changed == {"category": 0.0}
    assert recent_batches(tmp_path, "shop", **wanted, rows=2) == found[:2]
    for blob in tmp_path.glob("shop/*/blobs/**/*"):
        blob.unlink() if blob.is_file() else None
    assert recent_batches(tmp_path, "shop", **wanted, rows=100) == found[1:]
