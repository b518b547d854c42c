import json
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from flows.tracking import PARAM_CHARACTERS, TrainingRun
from polyloom.errors import RegistryError
from releases.mlflow_store import connect
from tests.support.mlflow_store import copy_store, template


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory):
    return copy_store(template(tmp_path_factory), tmp_path_factory.mktemp("tracking") / "mlflow.db")


@pytest.fixture
def client(tracking_uri):
    return connect(tracking_uri)


@pytest.fixture
def open_run(tracking_uri, tmp_path, request):
    """Opens runs in an experiment of the test's own."""
    scenario = request.node.name.split("[")[0][:60]

    def opened(fingerprint="f" * 64, flow_run_id=None, tags=None):
        return TrainingRun.open(
            tracking_uri=tracking_uri,
            artifact_root=tmp_path / "mlartifacts",
            scenario=scenario,
            fingerprint=fingerprint,
            flow_run_id=flow_run_id,
            tags=tags or {},
        )

    opened.scenario = scenario
    return opened


def status(client, run):
    return client.get_run(run.run_id).info.status


def runs_of(client, open_run):
    experiment = client.get_experiment_by_name(open_run.scenario)
    return client.search_runs([experiment.experiment_id])


def test_a_run_is_named_and_tagged(open_run, client, tmp_path):
    run = open_run(flow_run_id="flow-1", tags={"polyloom.code": "0.1.0", "polyloom.snapshot": "s1"})
    found = client.get_run(run.run_id)
    tags = found.data.tags
    assert found.info.status == "RUNNING"
    assert tags["prefect.flow_run_id"] == "flow-1"
    assert (tags["polyloom.fingerprint"], tags["polyloom.code"], tags["polyloom.snapshot"]) == ("f" * 64, "0.1.0", "s1")
    assert found.info.artifact_uri.startswith((tmp_path / "mlartifacts" / open_run.scenario).as_uri())


@pytest.mark.parametrize("ended", ["RUNNING", "FAILED", "KILLED"])
def test_an_unfinished_run_goes_on(open_run, client, ended):
    first = open_run(fingerprint=ended, flow_run_id="flow-1")
    if ended != "RUNNING":
        first.finish(ended)
    again = open_run(fingerprint=ended, flow_run_id="flow-2")
    assert again.run_id == first.run_id
    assert status(client, again) == "RUNNING"
    assert client.get_run(again.run_id).data.tags["prefect.flow_run_id"] == "flow-2"


def test_a_finished_run_goes_on_only_for_the_flow_run_that_made_it(open_run, client):
    first = open_run(flow_run_id="flow-1")
    first.finish()
    assert open_run(flow_run_id="flow-1").run_id == first.run_id
    first.finish()
    second = open_run(flow_run_id="flow-2")
    assert second.run_id != first.run_id
    assert status(client, first) == "FINISHED"
    second.finish()
    assert open_run(flow_run_id=None).run_id not in {first.run_id, second.run_id}


def test_another_fingerprint_is_another_run_and_the_flow_run_keeps_one(open_run, client):
    first = open_run(fingerprint="a", flow_run_id="flow-1")
    second = open_run(fingerprint="b", flow_run_id="flow-1")
    assert second.run_id != first.run_id
    assert status(client, first) == "KILLED"
    assert client.get_run(first.run_id).data.tags["polyloom.replaced_by"] == second.run_id


def test_of_several_unfinished_runs_the_oldest_goes_on(open_run, client):
    oldest = open_run()
    tags = {"polyloom.fingerprint": "f" * 64}
    experiment_id = client.get_run(oldest.run_id).info.experiment_id
    others = [client.create_run(experiment_id, tags=tags).info.run_id for _ in range(2)]
    assert open_run().run_id == oldest.run_id
    assert [client.get_run(other).info.status for other in others] == ["KILLED", "KILLED"]
    oldest.finish()
    assert open_run().run_id not in others


def test_metrics_of_a_step_are_logged_once(open_run, client):
    run = open_run()
    run.log_metrics({"loss": 1.0, "f1": 0.5}, step=1)
    run.log_metrics({"loss": 1.0, "f1": 0.5}, step=1)
    resumed = open_run()
    resumed.log_metrics({"loss": 9.0}, step=1)
    resumed.log_metrics({"loss": 0.8}, step=2)
    history = [(point.step, point.value) for point in client.get_metric_history(run.run_id, "loss")]
    assert history == [(1, 1.0), (2, 0.8)]
    assert len(client.get_metric_history(run.run_id, "f1")) == 1


def test_many_metrics_and_parameters_fit_in_calls(open_run, client):
    run = open_run()
    run.log_metrics({f"m{number}": number for number in range(1100)}, step=0)
    run.log_params({f"p{number}": number for number in range(130)})
    data = client.get_run(run.run_id).data
    assert (len(data.metrics), len(data.params)) == (1100, 130)


def test_parameters_are_logged_again_without_harm_but_do_not_change(open_run, client):
    run = open_run()
    run.log_params({"seed": 7, "sizes": (1, 2)})
    run.log_params({"seed": 7, "epochs": 3})
    assert client.get_run(run.run_id).data.params == {"seed": "7", "sizes": "(1, 2)", "epochs": "3"}
    with pytest.raises(RegistryError, match=r"the parameter 'seed' is '7', and now '8' came.*another fingerprint"):
        run.log_params({"seed": 8})


def test_long_parameters_are_cut_and_named(open_run, client):
    run = open_run()
    for _ in range(2):
        run.log_params({"long": "x" * 7000, "fits": "y" * PARAM_CHARACTERS})
    data = client.get_run(run.run_id).data
    assert (len(data.params["long"]), len(data.params["fits"])) == (6000, 6000)
    assert data.tags["polyloom.params_cut"] == "long"


def test_the_snapshot_is_the_runs_dataset(open_run, client):
    run = open_run()
    for _ in range(2):
        run.log_snapshot(scenario="shop", snapshot_id="5" * 64, rows=600)
    found = client.get_run(run.run_id)
    [entry] = found.inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("shop", "5" * 36)
    assert json.loads(entry.dataset.profile) == {"num_rows": 600}
    assert found.data.tags["polyloom.snapshot"] == "5" * 64


def test_artifacts_and_texts(open_run, client, tmp_path, tracking_uri):
    run = TrainingRun.attach(tracking_uri=tracking_uri, run_id=open_run().run_id)
    picture = tmp_path / "curve.png"
    picture.write_bytes(b"png")
    run.log_artifact(picture, "pictures")
    run.log_artifact(picture)
    run.log_text("# 卡片", "cards/card.md")
    names = {item.path for folder in ("", "pictures", "cards") for item in client.list_artifacts(run.run_id, folder)}
    assert names == {"curve.png", "pictures", "pictures/curve.png", "cards", "cards/card.md"}
    folder = Path(client.get_run(run.run_id).info.artifact_uri.removeprefix("file://"))
    assert (folder / "cards/card.md").read_text(encoding="utf-8") == "# 卡片"


fork = multiprocessing.get_context("fork")


def open_at_once(uri, root, barrier, results):
    barrier.wait(timeout=30)
    run = TrainingRun.open(
        tracking_uri=uri, artifact_root=root, scenario="shop", fingerprint="f", flow_run_id=None, tags={}
    )
    results.put(run.run_id)


def open_and_die(uri, root, fingerprint):
    run = TrainingRun.open(
        tracking_uri=uri, artifact_root=root, scenario="shop", fingerprint=fingerprint, flow_run_id=None, tags={}
    )
    run.log_metrics({"loss": 1.0}, step=1)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture
def fresh_uri(tmp_path_factory, tmp_path):
    """A database that this process has not opened yet: an open one must not be carried over a fork."""
    return copy_store(template(tmp_path_factory), tmp_path / "mlflow.db")


def test_two_processes_that_start_the_same_run_share_it(fresh_uri, tmp_path):
    barrier, results = fork.Barrier(2), fork.Queue()
    processes = [fork.Process(target=open_at_once, args=(fresh_uri, tmp_path, barrier, results)) for _ in range(2)]
    for process in processes:
        process.start()
    ids = {results.get(timeout=60) for _ in processes}
    for process in processes:
        process.join(timeout=30)
    assert len(ids) == 1
    client = connect(fresh_uri)
    assert len(client.search_runs([client.get_experiment_by_name("shop").experiment_id])) == 1


def test_what_a_killed_process_left_running_goes_on_or_is_closed(fresh_uri, tmp_path):
    for fingerprint in ("old data", "new data"):
        victim = fork.Process(target=open_and_die, args=(fresh_uri, tmp_path, fingerprint))
        victim.start()
        victim.join(timeout=60)
        assert victim.exitcode == -signal.SIGKILL
    run = TrainingRun.open(
        tracking_uri=fresh_uri,
        artifact_root=tmp_path,
        scenario="shop",
        fingerprint="new data",
        flow_run_id=None,
        tags={},
    )
    run.log_metrics({"loss": 1.0}, step=1)
    run.log_metrics({"loss": 0.5}, step=2)
    run.finish()
    client = connect(fresh_uri)
    found = client.search_runs([client.get_experiment_by_name("shop").experiment_id])
    ended = {one.data.tags["polyloom.fingerprint"]: one.info.status for one in found}
    assert ended == {"old data": "FAILED", "new data": "FINISHED"}
    assert [point.step for point in client.get_metric_history(run.run_id, "loss")] == [1, 2]
