"""What may come back of a prediction, and what is refused by the name of what there is."""

import json
import threading

import pytest

from ingestion.event_log import segments
from polyloom.errors import RequestError
from releases.runtime import Runtime
from releases.serving.feedback_log import FeedbackLog, check_event, checked_label
from releases.serving.served_batch import LoggedPrediction
from tests.support.served import one_row
from tests.support.small_bundle import make_small_bundle

WEIGHTS = {"event": "what", "weight": {"view": 1, "buy": 5}}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    folder = tmp_path_factory.mktemp("feedback")
    make_small_bundle(folder / "bundle", blobs=folder / "blobs")
    return Runtime.open(folder / "bundle", blobs=folder / "blobs")


@pytest.fixture
def log(tmp_path):
    return FeedbackLog(tmp_path / "feedback")


def logged(text="a mug", **given):
    batch = one_row(text, **given)
    return LoggedPrediction(batch=batch, member=batch.members[0], machine={})


def lines(log, kind):
    return [json.loads(line) for one in segments(log.folder / kind) for line in one.path.read_bytes().splitlines()]


def test_a_correction_is_kept_with_its_row(runtime, log):
    prediction = logged()
    found = log.correct(prediction, runtime, row=0, task="category", label="lamp")
    assert (found.counted, found.waits_for) == (True, ())
    (line,) = lines(log, "corrections")
    assert line["at"].endswith("+00:00")
    del line["at"]
    assert line == {
        "prediction": prediction.member.prediction,
        "row": 0,
        "task": "category",
        "target": "category",
        "label": "lamp",
        "release": "a" * 64,
        "values": {"title": "a mug"},
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"row": 1}, "has no row 1; it has 1, counted from 0"),
        ({"row": -1}, "has no row -1"),
        ({"task": "categry"}, r"There is no task 'categry' to correct\. Did you mean 'category'\? There is category\."),
        ({"label": "lmp"}, r"no label of 'category'\. Did you mean 'lamp'\? There is chair, clock, lamp, mug\."),
        ({"label": ["lamp"]}, "no label of 'category'"),
        ({"label": 7}, "no label of 'category'"),
        ({"label": None}, "no label of 'category'"),
    ],
)
def test_what_there_is_not_is_refused(runtime, log, given, message):
    with pytest.raises(RequestError, match=message):
        log.correct(logged(), runtime, **{"row": 0, "task": "category", "label": "lamp", **given})
    assert not log.folder.exists()


def test_only_predictions_have_labels(runtime, log):
    batch = one_row("x")
    found = LoggedPrediction(
        batch=batch.__class__(**{**vars(batch), "action": "search"}), member=batch.members[0], machine={}
    )
    with pytest.raises(RequestError, match="is the answer to `search`, and only what was predicted has labels"):
        log.correct(found, runtime, row=0, task="category", label="lamp")


class Decoded:
    """A task with another decoder than the small release has."""

    def __init__(self, decoder):
        self.heads = {"task": self}
        self.decoder = decoder


def test_numbers_and_several_labels():
    from heads.decoding import ClassificationDecoder
    from heads.number_decoding import RegressionDecoder
    from heads.token_decoding import TokenClassificationDecoder

    many = Decoded(ClassificationDecoder(problem="multilabel", labels=("a", "b", "c")))
    assert checked_label(many, "task", ["c", "a", "a"]) == ["a", "c"]
    for wrong in ("a", [], ["a", "d"], [1], None):
        with pytest.raises(RequestError, match=r"'task' has several labels\. Give a list of them\. There is a, b, c\."):
            checked_label(many, "task", wrong)
    number = Decoded(RegressionDecoder.__new__(RegressionDecoder))
    assert checked_label(number, "task", 3) == 3.0
    for wrong in ("3", True, float("nan"), float("inf"), None):
        with pytest.raises(RequestError, match="'task' predicts a number"):
            checked_label(number, "task", wrong)
    words = Decoded(TokenClassificationDecoder.__new__(TokenClassificationDecoder))
    with pytest.raises(RequestError, match="'task' is of kind token_classification; labels of classification and"):
        checked_label(words, "task", ["O"])


def test_a_click_names_its_user_by_a_pseudonym(log):
    log.click(user="ada@example.org", item="p01", event="buy", known={"p01"}.__contains__, columns=WEIGHTS)
    log.click(
        prediction="20260131-0123456789abcdef", item="p01", event="view", known={"p01"}.__contains__, columns=WEIGHTS
    )
    first, second = lines(log, "clicks")
    assert (len(first["user"]), first["item"], first["event"]) == (16, "p01", "buy")
    assert second["user"] == "20260131-0123456789abcdef"
    assert (log.folder / "users.key").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"user": None}, "Who took it is one thing: give a user, or the prediction that showed the item"),
        ({"prediction": "20260131-0123456789abcdef"}, "Who took it is one thing"),
        ({"item": "p99"}, "There is no such item in the index"),
        ({"event": "by"}, r"no event of the scenario\. Did you mean 'buy'\? There is view, buy\."),
        ({"event": None}, "no event of the scenario"),
    ],
)
def test_a_click_on_nothing_is_refused(log, given, message):
    click = {"user": "ada", "item": "p01", "event": "buy", "known": {"p01"}.__contains__, "columns": WEIGHTS, **given}
    with pytest.raises(RequestError, match=message):
        log.click(**click)
    assert not log.folder.exists()


def test_events_without_kinds_are_all_the_same():
    check_event(None, {"event": None, "weight": {}})
    with pytest.raises(RequestError, match="The scenario's events have no kinds, so every click is one"):
        check_event("buy", {"event": None, "weight": {}})


def test_threads_and_processes_may_correct_at_once(runtime, log):
    predictions = [logged(f"mug {number}") for number in range(4)]
    others = FeedbackLog(log.folder)
    said = []

    def correct(own):
        said.extend(own.correct(one, runtime, row=0, task="category", label="lamp").counted for one in predictions)

    threads = [threading.Thread(target=correct, args=(own,)) for own in (log, log, others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 4 <= sum(said) <= 8
    assert {line["prediction"] for line in lines(log, "corrections")} == {one.member.prediction for one in predictions}


def test_a_disk_that_takes_nothing_is_told_to_whoever_gives_feedback(runtime, log):
    log.folder.mkdir()
    (log.folder / "corrections").write_text("a file where a folder belongs")
    with pytest.raises(OSError, match=r"exists|Not a directory"):
        log.correct(logged(), runtime, row=0, task="category", label="lamp")
    (log.folder / "corrections").unlink()
    assert log.correct(logged(), runtime, row=0, task="category", label="lamp").counted
