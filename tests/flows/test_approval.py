"""A scenario that asks for a person: what passes the gate waits, and the run says so."""

from pathlib import Path

import pytest
import yaml

from flows.report import next_step
from flows.scenario_file import load_scenario
from flows.stages.job import Job
from flows.stages.release import registry, release
from polyloom.errors import ScenarioError
from polyloom.progress import SILENT
from releases.bundle import verify
from releases.challenge import approve
from tests.flows.test_zero_shot import write_wishes
from tests.support.stage_runs import job_for, packaged

GATE = {"metric": "label.accuracy", "approval": "person", "approval_hours": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The scenario's path, its state folder, and the sealed bundle of one run."""
    folder = tmp_path_factory.mktemp("approval")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POLYLOOM_HOME", str(folder / "home"))
        path = write_wishes(folder, task={"head": "prototypes"}, gate=GATE)
        return path, folder / "home", packaged(job_for(path))


@pytest.fixture
def job(made, monkeypatch):
    monkeypatch.setenv("POLYLOOM_HOME", str(made[1]))
    known = job_for(made[0])
    return Job.load({**known.ref, "run_id": None, "flow_run_id": ""})


def test_what_passes_the_gate_waits_for_a_person(made, job, mlflow_uri):
    bundle: Path = made[2]
    digest = verify(bundle).digest
    found = release(job, {"digest": digest, "folder": str(bundle)}, tracking_uri=mlflow_uri, progress=SILENT)
    assert (found["status"], found["alias"], found["passed"]) == ("waiting", "challenger", True)
    store = registry(mlflow_uri)
    assert store.aliases("wishes").all() == {"candidate": "1", "challenger": "1"}
    waiting = store.waiting("wishes")
    assert found["approval"] == {"until": waiting.more["until"], "against": None}
    assert waiting.more["verdict"]["rows"] == 30
    told = next_step({**found, "scenario": "wishes", "release": {"version": "1", "alias": "challenger"}})
    assert "polyloom approve wishes 1 --by NAME --why TEXT" in told
    approve(store, "wishes", "1", who="Eve", why="fine")
    assert store.aliases("wishes").all() == {"champion": "1"}
    # The same again is champion already: nobody is asked twice.
    again = release(job, {"digest": digest, "folder": str(bundle)}, tracking_uri=mlflow_uri, progress=SILENT)
    assert (again["status"], again["alias"], again["approval"]) == ("released", "champion", None)
    assert store.waiting("wishes") is None


def test_what_the_gate_turns_down_waits_for_nobody(made, job, mlflow_uri):
    refused = Job.load({**job.ref, "overrides": ["gate.minimum=1.1"]})
    facts = {"digest": verify(made[2]).digest, "folder": str(made[2])}
    store = registry(mlflow_uri)
    store.ledger("wishes").path.unlink(missing_ok=True)
    found = release(refused, facts, tracking_uri=mlflow_uri, progress=SILENT)
    assert (found["status"], found["alias"], found["approval"]) == ("refused", "candidate", None)
    assert store.aliases("wishes").all() == {"candidate": "1"}
    last = store.history("wishes", steps=True)[-1]
    assert (last.action, last.version) == ("dismiss", "1")
    assert "1.1" in last.why


def test_only_a_person_can_be_asked(made):
    path = made[0].with_name("robot.yaml")
    path.write_text(yaml.safe_dump(yaml.safe_load(made[0].read_text()) | {"gate": {**GATE, "approval": "robot"}}))
    with pytest.raises(ScenarioError, match=r"gate.approval"):
        load_scenario(str(path))
