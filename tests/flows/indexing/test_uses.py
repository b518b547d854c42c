"""What a release is used by, in step with newer data: new items, new events and new answers count without a run."""

import json
import shutil
from pathlib import Path

import pytest

from flows import events
from flows.events import history_of
from flows.indexing.place import forget_in_indexes
from flows.indexing.update import update_index
from flows.indexing.uses import forget_in_uses, is_stale, place_of, refresh_uses
from flows.scenario_file import load_scenario
from flows.stages.ingest import ingest
from ingestion.snapshots import open_snapshot
from polyloom.durable import read_json, write_json
from polyloom.home import home
from polyloom.progress import SILENT
from releases.answering import RECORD
from releases.promise import ASKED
from releases.runtime import Runtime
from retrieval.answering.drift import WINDOW, ScoreLog
from retrieval.recommending.recommender import Event
from tests.flows.test_uses import write_shop
from tests.support.stage_runs import job_for, packaged


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A shop with its bundle, made once."""
    folder = tmp_path_factory.mktemp("refreshed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(folder / "home"))
        bundle = packaged(job_for(write_shop(folder)))
    return folder, bundle


@pytest.fixture
def shop(made, tmp_path, monkeypatch):
    """A copy of its own: the folder of the sources, and the opened release."""
    folder = tmp_path / "own"
    shutil.copytree(made[0], folder)
    monkeypatch.setenv("POLYLOOM_HOME", str(folder / "home"))
    yield folder, opened(folder / "home" / made[1].relative_to(made[0] / "home"))
    events.events_of.cache_clear()


def opened(bundle):
    return Runtime.open(bundle, blobs=home() / "blobs", indexes=home() / "indexes" / "wishes")


def add(path, *rows):
    with path.open("a", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def in_step(folder, runtime):
    """What the flow does, in its order."""
    snapshot = open_snapshot(Path(ingest(load_scenario(str(folder / "wishes.yaml")), progress=SILENT).folder))
    update_index(runtime, snapshot, progress=SILENT)
    return refresh_uses(runtime, snapshot, progress=SILENT)


def rows_in(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def grown(shop):
    """The same after a while: a new item like those of one label, taken by two who love these, and one new user."""
    folder, runtime = shop
    like = next(row for row in rows_in(folder / "wishes.jsonl") if row["label"] == "red_shoe")
    add(folder / "wishes.jsonl", {**like, "id": "new", "text": f"{like['text']} again"})
    taken = {"what": "new", "how": "buy", "at": "2026-03-01T00:00:00Z"}
    add(
        folder / "events.jsonl",
        {"n": "y0", "who": "u1", **taken},
        {"n": "y1", "who": "u4", **taken},
        {"n": "y2", "who": "fresh", **taken, "what": like["id"]},
    )
    return folder, runtime


def test_a_new_item_is_recommended_without_a_run(grown):
    folder, runtime = grown
    lover = [Event(event.item) for event in history_of(runtime, "u7")]
    assert "new" not in {hit.id for hit in runtime.recommend(lover, k=90)}
    found = in_step(folder, runtime)
    assert (found["recommend"]["items"], found["recommend"]["events"]) == (91, 147)
    assert "new" in {hit.id for hit in runtime.recommend(lover, k=20)}
    assert history_of(runtime, "fresh")
    # A process that opens the release later finds the same.
    assert [hit.id for hit in runtime.recommend(lover)] == [hit.id for hit in opened(runtime.folder).recommend(lover)]


def test_nothing_is_made_anew_when_nothing_changed(grown):
    folder, runtime = grown
    in_step(folder, runtime)
    before = place_of(runtime)
    held = sorted(path.name for path in before.iterdir())
    assert in_step(folder, runtime) == {}
    assert sorted(path.name for path in before.iterdir()) == held


def test_a_release_is_of_its_own_snapshot_until_then(shop):
    _, runtime = shop
    own = str(read_json(runtime.folder / "snapshot.json")["id"])
    assert not is_stale(runtime, own)
    assert is_stale(runtime, "another")


def test_a_changed_index_voids_the_promise_until_the_threshold_is_chosen_anew(grown):
    folder, runtime = grown
    promise = runtime.promise
    assert promise.threshold.value is not None
    assert runtime.ask("my red shoe is lost").broken is None
    snapshot = open_snapshot(Path(ingest(load_scenario(str(folder / "wishes.yaml")), progress=SILENT).folder))
    update_index(runtime, snapshot, progress=SILENT)
    assert "polyloom index wishes update" in runtime.ask("my red shoe is lost").broken
    found = refresh_uses(runtime, snapshot, progress=SILENT)
    assert found["answer"]["questions"] > 0
    assert runtime.ask("my red shoe is lost").broken is None
    assert runtime.promise.broken() is None


def test_other_questions_void_the_promise_and_say_what_to_do(shop):
    _, runtime = shop
    log = ScoreLog(place_of(runtime) / ASKED)
    question = "my red shoe is lost"
    for _ in range(3):
        runtime.ask(question)
    assert len(log.scores()) == 3
    runtime.ask("?!")
    assert len(log.scores()) == 3
    for _ in range(WINDOW):
        log.add(0.001)
    found = runtime.ask(question)
    assert found.text is not None
    assert "unlike those that the threshold was chosen by" in found.broken
    runtime.facts["answer"]["drift"] = "hand_over"
    over = runtime.ask(question)
    assert over.text is None
    assert over.hand_over.reason == over.broken
    assert over.hand_over.question == question
    assert over.hand_over.guesses == found.citations


def test_a_log_that_cannot_be_written_costs_no_answer(shop):
    _, runtime = shop
    # A folder in its place: root may write to any file.
    (place_of(runtime) / ASKED).mkdir(parents=True)
    assert runtime.ask("my red shoe is lost").text is not None


def test_a_release_without_remembered_scores_makes_no_alarm(shop):
    _, runtime = shop
    record = read_json(runtime.folder / RECORD)
    path = runtime.folder / RECORD
    path.chmod(0o644)
    write_json(path, {name: record[name] for name in ("confidence", "threshold")})
    for _ in range(WINDOW):
        ScoreLog(place_of(runtime) / ASKED).add(0.001)
    assert runtime.promise.broken() is None


def test_what_is_forgotten_is_in_no_later_recommender(grown):
    folder, runtime = grown
    in_step(folder, runtime)
    assert forget_in_uses("wishes", ["nowhere"]) == 0
    forget_in_indexes("wishes", ["new"])
    assert forget_in_uses("wishes", ["new"]) == 1
    assert "new" not in {hit.id for hit in runtime.recommend([], k=90)}
    assert not list(place_of(runtime).glob("*/recommender"))
