"""What comes back from serving becomes rows: a served prediction is corrected, and the next snapshot holds it."""

import shutil

import pytest
import yaml

from flows import server
from flows.events import history_of
from flows.ingested import ingestion_digest
from flows.scenario_checks import data_problems
from flows.scenario_file import load_data_scenario
from flows.stages.ingest import ingest
from ingestion.feedback_places import feedback_folder
from ingestion.snapshots import open_snapshot
from polyloom.errors import ScenarioError
from polyloom.progress import SILENT
from releases.runtime import Runtime
from releases.serving.acts import perform
from releases.serving.feedback_log import FeedbackLog
from releases.serving.prediction_id import new_prediction_id
from releases.serving.prediction_log import PredictionLog
from releases.serving.served_batch import Member, ServedBatch
from tests.support.command_line import inside, state
from tests.support.mlflow_store import copy_store, template
from tests.support.small_bundle import SHOP, make_small_bundle, picture_of

TABLE = {
    "kind": "table",
    "path": "items.csv",
    "key": "id",
    "image": "picture",
    "text": ["title", "title_zh"],
    "columns": {"category": "category"},
    "required": ["category"],
    "feedback": "corrections",
}
EVENTS = {
    "kind": "table",
    "path": "events.csv",
    "key": "event_id",
    "user": "user_id",
    "item": "item_id",
    "time": "seen",
    "event": "what",
    "weight": {"view": 1, "buy": 5},
    "feedback": "clicks",
}
COLUMNS = {name: EVENTS.get(name) for name in ("user", "item", "time", "event", "weight")}
ALONE = {"kind": "feedback", "of": "clicks", **{name: COLUMNS[name] for name in ("user", "item", "time", "event")}}
ITEMS = {row[0] for row in SHOP}


@pytest.fixture
def place(tmp_path):
    """A scenario with a dozen rows and two events."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    lines = ["id,title,title_zh,category,picture"]
    for key, title, chinese, _, category, _ in SHOP:
        (pictures / f"{key}.png").write_bytes(picture_of(key))
        lines.append(f"{key},{title},{chinese},{category},pictures/{key}.png")
    (tmp_path / "items.csv").write_text("\n".join(lines))
    (tmp_path / "events.csv").write_text(
        "event_id,user_id,item_id,seen,what\ne1,ada,p01,2026-01-01,view\n"
        "e2,eve,p02,2026-01-02,view\ne3,eve,p03,2026-01-09,buy\n"
    )
    return tmp_path


@pytest.fixture
def scenario(place):
    def write(items=TABLE, events=EVENTS, **more):
        described = {"name": "shop", "title": "Shop", "data": {"items": items, "interactions": events}, **more}
        (place / "shop.yaml").write_text(yaml.safe_dump(described))
        return load_data_scenario(str(place / "shop.yaml"))

    return write


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    folder = tmp_path_factory.mktemp("feedback")
    make_small_bundle(folder / "bundle", blobs=folder / "blobs")
    opened = Runtime.open(folder / "bundle", blobs=folder / "blobs")
    opened.facts["recommend"] = {"interactions": "interactions", "columns": COLUMNS}
    return opened


@pytest.fixture
def served(runtime, polyloom_home):
    """A request of three rows, as it is kept."""
    log = PredictionLog(polyloom_home / "predictions", sync_seconds=0.05)
    rows = [{"title": title, "title_zh": None, "picture": picture_of(key)} for key, title, *_ in SHOP[:3]]

    def serve(rows=rows, action="predict"):
        member = Member(prediction=new_prediction_id(), request="r", place=0, rows=len(rows))
        log.add(
            ServedBatch(
                scenario="shop",
                release=runtime.digest,
                action=action,
                rows=rows,
                members=[member],
                answers=perform(runtime, action, rows),
            )
        )
        return log.find(member.prediction)

    yield serve
    log.close()


@pytest.fixture
def feedback(polyloom_home):
    return FeedbackLog(feedback_folder("shop"))


def snapshot_rows(loaded, home, table="items"):
    """The rows of the snapshot that is taken now, by key."""
    report = ingest(loaded, progress=SILENT)
    rows = open_snapshot(home / "snapshots" / "shop" / report.id).table(table).to_pylist()
    return {row["_key"]: row for row in rows}, report


def test_a_corrected_row_is_learned_from_with_its_picture(scenario, runtime, served, feedback, polyloom_home):
    logged = served()
    assert feedback.correct(logged, runtime, row=1, task="category", label="lamp").counted
    # The log of predictions forgets after some weeks, and what was corrected stays.
    shutil.rmtree(polyloom_home / "predictions")
    rows, report = snapshot_rows(scenario(), polyloom_home)
    row = rows[f"feedback-{logged.member.prediction}-1"]
    assert (row["title"], row["category"], row["_split"]) == (SHOP[1][1], "lamp", "train")
    picture = polyloom_home / "blobs" / row["picture"][:2] / row["picture"]
    assert picture.read_bytes() == logged.rows[1]["picture"]
    assert (len(rows), report.tables["items"].rows_quarantined) == (len(SHOP) + 1, 0)


def test_corrections_are_never_judged_by(scenario, runtime, served, feedback, polyloom_home):
    logged = served([{"title": f"a mug number {number}"} for number in range(80)])
    for row in range(80):
        feedback.correct(logged, runtime, row=row, task="category", label="lamp")
    rows, _ = snapshot_rows(scenario(splits={"validation": 0.2, "test": 0.3}), polyloom_home)
    came_back = {row["_split"] for key, row in rows.items() if key.startswith("feedback-")}
    others = {row["_split"] for key, row in rows.items() if not key.startswith("feedback-")}
    assert len(rows) == 80 + len(SHOP)
    assert came_back == {"train"}
    assert len(others) > 1


def test_a_column_of_splits_and_a_path_for_each_do_not_hinder(
    place, scenario, runtime, served, feedback, polyloom_home
):
    feedback.correct(served(), runtime, row=0, task="category", label="lamp")
    header, *lines = (place / "items.csv").read_text().splitlines()
    splits = ["train", "test", "validation"]
    parted = [f"{line},{splits[number % 3]}" for number, line in enumerate(lines)]
    (place / "items.csv").write_text("\n".join([f"{header},part", *parted]))
    rows, _ = snapshot_rows(scenario({**TABLE, "split": "part"}), polyloom_home)
    assert [row["_split"] for key, row in rows.items() if key.startswith("feedback-")] == ["train"]
    for number, split in enumerate(splits):
        (place / f"{split}.csv").write_text("\n".join([header, *lines[number::3]]))
    paths = {split: f"{split}.csv" for split in splits}
    rows, _ = snapshot_rows(scenario({**TABLE, "path": paths}), polyloom_home)
    assert [row["_split"] for key, row in rows.items() if key.startswith("feedback-")] == ["train"]
    assert len(rows) == len(SHOP) + 1


def test_of_several_corrections_of_a_row_the_last_counts(scenario, runtime, served, feedback, polyloom_home):
    logged = served()
    said = [
        feedback.correct(logged, runtime, row=0, task="category", label=label).counted
        for label in ("lamp", "lamp", "chair")
    ]
    # Another process that has read nothing yet knows it as well.
    again = FeedbackLog(feedback_folder("shop")).correct(logged, runtime, row=0, task="category", label="chair")
    assert (said, again.counted) == ([True, False, True], False)
    rows, _ = snapshot_rows(scenario(), polyloom_home)
    assert [row["category"] for key, row in rows.items() if key.startswith("feedback-")] == ["chair"]


def test_a_row_waits_until_each_task_was_told_of_it(place, scenario, runtime, served, feedback, polyloom_home):
    of_two = Runtime.open(runtime.folder)
    of_two.facts["targets"] = {"category": "category", "colour": "colour"}
    of_two.heads["colour"] = of_two.heads["category"]
    lines = (f"{key},{title},{category},{category}" for key, title, _, _, category, _ in SHOP)
    (place / "two.csv").write_text("\n".join(["id,title,category,colour", *lines]))
    loaded = scenario(
        {
            "kind": "table",
            "path": "two.csv",
            "key": "id",
            "text": ["title"],
            "feedback": "corrections",
            "columns": {"category": "category", "colour": "category"},
        },
        rows="items",
        tasks={name: {"kind": "classification", "target": name} for name in ("category", "colour")},
        modalities={"chars": {"kind": "characters", "columns": ["title"]}},
        gate={"metric": "category.accuracy"},
    )
    logged = served()
    first = feedback.correct(logged, of_two, row=0, task="category", label="lamp")
    assert first.waits_for == ("colour",)
    assert len(snapshot_rows(loaded, polyloom_home)[0]) == len(SHOP)
    second = feedback.correct(logged, of_two, row=0, task="colour", label="clock")
    assert second.waits_for == ()
    rows, report = snapshot_rows(loaded, polyloom_home)
    row = rows[f"feedback-{logged.member.prediction}-0"]
    assert (row["category"], row["colour"], report.rows_quarantined) == ("lamp", "clock", 0)


def test_without_the_option_nothing_comes_back_and_without_feedback_nothing_is_missed(
    scenario, runtime, served, feedback, polyloom_home
):
    rows, _ = snapshot_rows(scenario(), polyloom_home)
    assert len(rows) == len(SHOP)
    feedback.correct(served(), runtime, row=0, task="category", label="lamp")
    rows, _ = snapshot_rows(scenario({**TABLE, "feedback": None}), polyloom_home)
    assert len(rows) == len(SHOP)


def test_only_feedback_makes_an_ingestion_due(scenario, runtime, served, feedback):
    loaded = scenario()
    before = ingestion_digest(loaded)
    assert ingestion_digest(loaded) == before
    feedback.correct(served(), runtime, row=0, task="category", label="lamp")
    assert ingestion_digest(loaded) != before


def test_clicks_are_events_and_a_user_is_known_again(scenario, runtime, served, feedback, polyloom_home):
    feedback.click(user="ada", item="p04", event="buy", known=ITEMS.__contains__, columns=COLUMNS)
    shown = served().member.prediction
    feedback.click(prediction=shown, item="p05", event="view", known=ITEMS.__contains__, columns=COLUMNS)
    rows, report = snapshot_rows(scenario(), polyloom_home, table="interactions")
    assert (len(rows), report.tables["interactions"].rows_quarantined) == (5, 0)
    assert {row["user_id"] for row in rows.values()} >= {"ada", shown}
    assert [(one.item, one.weight) for one in history_of(runtime, "ada")] == [("p01", 1.0), ("p04", 5.0)]
    assert [one.item for one in history_of(runtime, shown)] == ["p05"]
    assert history_of(runtime, "bob") == []
    assert b"ada" not in b"".join(path.read_bytes() for path in feedback_folder("shop").rglob("*") if path.is_file())


def test_clicks_need_columns_for_who_and_what(scenario):
    with pytest.raises(ScenarioError, match=r"data\.interactions: clicks say who took what\. Name the columns"):
        scenario(events={"kind": "table", "path": "events.csv", "key": "event_id", "feedback": "clicks"})
    assert data_problems(scenario().scenario) == []


def test_feedback_may_be_a_table_of_its_own(scenario, runtime, served, feedback, polyloom_home):
    loaded = scenario({**TABLE, "feedback": None}, ALONE)
    before = ingestion_digest(loaded)
    rows, report = snapshot_rows(loaded, polyloom_home, table="interactions")
    assert (rows, report.tables["interactions"].rows_in) == ({}, 0)
    assert history_of(runtime, "ada") == []
    feedback.click(user="ada", item="p04", event="buy", known=ITEMS.__contains__, columns=COLUMNS)
    assert ingestion_digest(loaded) != before
    rows, _ = snapshot_rows(loaded, polyloom_home, table="interactions")
    assert [(row["item_id"], row["what"]) for row in rows.values()] == [("p04", "buy")]
    assert [one.item for one in history_of(runtime, "ada")] == ["p04"]


@pytest.mark.slow
@pytest.mark.parametrize("events", [EVENTS, ALONE])
@pytest.mark.filterwarnings("default")
def test_the_command_finds_the_row(
    scenario, place, runtime, served, feedback, polyloom_home, session_server, tmp_path_factory, events
):
    logged = served()
    feedback.correct(logged, runtime, row=2, task="category", label="clock")
    scenario(events=events)
    uri = copy_store(template(tmp_path_factory), polyloom_home / "mlflow.db")
    environment = state(polyloom_home, server=session_server.url, mlflow=uri)
    with server.connected(session_server.url):
        ended = inside("ingest", place / "shop.yaml", "--json", environment=environment)
        assert ended.code == 0, ended.err
        told = inside("snapshots", "shop", "lineage", f"feedback-{logged.member.prediction}-2", environment=environment)
    assert ended.json["snapshot"]["tables"]["items"]["rows_kept"] == len(SHOP) + 1
    assert told.code == 0, told.err
    assert "corrections" in told.said
