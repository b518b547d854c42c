"""Ingestion through the real commands, on the session's Prefect server: what each leaves, says, and how it ends."""

import json
import threading
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from flows import server
from polyloom.durable import locked
from releases.mlflow_store import connect
from tests.support.command_line import inside, state
from tests.support.mlflow_store import copy_store, template

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
GOOD = [f"{key},a sentence about {key} number {place},{place}" for place, key in enumerate("abcdefghij")]
BROKEN = ["k,the text that nobody may keep,cheap", "l,,3"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of its own for this module's scenario and state."""
    return tmp_path_factory.mktemp("ingest")


@pytest.fixture(scope="module")
def environment(place, session_server, tmp_path_factory):
    """The module's state folder, on the session's Prefect server."""
    home = place / "home"
    home.mkdir()
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    return state(home, server=session_server.url, mlflow=uri)


@pytest.fixture(scope="module")
def scenario(place) -> Path:
    """Ten good rows and two bad ones; nothing but data in the scenario."""
    write_rows(place, *GOOD, *BROKEN)
    notes = {"kind": "table", "path": "rows.csv", "key": "id", "text": ["text"], "columns": {"price": "number"}}
    described = {"name": "notes", "title": "Notes", "data": {"notes": notes}, "quarantine": {"max_share": 0.5}}
    (place / "notes.yaml").write_text(yaml.safe_dump(described))
    return place / "notes.yaml"


@pytest.fixture
def polyloom(environment, session_server):
    """Run commands in this process."""

    def run(*words):
        with server.connected(session_server.url):
            return inside(*words, environment=environment)

    return run


def write_rows(place: Path, *lines: str) -> None:
    (place / "rows.csv").write_text("\n".join(["id,text,price", *lines]) + "\n")


@pytest.fixture(scope="module")
def first(scenario, environment, session_server):
    """The first ingestion."""
    with server.connected(session_server.url):
        ended = inside("ingest", scenario, "--json", environment=environment)
    assert ended.code == 0, ended.err
    return ended.json


def test_an_ingestion_gives_a_snapshot_a_card_and_an_mlflow_run(first, environment):
    snapshot = first["snapshot"]
    assert (first["status"], snapshot["rows_in"], snapshot["rows_kept"], snapshot["rows_quarantined"]) == (
        "new",
        12,
        10,
        2,
    )
    card = Path(first["card"])
    assert card == Path(environment["POLYLOOM_HOME"]) / "snapshots/notes" / f"{snapshot['id']}.card.html"
    assert "<html" in card.read_text()
    client = connect(environment["MLFLOW_TRACKING_URI"])
    run = client.get_run(first["mlflow_run_id"])
    assert (run.info.status, run.data.tags["polyloom.snapshot"]) == ("FINISHED", snapshot["id"])
    assert run.data.metrics["data.rows_kept"] == 10
    assert card.name in {entry.path for entry in client.list_artifacts(run.info.run_id)}
    journal = Path(environment["POLYLOOM_HOME"]) / "journal/notes" / f"{first['flow_run_id']}.jsonl"
    assert [json.loads(line)["kind"] for line in journal.read_text().splitlines()][-1] == "run_ended"


def test_nothing_new_starts_nothing(first, scenario, polyloom):
    again = polyloom("ingest", scenario, "--json").json
    assert (again["status"], again["snapshot"], again["flow_run_id"]) == (
        "unchanged",
        first["snapshot"],
        first["flow_run_id"],
    )
    said = polyloom("ingest", scenario).said
    assert "notes: unchanged snapshot" in said
    assert "refused notes: 1 x wrong_type" in said
    assert "next polyloom quarantine notes list" in said


def test_quarantine_is_browsed_and_shown(first, polyloom):
    listed = polyloom("quarantine", "notes", "list", "--json").json
    assert (listed["total"], [row["key"] for row in listed["rows"]]) == (2, ["k", "l"])
    one = polyloom("quarantine", "notes", "list", "--reason", "empty_text", "-n", "5", "--json").json
    assert [row["key"] for row in one["rows"]] == ["l"]
    shown = polyloom("quarantine", "notes", "show", listed["rows"][0]["id"])
    assert "notes, rows.csv, row 12, key 'k'" in shown.said
    assert "nobody may keep" in shown.said
    assert "polyloom quarantine notes export refused.csv" in polyloom("quarantine", "notes", "list").said


def test_two_at_once_wait_or_are_refused(first, scenario, polyloom, place, environment):
    write_rows(place, *GOOD, *BROKEN, "m,one more,4")
    lock = Path(environment["POLYLOOM_HOME"]) / "locks/ingest-notes"
    with locked(lock):
        refused = polyloom("ingest", scenario, "--no-wait")
        assert refused.code == 1
        assert "notes is being ingested by another run, and --no-wait was given. Nothing was read" in refused.said
    holding, ready = threading.Event(), threading.Event()

    def hold() -> None:
        with locked(lock):
            ready.set()
            holding.wait(20)

    other = threading.Thread(target=hold)
    other.start()
    ready.wait()
    threading.Timer(1.0, holding.set).start()
    begun = time.monotonic()
    waited = polyloom("ingest", scenario, "--json")
    other.join()
    assert (waited.code, waited.json["status"]) == (0, "new"), waited.err
    assert time.monotonic() - begun >= 1.0


def test_snapshots_are_listed_compared_and_traced(first, polyloom):
    newest, oldest = polyloom("snapshots", "notes", "list", "--json").json
    assert (oldest["id"], newest["current"]) == (first["snapshot"]["id"], True)
    found = polyloom("snapshots", "notes", "diff", oldest["id"][:8], "--json").json
    assert [(table["added"], table["removed"]) for table in found["tables"]] == [(1, 0)]
    assert "notes: added m" in polyloom("snapshots", "notes", "diff", oldest["id"][:8]).said
    (row,) = polyloom("snapshots", "notes", "lineage", "m", "--json").json
    assert (row["source"], row["row"], row["since"]) == ("rows.csv", 14, newest["id"])
    assert "rows.csv" in polyloom("snapshots", "notes", "lineage", "m").said
    dry = polyloom("snapshots", "notes", "gc", "--keep", "1", "--dry-run", "--json").json
    assert (dry["snapshots"], dry["dry_run"]) == ([oldest["id"]], True)
    assert "Removed 1 snapshots" in polyloom("snapshots", "notes", "gc", "--keep", "1").said
    assert len(polyloom("snapshots", "notes", "list", "--json").json) == 1
    assert not Path(first["card"]).exists()


def test_a_forgotten_item_is_in_no_byte(first, polyloom, environment, place):
    home = Path(environment["POLYLOOM_HOME"])
    said = "the text that nobody may keep"
    (home / "journal/notes/old.jsonl").write_text(
        json.dumps({"at": "2026", "kind": "log", "message": f"look: {said}"}) + "\n"
    )
    (home / "runs/notes/0123").mkdir()
    (home / "runs/notes/0123/items.jsonl").write_text(said)
    assert tells(home, said)
    ended = polyloom("forget", "notes", "k", "--json")
    assert ended.code == 0, ended.err
    assert tells(home, said) == []
    told = ended.json
    assert (told["removed"]["quarantined"], told["removed"]["journal_lines"], told["removed"]["runs"]) == (1, 1, 1)
    assert told["releases"] == []
    assert told["sources"] == ["rows.csv, row 12"]
    assert len(told["snapshots"]) == 1
    again = polyloom("forget", place / "notes.yaml", "k")
    assert again.code == 0
    assert "releases none holds it or learned from it" in again.said


def tells(home: Path, text: str) -> list[str]:
    """The files that hold a text, also inside Parquet's compression; what MLflow keeps of runs is not ours."""
    found = []
    for path in home.rglob("*"):
        if path.is_file() and "mlartifacts" not in path.parts:
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += json.dumps(pq.read_table(path).to_pylist(), default=str).encode()
            found += [str(path.relative_to(home))] if text.encode() in content else []
    return found


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["ingest"], 2, "give a SCENARIO to ingest, or --infer PATH to have one proposed; one of the two."),
        (["ingest", "nots"], 2, "'nots' is neither a file nor a scenario."),
        (["ingest", "notes.yaml", "--watch", "--every", "0"], 2, "--every 0: the shortest interval is 1 second."),
        (["quarantine", "nots", "list"], 2, "nots was never ingested. Next: polyloom ingest nots"),
        (["quarantine", "notes", "lst"], 2, "Did you mean 'list'?"),
        (["quarantine", "notes", "show", "zzz"], 2, "'zzz' is not the id of a row in quarantine"),
        (
            ["quarantine", "notes", "export", "a.doc"],
            2,
            "a.doc ends in '.doc'. Allowed endings: .csv, .jsonl, .parquet.",
        ),
        (["quarantine", "notes", "replay"], 2, "give the repaired file, or say which rows to read again"),
        (["snapshots", "nots", "list"], 2, "nots was never ingested. Next: polyloom ingest nots"),
        (["snapshots", "notes", "diff", "zzzz"], 2, "'zzzz': there is no such snapshot."),
        (["snapshots", "notes", "lineage", "zzz"], 2, "no row of notes has the key 'zzz', in quarantine neither."),
        (["snapshots", "notes", "gc", "--keep", "0"], 2, "--keep 0: the current snapshot always stays"),
        (["forget", "nots", "a"], 2, "'nots' is neither a file nor a scenario."),
        (["forget", "notes", "zzz"], 2, "'zzz': no row of notes has this key"),
    ],
)
def test_a_wrong_request_ends_with_its_code_and_says_what_to_do(
    first, polyloom, place, monkeypatch, words, code, message
):
    monkeypatch.chdir(place)
    ended = polyloom(*words)
    assert ended.code == code, ended.said
    assert message in ended.said
    assert "Traceback" not in ended.said


def test_a_watched_source_is_ingested_when_it_has_come_to_rest(environment, session_server, tmp_path, monkeypatch):
    from flows.ingesting import watch_scenario
    from polyloom.progress import SILENT

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "seen.csv").write_text("id,text\na,one\n")
    described = {
        "name": "seen",
        "title": "Seen",
        "data": {"seen": {"kind": "table", "path": "seen.csv", "key": "id", "text": ["text"]}},
    }
    (tmp_path / "seen.yaml").write_text(yaml.safe_dump(described))
    rows = []
    with server.connected(session_server.url):
        watching = watch_scenario(
            str(tmp_path / "seen.yaml"), overrides=(), every_seconds=1, progress=SILENT, stop=lambda: len(rows) == 2
        )
        for result in watching:
            rows.append(result["snapshot"]["rows_kept"])
            (tmp_path / "seen.csv").write_text("id,text\na,one\nb,two\n")
    assert rows == [1, 2]


def made_by_an_event(run) -> bool:
    return run.created_by is not None and run.created_by.type == "AUTOMATION"


def test_an_event_runs_the_deployed_flow(first, scenario, environment, prefect_api, monkeypatch):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId
    from prefect.events import Event, Resource

    from flows import deployments

    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    # A pool that no worker of another test serves: it is enough that the run is due.
    facts = deployments.deploy_scenario(str(scenario), flow="ingest", schedule="0 4 * * *", pool="events")
    assert (facts["name"], facts["schedule"]) == ("ingest/notes", "0 4 * * *")
    assert (facts["event"], facts["resource"]) == ("polyloom.source.changed", "polyloom.scenario.notes")
    chosen = DeploymentFilter(id=DeploymentFilterId(any_=[facts["id"]]))
    with get_client(sync_client=True) as client:
        stored = client.read_deployment(facts["id"])
        assert stored.concurrency_options.collision_strategy.value == "ENQUEUE"
        assert stored.parameters == {"scenario": str(scenario)}
        planned = {run.id for run in client.read_flow_runs(deployment_filter=chosen)}
        event = Event(event=facts["event"], resource=Resource({"prefect.resource.id": facts["resource"]}))
        deadline = time.monotonic() + 60
        # The schedule makes runs too, meanwhile.
        while not any(map(made_by_an_event, client.read_flow_runs(deployment_filter=chosen))):
            assert time.monotonic() < deadline, planned
            # The server may learn of the automation a moment after it was made.
            client._client.post("/events", json=[event.model_dump(mode="json")]).raise_for_status()
            time.sleep(2)
        client.delete_deployment(facts["id"])


def test_only_what_may_pass_is_tried_again(prefect_api):
    from prefect import flow, task

    from flows.source_tasks import RETRIES, may_pass, snapshot_task
    from polyloom.errors import DataError

    assert (snapshot_task.retries, snapshot_task.retry_condition_fn) == (RETRIES, may_pass)
    tried = []

    @task(retries=2, retry_delay_seconds=0, retry_condition_fn=may_pass)
    def read(failing: str) -> str:
        tried.append(failing)
        if failing == "content":
            raise DataError("no column 'text'")
        if len(tried) < 3:
            raise DataError("https://x cannot be fetched") from ConnectionResetError()
        return "read"

    @flow
    def reading(failing: str) -> str:
        return read(failing)

    assert reading("server") == "read"
    assert tried == ["server"] * 3
    with pytest.raises(DataError, match="no column"):
        reading("content")
    assert tried[3:] == ["content"]


def test_refused_rows_are_exported_and_replayed(first, polyloom, place):
    path = place / "refused.csv"
    assert f"Wrote 1 rows to {path}. Repair them there, then: polyloom quarantine notes replay" in (
        polyloom("quarantine", "notes", "export", path).said
    )
    path.write_text(path.read_text(encoding="utf-8-sig").replace("l,,3", "l,a text,3"))
    report = polyloom("quarantine", "notes", "replay", path, "--json").json
    assert (report["replayed"], report["known"], report["unchanged"]) == (1, 0, 0)
    assert polyloom("quarantine", "notes", "replay", path, "--json").json["known"] == 1
    (row,) = polyloom("quarantine", "notes", "list", "--json").json["rows"]
    again = polyloom("quarantine", "notes", "replay", "--id", row["id"])
    assert "1 rows are replayed by the next ingestion. next polyloom ingest notes" in again.said
