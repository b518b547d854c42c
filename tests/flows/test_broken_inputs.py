"""Twelve kinds of broken input: the ingest stage for all, the real command for one that runs and two that stop."""

import pytest

from benchmarks.broken_inputs import GOOD_ROWS, KINDS, judged, run, write_good
from flows import server
from flows.scenario_file import load_scenario
from flows.stages.ingest import ingest, snapshot_summary
from flows.validation import check_before_work
from ingestion.snapshots import open_snapshot
from polyloom.errors import PolyloomError
from polyloom.progress import SILENT
from tests.support.command_line import QUIET, inside, state
from tests.support.mlflow_store import copy_store, template


@pytest.mark.parametrize("kind", [kind for kind, given in KINDS.items() if given.reason])
def test_a_broken_row_is_refused_with_its_reason_and_none_vanishes(kind, tmp_path):
    scenario = write_good(tmp_path / "job")
    KINDS[kind].spoil(tmp_path / "job")
    report = ingest(load_scenario(str(scenario)), progress=SILENT)
    summary = snapshot_summary(report)
    assert summary["rows_in"] == summary["rows_kept"] + summary["rows_quarantined"]
    assert summary["rows_in"] in {GOOD_ROWS, GOOD_ROWS + 1}
    assert summary["tables"]["items"]["reasons"] == {KINDS[kind].reason: 1}
    (refused,) = open_snapshot(report.folder).quarantine().to_pylist()
    assert refused["message"]
    assert refused["row"]


@pytest.mark.parametrize("kind", [kind for kind, given in KINDS.items() if not given.reason])
def test_a_source_that_cannot_be_read_stops_the_run_with_the_reason(kind, tmp_path):
    scenario = write_good(tmp_path / "job")
    KINDS[kind].spoil(tmp_path / "job")
    with pytest.raises(PolyloomError) as raised:
        checked_ingest(load_scenario(str(scenario)))
    assert raised.value.exit_code == KINDS[kind].code
    assert KINDS[kind].message in str(raised.value)


def checked_ingest(loaded):
    check_before_work(loaded)
    return ingest(loaded, progress=SILENT)


@pytest.fixture
def environment(tmp_path, session_server, tmp_path_factory):
    """A state folder of its own on the session's Prefect server."""
    home = tmp_path / "home"
    home.mkdir()
    uri = copy_store(template(tmp_path_factory), home / "mlflow.db")
    return state(home, server=session_server.url, mlflow=uri)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["missing file", "wrong column"])
def test_the_command_says_what_is_wrong_without_a_trace(kind, tmp_path, environment):
    assert run(kind, tmp_path / "job", {**environment, **QUIET}) == []


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_run_over_a_broken_row_ends_with_a_release_and_says_why(tmp_path, environment):
    kind = "300-megapixel PNG"
    scenario = write_good(tmp_path / "job")
    KINDS[kind].spoil(tmp_path / "job")
    with server.connected(environment["PREFECT_API_URL"]):
        ended = inside("run", scenario, "--json", environment=environment)
    assert judged(kind, code=ended.code, out=ended.out, err=ended.err) == []


def test_a_trace_or_a_vanished_row_would_be_noticed():
    assert judged("missing file", code=1, out="", err="Traceback (most recent call last)") != []
    assert judged("missing file", code=2, out="", err="error: something") != []
    lost = '{"snapshot": {"rows_in": 61, "rows_kept": 59, "rows_quarantined": 1, "tables": {"items": {"reasons": {}}}}}'
    assert len(judged("ragged CSV", code=0, out=lost, err="")) == 2
